"""A server's reply, strictly read (RFC 5321 section 4.2)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from ..frozen import Frozen
from ..net.masking import Echoes
from ..net.quoting import escape
from ..phase import Phase
from ..phase import State
from ..text.late_pattern import late_pattern
from .stream import ProtocolError

# https://www.rfc-editor.org/rfc/rfc5321#section-4.2: three digits, then a hyphen on all lines
# except the last, or a space and text, or nothing. int() would also take b"+25" and b"2_0".
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?\Z", re.S)
# https://www.rfc-editor.org/rfc/rfc3463#section-2
_ENHANCED = late_pattern(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})(?: |\Z)")
MAX_REPLY = 1 << 16
# The most characters of a server's text in errors and reports.
_SHOWN = 500


class Reply(Frozen):
    """A reply of one line or several."""

    code: int
    enhanced_code: str | None
    lines: tuple[str, ...]
    """The text of each line without codes, control characters escaped."""
    text: str = dataclasses.field(init=False, compare=False, repr=False)
    """The text in one line, shortened for display."""

    def __init__(self, code: int, enhanced_code: str | None, lines: tuple[str, ...]) -> None:
        put = object.__setattr__
        put(self, "code", code)
        put(self, "enhanced_code", enhanced_code)
        put(self, "lines", lines)
        text = " ".join(filter(None, lines))
        put(self, "text", text if len(text) <= _SHOWN else _cut(text))

    @property
    def state(self) -> State:
        """The outcome that the reply means, if it is 2yz, 4yz or 5yz."""
        return {2: State.ACCEPTED, 4: State.DEFERRED, 5: State.REFUSED}[self.code // 100]

    def failure(self, phase: Phase, in_doubt: bool) -> State:
        """Return what the reply means for the recipients that a phase is about, if it accepts none.
        After the end of data only 421, 4yz and 5yz are a refusal: a server that replies 221 may
        have the message.

        :param in_doubt: Whether the server may have the whole content.
        :raises ProtocolError: if the reply does not belong there.
        """
        if self.code == 421 or (self.closing and not in_doubt):
            return State.DEFERRED
        if self.code // 100 not in (4, 5):
            raise ProtocolError(f"the server answered {phase} with {self}")
        return State.DEFERRED if phase is Phase.RCPT and self.too_many else self.state

    @property
    def closing(self) -> bool:
        """Whether the server ends the session: 421, or 221 without QUIT."""
        return self.code in (421, 221)

    @property
    def idle(self) -> bool:
        """Whether the server gives up on an idle connection: 421, or SES's 451 4.4.2."""
        return self.code == 421 or (self.code // 100 == 4 and self.enhanced_code == "4.4.2")

    @property
    def full(self) -> bool:
        """Whether a reply to MAIL says that the connection has taken enough messages: OpenSMTPD
        says 452 4.5.3, which is about recipients."""
        return self.enhanced_code == "4.5.3"

    @property
    def too_many(self) -> bool:
        """Whether a reply to RCPT says that the transaction holds enough recipients: 452 without
        a code, 4.5.3 (OpenSMTPD's is 451), and 552 5.5.3, which RFC 5321 section 4.5.3.1.10 takes
        for it."""
        if self.enhanced_code is None:
            return self.code == 452
        return self.enhanced_code == "4.5.3" or (self.code == 552 and self.enhanced_code == "5.5.3")

    def __str__(self) -> str:
        return " ".join(filter(None, (str(self.code), self.enhanced_code, self.text)))


def read_reply(
    read_line: Callable[[], bytes], echoes: Echoes | None = None, first: bytes | None = None
) -> Reply:
    """Read one reply.

    :param read_line: Returns the next line without its line end.
    :param first: The first line, if it has been read.
    :param echoes: Secrets to mask, which the server may repeat.
    :raises ProtocolError: for anything that is not a reply.
    :raises StreamError: as *read_line* does.
    """
    code = b""
    texts: list[str] = []
    echoes = echoes or Echoes()
    size = 0
    while True:
        line, first = read_line() if first is None else first, None
        size += len(line) + 2
        found = _LINE.match(line)
        if not found:
            # A secret may have begun in the lines before.
            said = _cut(echoes.hide([*texts, escape(line)])[-1])
            raise ProtocolError(f"the server said '{said}', which is not an SMTP reply")
        if code and found[1] != code:
            raise ProtocolError(
                f"the server changed from {escape(code)} to {escape(found[1])} within a reply"
            )
        if size > MAX_REPLY:
            raise ProtocolError(f"the server's reply is longer than {MAX_REPLY} octets")
        code = found[1]
        texts.append(escape(found[3] or b""))
        if found[2] != b"-":
            return _reply(int(code), echoes.hide(texts))


def _reply(code: int, texts: list[str]) -> Reply:
    found = _ENHANCED.match(texts[-1]) or _ENHANCED.match(texts[0])
    # An enhanced code whose class is not the reply's would contradict it.
    if not found or int(found[1]) != code // 100:
        return Reply(code, None, tuple(texts))
    enhanced = found[0].strip()
    lines = tuple(text.removeprefix(enhanced).lstrip() for text in texts)
    return Reply(code, enhanced, lines)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
