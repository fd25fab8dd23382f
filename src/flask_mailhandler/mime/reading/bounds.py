"""How much is read of a message from an unknown source."""

from __future__ import annotations

import re
from email.message import Message
from email.policy import Compat32
from email.policy import Policy

MAX_OCTETS = 16 << 20
"""Octets after these are not read, because a page would wait too long for them."""
MAX_LINES = 250_000
"""As many as a base64 attachment of :data:`MAX_OCTETS` has."""
MAX_BOUNDARIES = 60
"""Each may open a level, and the time to parse grows with lines times levels."""
MAX_PARTS = 2_000
MAX_FIELDS = 20_000
"""In the message and all its parts together."""
TOO_DEEP = "The parts are nested too deep, so only the header was read."
MAX_PARAMETERS = 200
"""In a field. A file name of 255 characters of four octets each takes a quarter of them."""

# https://www.rfc-editor.org/rfc/rfc2231#section-3: "boundary*0=" is a boundary too
_BOUNDARY = re.compile(rb"boundary[\s*0-9]*=")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)")


def within_bounds(octets: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Return the octets that are read, and a sentence about each thing that is left out.

    Octets and lines beyond the limits are cut off. If there are too many boundaries, only the
    header remains.
    """
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
    """Return where the line limit is reached; None if it is not."""
    if octets.count(b"\n") + octets.count(b"\r") <= MAX_LINES:
        return None  # the usual case, answered quickly
    end = 0
    for number, line in enumerate(_LINE.finditer(octets)):
        if number == MAX_LINES:
            return end
        end = line.end()
    return None


class TooMuch(Exception):
    """A limit was reached before the end of the message."""


class Budget:
    """How many parts and fields of one message may still be read.

    :ivar message: The message, as far as it has been read.
    :ivar left_out: Why the rest was not read.
    """

    def __init__(self) -> None:
        self.message: Message | None = None
        self.left_out: tuple[str, ...] = ()
        self._parts = MAX_PARTS
        self._fields = MAX_FIELDS

    def part(self, policy: Policy) -> Message:
        """Begin a part: the message itself, one of its parts, or a message attached to it.

        :raises TooMuch: if the limit is reached.
        """
        if not self._parts:
            self._end(f"The message was read up to its {MAX_PARTS}th part.")
        self._parts -= 1
        part: Message = Message(policy=policy)
        self.message = part if self.message is None else self.message
        return part

    def field(self) -> None:
        """Count a header field.

        :raises TooMuch: if the limit is reached.
        """
        if not self._fields:
            self._end(f"The message was read up to its {MAX_FIELDS}th header field.")
        self._fields -= 1

    def _end(self, why: str) -> None:
        self.left_out = (why,)
        raise TooMuch


class FieldsWithinBounds(Compat32):
    """Reads header fields as :data:`email.policy.compat32` does, but keeps only the first
    :data:`MAX_PARAMETERS` parameters of ``Content-...`` fields. The standard library splits them in
    time that grows with the square of their number, several times for each part."""

    budget: Budget | None = None
    """Counts parts and fields. Pass its :meth:`Budget.part` as ``message_factory`` too."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        """Read a field."""
        if self.budget is not None:
            self.budget.field()
        name, value = super().header_source_parse(sourcelines)
        if name.lower().startswith("content-"):
            value = ";".join(value.split(";", MAX_PARAMETERS + 1)[: MAX_PARAMETERS + 1])
        return name, value
