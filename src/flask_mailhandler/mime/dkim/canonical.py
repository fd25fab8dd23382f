"""The relaxed form of a field and of a body, which is what is signed (RFC 6376 section 3.4)."""

from __future__ import annotations

import hashlib
import re

_FOLD = re.compile(rb"\r\n(?=[ \t])")
_SPACE = re.compile(rb"[ \t]+")
_WHITE = b" \t\r\n"
# Octets of a body that are worked on at a time.
_PIECE = 1 << 16
# A body that goes on with so much white space is rare: its white space is then counted.
_LONG = 1 << 12


def relaxed_field(field: bytes) -> bytes:
    """Return a field in its relaxed form (section 3.4.2), without the CRLF at its end."""
    name, _, value = field.partition(b":")
    value = value.strip(_WHITE)
    if b"\r\n" in value or b"  " in value or b"\t" in value:  # few fields have one
        value = _SPACE.sub(b" ", _FOLD.sub(b"", value))
    return name.strip(b" \t").lower() + b":" + value


class RelaxedBody:
    """Hashes the relaxed form of a body (section 3.4.4), whose octets come in pieces.

    White space at the end of what has come is kept back: what follows decides whether it is the
    end of a line or of the body. A long run of empty lines is only counted, so that it takes no
    memory.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._lines = 0
        """The line ends that were kept back before :attr:`_kept`."""
        self._kept = b""
        """The white space that was kept back."""
        self._is_empty = True

    def update(self, octets: bytes, start: int = 0) -> None:
        """Take the next piece, from the octet *start*."""
        for begin in range(start, len(octets), _PIECE):
            self._take(octets[begin : begin + _PIECE])

    def digest(self) -> bytes:
        """Return the SHA-256 of the whole. Empty lines at the end do not count, and a body that has
        any other octet ends with a line end."""
        self._count_lines()
        if rest := self._kept.rstrip(b" "):  # a CR or LF outside of a line end
            self._write(rest)
        if not self._is_empty:
            self._hash.update(b"\r\n")
        return self._hash.digest()

    def _take(self, octets: bytes) -> None:
        found = self._kept + octets
        text = found.rstrip(_WHITE)
        self._kept = found[len(text) :]
        if text:
            self._write(text)
        if len(self._kept) > _LONG:
            self._count_lines()

    def _write(self, text: bytes) -> None:
        """Hash octets, the last of which is not white space."""
        while self._lines:
            number = min(self._lines, _LONG)
            self._hash.update(b"\r\n" * number)
            self._lines -= number
        self._hash.update(_relaxed(text))
        self._is_empty = False

    def _count_lines(self) -> None:
        """Count the line ends that are kept back, instead of keeping them."""
        *lines, last = _relaxed(self._kept).split(b"\r\n")
        # A CR or LF outside of a line end counts as text. Our own contents have none.
        text = next((number for number in range(len(lines), 0, -1) if lines[number - 1]), 0)
        if text:
            self._write(b"\r\n".join(lines[:text]))
            text -= 1  # the end of its last line is still kept back
        self._lines += len(lines) - text
        self._kept = last


def _relaxed(octets: bytes) -> bytes:
    """Reduce white space to one space, and remove it at the end of lines."""
    # Each replace() runs in C and takes linear time. The pattern "[ \t]+\r\n" would take quadratic
    # time in a long run of spaces, and 30 times as long in ordinary text.
    if b"\t" in octets:
        octets = octets.replace(b"\t", b" ")
    if b" " not in octets:
        return octets
    while b"  " in octets:
        octets = octets.replace(b"  ", b" ")
    return octets.replace(b" \r\n", b"\r\n")
