"""The figures of a queue, for a health check."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from .row import RowState


@dataclasses.dataclass(frozen=True, slots=True)
class QueueStats:
    """The figures of a queue, for a health check.

    .. code-block:: python

        assert mail.queue.stats().lag < 300
    """

    counts: Mapping[RowState, int]
    """The number of messages in each state. A state without messages is left out. With ``up_to=``
    of :meth:`.MailQueue.stats`, a count of that number means so many or more."""
    lag: float
    """How many seconds overdue the oldest due message is; 0 if no message is due."""
    paused: Mapping[str, str]
    """The accounts that are paused, and the error that paused each of them."""
    down: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The accounts that are down while others of ``MAIL_FAILOVER`` or ``MAIL_SPREAD`` send their
    mail, and the error of each."""


def count_text(number: int, up_to: int | None) -> str:
    """Return a count as people read it.

    :param up_to: How far was counted; None if that is all of them.
    """
    return f"{number}+" if up_to is not None and number >= up_to else str(number)
