"""How much is read of a message that anybody may have made."""

from __future__ import annotations

import re
from email.message import Message
from email.policy import Compat32
from email.policy import Policy

MAX_OCTETS = 16 << 20
"""What comes after is not read: it would keep a page waiting."""
MAX_LINES = 250_000
"""As many as an attachment in base64 of :data:`MAX_OCTETS` has."""
MAX_BOUNDARIES = 60
"""Each may open a level, and the time that reading takes grows with lines times levels."""
MAX_PARTS = 2_000
MAX_FIELDS = 20_000
"""Of the message and of all its parts."""
TOO_DEEP = "The parts are nested too deep, so only the header was read."
MAX_PARAMETERS = 200
"""Of a field: a file name of 255 characters of four octets each takes a quarter of them."""

# https://www.rfc-editor.org/rfc/rfc2231#section-3: boundary*0= is one too
_BOUNDARY = re.compile(rb"boundary[\s*0-9]*=")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")


def within_bounds(octets: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the octets as far as they can be read soon, and a sentence about each thing that is
    left out: they are cut, or only the header is there of what is nested too deep."""
    left_out = []
    found = octets[:MAX_OCTETS]
    if len(found) < len(octets):
        left_out.append(f"The message was read up to {MAX_OCTETS >> 20} MiB.")
    if (cut := _cut_at_line(found)) is not None:
        found = found[:cut]
        left_out = [f"The message was read up to its line {MAX_LINES}."]
    lower = found.lower()
    if lower.count(b"boundary") > MAX_BOUNDARIES < len(_BOUNDARY.findall(lower)):
        header = re.match(rb"(?:[^\r\n]+(?:\r\n|\n|\r))*", found)
        found = header[0] + b"\r\n" if header else b""
        left_out = [TOO_DEEP]
    return found, tuple(left_out)


def _cut_at_line(octets: bytes) -> int | None:
    """Where the lines are too many; None if they are not."""
    if octets.count(b"\n") + octets.count(b"\r") <= MAX_LINES:
        return None  # the usual answer, in a moment
    end = 0
    for number, line in enumerate(_LINE.finditer(octets)):
        if number == MAX_LINES:
            return end
        end = line.end()
    return None


class TooMuch(Exception):
    """Reading has ended before the message has."""


class Budget:
    """What may still be read of one message.

    :ivar message: As far as it has been read.
    :ivar left_out: Why no more was read.
    """

    def __init__(self) -> None:
        self.message: Message | None = None
        self.left_out: tuple[str, ...] = ()
        self._parts = MAX_PARTS
        self._fields = MAX_FIELDS

    def part(self, policy: Policy) -> Message:
        """Begin a part: the message itself, one of its parts, a message attached to it.

        :raises TooMuch: if it is one too many.
        """
        if not self._parts:
            self._end(f"The message was read up to its {MAX_PARTS}th part.")
        self._parts -= 1
        part: Message = Message(policy=policy)
        self.message = part if self.message is None else self.message
        return part

    def field(self) -> None:
        """Take a header field.

        :raises TooMuch: if it is one too many.
        """
        if not self._fields:
            self._end(f"The message was read up to its {MAX_FIELDS}th header field.")
        self._fields -= 1

    def _end(self, why: str) -> None:
        self.left_out = (why,)
        raise TooMuch


class FieldsWithinBounds(Compat32):
    """Header fields as :data:`email.policy.compat32` reads them, but ``Content-...`` without the
    parameters that are too many: the time that is taken to split them grows with the square of
    their number, and that is done several times for each part."""

    budget: Budget | None = None
    """What counts parts and fields; give its :meth:`Budget.part` as ``message_factory``, too."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Read a field."""
        if self.budget is not None:
            self.budget.field()
        name, value = super().header_source_parse(sourcelines)
        if name.lower().startswith("content-"):
            value = ";".join(value.split(";", MAX_PARAMETERS + 1)[: MAX_PARAMETERS + 1])
        return name, value
