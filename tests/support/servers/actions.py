"""What a scripted server may do at a step, written as data.

====================  ==========================================================================
``"250 2.1.0 ok"``    a reply of one or several lines; CRLF is added
``b"250 ok\\r\\n"``     exactly these octets: half a reply, two replies, garbage
``Then(a, b)``        first one, then the other: ``Then("250 ok", DROP)``
``Delay(2.0, a)``     the same, two seconds later
``Held(a)``           the same, in one write with the next reply: a client may have sent more
``Drip(octets)``      one octet at a time
``DROP``              close with FIN, like a process that ends
``RESET``             close with RST
``CLOSE_NOTIFY``      close TLS properly, then FIN
``SILENCE``           never reply and never read, until the client closes or the server stops
``Flood()``           continuation lines without end
``After(n, a)``       at the steps "content" and "handshake": when *n* octets were read
``Taken(a)``           at the step "end of data": accept the message, whatever the reply is
``f(line, conn)``     a function that returns one of these
====================  ==========================================================================
"""

from __future__ import annotations

import re
import threading
import typing as t
from collections import deque
from dataclasses import dataclass
from dataclasses import field

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence

    from .connection import Connection


@dataclass(frozen=True)
class Close:
    """Close the connection from the server's side."""

    how: t.Literal["fin", "rst", "notify"]


@dataclass(frozen=True)
class Silence:
    """Neither reply nor read."""


@dataclass(frozen=True)
class Then:
    """Two actions in order."""

    first: Action
    second: Action


@dataclass(frozen=True)
class Delay:
    """Wait *seconds*, then run the action. Stopping the server ends the wait."""

    seconds: float
    action: Action


@dataclass(frozen=True)
class Held:
    """Keep the reply until there is one that is not held, and send them in one write.

    So a server replies at once to all that a client has pipelined. A client that waits for the
    reply gets none.
    """

    action: Action


@dataclass(frozen=True)
class Drip:
    """Send the octets one at a time, every *every* seconds, each in its own segment."""

    octets: bytes
    every: float = 0.01


@dataclass(frozen=True)
class Flood:
    """Send the line repeatedly until the client closes."""

    line: bytes = b"250-and more\r\n"


@dataclass(frozen=True)
class After:
    """Read exactly *octets* of what the client sends in this step, then run the action.

    If the action neither closes nor replies, the step continues as usual. A reply here is the
    reply to end of data.
    """

    octets: int
    action: Action


@dataclass(frozen=True)
class Taken:
    """At end of data: accept the message, then run the action. A server may crash between the
    two."""

    action: Action


Action: t.TypeAlias = (
    "str | bytes | Close | Silence | Then | Delay | Held | Drip | Flood | After | Taken"
    " | Callable[[str, Connection], Action]"
)
Actions: t.TypeAlias = "Action | Sequence[Action]"

DROP = Close("fin")
RESET = Close("rst")
CLOSE_NOTIFY = Close("notify")
SILENCE = Silence()
STOP_READING = After(0, SILENCE)


def drop_after(octets: int) -> After:
    """Close with FIN after this number of octets of the content (or the handshake)."""
    return After(octets, DROP)


# RFC 5321 4.2. A line end of LF alone is accepted (F-84).
REPLY = re.compile(rb"([2-5][0-9][0-9])(?:-[^\n]*\n\1)*(?: [^\n]*|\r)?\n")


def spoken(action: Action) -> bytes:
    """Everything that the client can read of an action, known in advance."""
    match action:
        case str():
            return "".join(f"{line}\r\n" for line in action.splitlines()).encode()
        case bytes():
            return action
        case Then():
            return spoken(action.first) + spoken(action.second)
        case Delay() | Held() | After() | Taken():
            return spoken(action.action)
        case Drip():
            return action.octets
    return b""


def reply_code(octets: bytes) -> int | None:
    """The code of the first reply, or None if it is not a complete, valid reply (RFC 5321 4.2)."""
    found = REPLY.match(octets)
    return int(found[1]) if found else None


def more_than_one_reply(octets: bytes) -> bool:
    """Whether there is something after the first reply."""
    found = REPLY.match(octets)
    return found is not None and found.end() < len(octets)


@dataclass
class Script:
    """The declared actions for each step, used in turn, over all connections of a server."""

    on: Mapping[str, Actions]
    _left: dict[str, deque[Action]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        for step, actions in self.on.items():
            if isinstance(actions, (list, tuple)):
                self._left[step] = deque(actions)

    def take(self, step: str, line: str = "") -> Action | None:
        """Return the next action of the longest matching key, or None for the default.

        A key fits if it is the step, or if the command line begins with it, in any case.
        """
        with self._lock:
            for key in sorted(self.on, key=len, reverse=True):
                if key != step and not (line and line.upper().startswith(key.upper())):
                    continue
                if key not in self._left:
                    return t.cast("Action", self.on[key])
                if self._left[key]:
                    return self._left[key].popleft()
        return None
