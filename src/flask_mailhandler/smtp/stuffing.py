"""Dots at the start of a line (RFC 5321 section 4.5.2)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

END = b".\r\n"
SMALL = 1 << 14
"""A content of at most so many octets goes in one write with its end. That saves a system call and
a wake-up of the server: 25 µs on one machine. A kernel takes as much at once."""
# Octets that are doubled at once.
_PIECE = 1 << 18


def stuffed_whole(content: bytes) -> bytes:
    """Return a small content as :func:`stuffed` yields it, with the end of data."""
    octets = content.replace(b"\r\n.", b"\r\n..")
    if octets.startswith(b"."):
        octets = b"." + octets
    return octets + (b"\r\n" + END if octets and not octets.endswith(b"\r\n") else END)


def stuffed(content: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the octets of *content* with each dot that begins a line doubled, and with a line end
    after the last line if it has none. A lone ``.`` CRLF then ends the data.

    :param content: CRLF lines, in pieces that may be cut anywhere.
    """
    tail = b"\r\n"
    for piece in content:
        for start in range(0, len(piece), _PIECE):
            # A line's dot and the line end before it may stand in different pieces.
            octets = tail + piece[start : start + _PIECE]
            yield octets.replace(b"\r\n.", b"\r\n..")[len(tail) :]
            tail = octets[-2:]
    if tail != b"\r\n":
        yield b"\r\n"
