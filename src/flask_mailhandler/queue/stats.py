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
    """The number of messages in each state. A state without messages is left out."""
    lag: float
    """How many seconds overdue the oldest due message is; 0 if no message is due."""
    paused: Mapping[str, str]
    """The accounts that are paused, and the error that paused each of them."""
    down: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The accounts that are down while others of ``MAIL_FAILOVER`` or ``MAIL_SPREAD`` send their
    mail, and the error of each."""
