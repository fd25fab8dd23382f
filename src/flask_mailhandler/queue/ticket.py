"""What the caller gets for a message that is sent later."""

from __future__ import annotations

import dataclasses

from ..errors import MessageError


@dataclasses.dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the queue."""

    id: int
    """Its number, as ``flask mail queue show`` takes it."""
    message_id: str
    """The Message-ID with its angle brackets."""
    created: bool = True
    """False if there was a message of the same key: the ticket is that one's; or if there is an
    error."""
    error: MessageError | None = None
    """Why a message of :meth:`.Mail.send_later_each` was not taken in. Then ``id`` is 0."""
