"""The ticket that ``send_later`` returns."""

from __future__ import annotations

import dataclasses

from ..errors import MessageError


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """A message's place in the queue.

    .. code-block:: python

        ticket = mail.send_later(message, key="order:17")
    """

    id: int
    """The number of its row, as ``flask mail queue show`` takes it."""
    message_id: str
    """The Message-ID with its angle brackets."""
    created: bool = True
    """False if a message with the same key was already there, whose ticket this is, or if there is
    an error."""
    error: MessageError | None = None
    """Why :meth:`.Mail.send_later_each` did not queue the message. The ``id`` is 0 then."""
