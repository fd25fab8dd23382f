"""Commands out and replies in, in command groups if the server offers PIPELINING (RFC 2920).

Commands are queued, and their replies are read in order. Asking for the first reply of a group
writes the group, in one write; asking for the others only reads. Without PIPELINING each command
is a group of its own, so the code that judges replies need not know which it is::

    queue MAIL RCPT RCPT DATA
    reply          MAIL RCPT RCPT DATA ──>
                                       <── 250 250 550 354
    reply reply reply
"""

from __future__ import annotations

import collections
from collections.abc import Iterable

from ..net.deadline import Deadline
from ..net.masking import Echoes
from ..net.quoting import escape
from .reply import read_reply
from .reply import Reply
from .states import LineState
from .stream import LostError
from .stream import ProtocolError
from .stream import Stream
from .stream import StreamError

# The most replies that may be outstanding: to the 100 recipients that each server accepts (RFC 5321
# section 4.5.3.1.8) and to three more commands: the one in front of MAIL, MAIL, and DATA. More
# would wait in buffers that neither side may be reading.
_WINDOW = 103
# So many lines, of at most so many octets, are kept because they are likely to come again.
_KNOWN, _SHORT = 50, 100
# Seconds to wait, after a failed write, for a reply that explains it.
_LAST_REPLY = 0.5
# Reading these from their enum takes 0.2 µs each time up to Python 3.11.
_TALKING, _CLOSED = LineState.TALKING, LineState.CLOSED


class Dialogue:
    """The commands and replies on one connection after the login.

    :param stream: Open and ready.
    :param pipelining: Whether the last EHLO offered PIPELINING.
    :param echoes: Secrets to mask, which the server may repeat.
    """

    def __init__(self, stream: Stream, pipelining: bool, echoes: Echoes | None = None) -> None:
        self.stream = stream
        self.state: LineState = LineState.RESTING
        self.pipelining = pipelining
        """Whether several commands go in one write."""
        self.refused: bool = False
        """Whether a reply was 4yz or 5yz since the session last set this to False."""
        self._window = _WINDOW if pipelining else 1
        self._echoes = echoes
        self._queued: collections.deque[str] = collections.deque()
        self._outstanding = 0
        self._last_line = b""
        # A server replies with the same few lines again and again.
        self._known: dict[bytes, Reply] = {}

    @property
    def open(self) -> bool:
        """Whether commands may be written."""
        return self.state is not _CLOSED

    @property
    def pending(self) -> int:
        """The number of replies to come, those to queued commands included."""
        return len(self._queued) + self._outstanding

    @property
    def granted(self) -> bool:
        """Whether the replies to all commands, those that are queued included, are here, and each
        is 2yz or 3yz. After a refusal there may be a reply to an empty content to wait for."""
        last = [line for line in self.stream.lines if line[3:4] != b"-"]
        return len(last) >= self.pending and all(line[:1] in b"23" for line in last)

    def is_group(self, commands: int) -> bool:
        """Return whether so many commands go in one write, when no reply is outstanding."""
        return commands <= self._window

    def queue(self, commands: Iterable[str]) -> None:
        """Queue commands, without their line ends."""
        self._queued += commands

    def cancel(self, keep: int = 0) -> None:
        """Drop the commands that are not yet written, except the last *keep*."""
        while len(self._queued) > keep:
            self._queued.popleft()

    def write_group(self, before: bytes = b"", after: Iterable[bytes] = ()) -> None:
        """Write the next group of commands in one write.

        :param before: Goes in front of it, and gets one reply: the end of data.
        :param after: Content that the last command of the group announces.
        :raises StreamError: if it could not be written.
        """
        number = min(len(self._queued), self._window - self._outstanding - bool(before))
        group: Iterable[str] = self._queued
        if number == len(self._queued):  # as with most: 4 µs less for a hundred recipients
            self._queued = collections.deque()
        else:
            group = [self._queued.popleft() for _ in range(number)]
        # Only an address may be more than ASCII, and only after SMTPUTF8 was offered.
        lines = "\r\n".join((*group, "")).encode()
        self.stream.write(b"".join((before, lines, *after)))
        self._outstanding += number + bool(before)
        self.state = _TALKING

    def reply(self) -> Reply:
        """Return the next reply. If none is outstanding, the next group is written first.

        :raises StreamError: if there is none.
        """
        if not self._outstanding:
            try:
                if self.state is LineState.RESTING:
                    self.stream.check_quiet()
                else:
                    self.check_nothing_more()
                self.write_group()
            except LostError:
                # Often the server has replied why before it closed.
                last = self.last_reply()
                if last is None or not last.closing:
                    raise
                return last
        self._last_line = line = self.stream.read_line()
        reply = self._known.get(line) or self._new_reply(line)
        self._outstanding -= 1
        if reply.code >= 400:
            self.refused = True
        return reply

    def skip_alike(self, keep: int) -> int:
        """Skip the replies that are at hand and are the same line as the last one, except the last
        *keep* that are outstanding. Return how many those were."""
        if self._last_line not in self._known:  # perhaps the first line of several
            return 0
        skipped = self.stream.skip_lines(self._last_line, self._outstanding - keep)
        self._outstanding -= skipped
        return skipped

    def check_nothing_more(self) -> None:
        """Check that nothing follows the last reply: it would be taken for the reply to the next
        command.

        :raises ProtocolError: if something does.
        """
        if self.stream.buffered:
            raise ProtocolError("the server said more than was asked")

    def last_reply(self) -> Reply | None:
        """Return what the server replied before it stopped reading, if it did, and close. A
        command may have been cut in its middle, so no other can follow."""
        self.stream.deadline = Deadline(_LAST_REPLY)
        try:
            line = self.stream.read_line()
            return self._known.get(line) or self._new_reply(line)
        except StreamError:
            return None
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection. Never waits."""
        self.state = _CLOSED
        self.stream.close()

    def _new_reply(self, line: bytes) -> Reply:
        """Read the reply that begins with *line*, and keep it if it is likely to come again."""
        reply = read_reply(self.stream.read_line, self._echoes, line)
        if len(self._known) < _KNOWN and _may_be_kept(line, reply):
            self._known[line] = reply
        return reply

    def __repr__(self) -> str:
        state = "open" if self.open else "closed"
        return f"<Dialogue {state}, {len(self._queued)} queued, {self._outstanding} outstanding>"


def _may_be_kept(line: bytes, reply: Reply) -> bool:
    """Whether a reply is one short line, and no secret was masked in it."""
    return len(line) <= _SHORT and len(reply.lines) == 1 and escape(line).endswith(reply.lines[0])
