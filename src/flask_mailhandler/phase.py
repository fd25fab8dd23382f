"""How far a session has come, and what that means for each recipient."""

from __future__ import annotations

import enum


class State(enum.StrEnum):
    """The result of sending one message, for one recipient."""

    ACCEPTED = "accepted"
    """The server replied 2yz to the end of data: it is responsible for the message now."""
    DEFERRED = "deferred"
    """The server replied 4yz, or did not reply before the end of data: it has accepted nothing,
    and trying again later is safe."""
    REFUSED = "refused"
    """The server replied 5yz, or the message was refused before any connection: trying again is
    useless."""
    UNKNOWN = "unknown"
    """The end of data was sent and no valid reply came: the server may have accepted the
    message."""


class Phase(enum.IntEnum):
    """How far a session has come.

    The phase decides what may be repeated: anything up to :attr:`CONTENT`, and nothing from
    :attr:`END_OF_DATA` on.
    """

    CONNECT = 1
    GREETING = 2
    EHLO = 3
    TLS = 4
    AUTH = 5
    MAIL = 6
    RCPT = 7
    DATA = 8
    CONTENT = 9
    END_OF_DATA = 10
    DONE = 11

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")
