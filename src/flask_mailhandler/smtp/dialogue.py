"""Commands out and replies in, in command groups where the server takes them (RFC 2920).

Commands are put into a queue, and the reply to each is asked for in order. Asking for the first
of a group says the group, in one write; asking for the others only reads. Without PIPELINING
each command is a group of its own, so that whoever judges replies need not know which it is::

    put MAIL RCPT RCPT DATA
    reply          MAIL RCPT RCPT DATA ──>
                                       <── 250 250 550 354
    reply reply reply
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

from ..net.deadline import Deadline
from ..net.echo import Echoes
from ..net.quoting import escape
from .reply import read_reply
from .reply import Reply
from .stream import LostError
from .stream import ProtocolError
from .stream import Stream
from .stream import StreamError

# So many replies may be outstanding: to the 100 recipients that each server takes (RFC 5321
# section 4.5.3.1.8) and to three more commands: what is in front of MAIL, MAIL, and DATA. More
# would wait in buffers that neither side may be reading.
_WINDOW = 103
# So many lines, of so many octets, are kept because they are likely to come again.
_KNOWN, _SHORT = 50, 100
# After a failed write, so long is waited for a reply that explains it.
_LAST_WORDS = 0.5


class Dialogue:
    """What is said on one connection after the login.

    :param stream: Open and ready.
    :param pipelining: Whether the last EHLO offered PIPELINING.
    :param echoes: What nobody is to see though the server may repeat it.
    """

    def __init__(self, stream: Stream, pipelining: bool, echoes: Echoes | None = None) -> None:
        self._stream = stream
        self._window = _WINDOW if pipelining else 1
        self._echoes = echoes
        self._unsaid: collections.deque[str] = collections.deque()
        self._unanswered = 0
        self._resting = True
        # A server says the same few lines again and again.
        self._known: dict[bytes, Reply] = {}
        self.open: bool = True
        self.refused: bool = False
        """Whether a reply was 4yz or 5yz since somebody last set this to False."""

    @property
    def pipelining(self) -> bool:
        """Whether several commands go in one write."""
        return self._window > 1

    @property
    def left(self) -> int:
        """Replies to come, those to commands not yet said among them."""
        return len(self._unsaid) + self._unanswered

    @property
    def heard(self) -> float:
        """When the server was last heard, on the monotonic clock."""
        return self._stream.heard

    @property
    def deadline(self) -> Deadline:
        """When reading and writing end."""
        return self._stream.deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._stream.deadline = deadline

    def is_group(self, commands: int) -> bool:
        """Whether so many commands go in one write, when nothing else is under way."""
        return commands <= self._window

    def put(self, commands: Iterable[str]) -> None:
        """Queue commands, without their line ends."""
        self._unsaid += commands

    def drop(self, keep: int = 0) -> None:
        """Forget what has not been said yet, but for the last *keep* commands."""
        while len(self._unsaid) > keep:
            self._unsaid.popleft()

    def say(self, before: bytes = b"", behind: Iterable[bytes] = ()) -> None:
        """Say the next group in one write.

        :param before: Goes in front of it, and gets one reply: the end of data.
        :param behind: Content that the last command of the group announces.
        :raises StreamError: if it could not be written.
        """
        number = min(len(self._unsaid), self._window - self._unanswered - bool(before))
        group = [self._unsaid.popleft() for _ in range(number)]
        # Only a mailbox may be more than ASCII, and only where SMTPUTF8 was agreed on.
        lines = "\r\n".join((*group, "")).encode()
        self._stream.write(b"".join((before, lines, *behind)))
        self._unanswered += number + bool(before)
        self._resting = False

    def give(self, octets: bytes) -> None:
        """Write a piece of content, which has no reply of its own.

        :raises StreamError: if it could not be written.
        """
        self._stream.write(octets)

    def reply(self) -> Reply:
        """Return the next reply; if nothing is unanswered, the next group is said first.

        :raises StreamError: if there is none.
        """
        if not self._unanswered:
            try:
                self._listen()
                self.say()
            except LostError:
                # Often the server has said why before it closed.
                words = self.last_words()
                if words is None or not words.closing:
                    raise
                return words
        reply = self._read()
        self._unanswered -= 1
        return reply

    def rest(self) -> None:
        """Between transactions, a server may close, or say that it will."""
        self._resting = True

    def check_quiet(self) -> None:
        """See, without waiting, that the server is there and has said nothing unasked.

        :raises LostError: if not.
        """
        self._stream.check_quiet()

    def check_nothing_more(self) -> None:
        """See that nothing follows the last reply: it would be taken for the reply to what is
        said next.

        :raises ProtocolError: if something does.
        """
        if self._stream.buffered:
            raise ProtocolError("the server said more than was asked")

    def last_words(self) -> Reply | None:
        """What the server said before it stopped listening, if it did. A command may have been cut
        in its middle, so that nothing more can be said: the connection is closed."""
        self._stream.deadline = Deadline(_LAST_WORDS)
        try:
            return self._read()
        except StreamError:
            return None
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection. Never waits."""
        self.open = False
        self._stream.close()

    def _listen(self) -> None:
        if self._resting:
            self._stream.check_quiet()
        else:
            self.check_nothing_more()

    def _read(self) -> Reply:
        line = self._stream.read_line()
        reply = self._known.get(line)
        if reply is None:
            reply = read_reply(self._stream.read_line, self._echoes, line)
            if len(self._known) < _KNOWN and _may_be_kept(line, reply):
                self._known[line] = reply
        if reply.code >= 400:
            self.refused = True
        return reply

    def __repr__(self) -> str:
        state = "open" if self.open else "closed"
        return f"<Dialogue {state}, {len(self._unsaid)} unsaid, {self._unanswered} unanswered>"


def _may_be_kept(line: bytes, reply: Reply) -> bool:
    """Whether a reply is of one short line, and no secret was taken out of it."""
    return len(line) <= _SHORT and len(reply.lines) == 1 and escape(line).endswith(reply.lines[0])
