"""Transfer encodings: any octets as 7-bit lines (RFC 2045 section 6).

All results end with CRLF. In base64 it ends the last line. In text it is added, and belongs to the
delimiter or the end of the message that follows.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Iterable
from collections.abc import Iterator

from ..attachment import Streamed
from ..text.lines import has_long_line
from ..text.lines import MUST

# Octets that a text may have without encoding: printable ASCII, TAB, LF.
_PLAIN = bytes([9, 10, *range(32, 127)])
# The beginning of our delimiters, see part.Boundaries.
DELIMITER = b"--=_"

# 512 lines of 57 octets, 76 in base64.
_LINES = 512
_STEP = _LINES * 57
_SPLIT = struct.Struct("76s" * _LINES)


def encode_text(data: bytes) -> tuple[str, bytes]:
    """Choose the encoding of a text and apply it.

    :param data: The text, in lines that end with LF.
    :returns: The encoding and the octets: ``7bit`` for ASCII in short lines, else
        ``quoted-printable`` or ``base64``, whichever is shorter.
    """
    odd = len(data.translate(None, _PLAIN))
    long = len(data) > MUST and has_long_line(data)
    if not odd and not long and not _has_risky_line(data):
        return "7bit", data.replace(b"\n", b"\r\n") + b"\r\n"
    return encode_safely(data.replace(b"\n", b"\r\n"), odd)


def encode_safely(data: bytes, odd: int | None = None) -> tuple[str, bytes]:
    """Encode a text so that no relay has a reason to change it.

    :param data: The text, in lines that end with CRLF.
    :param odd: The number of octets that quoted-printable must escape, if known.
    """
    if odd is None:
        odd = len(data.translate(None, _PLAIN)) - data.count(b"\r\n")
    base64_size = base64_length(len(data))
    if len(data) + 2 * odd + 2 <= base64_size:
        quoted = quoted_printable(data)
        if len(quoted) <= base64_size:
            return "quoted-printable", quoted
    return "base64", b"".join(base64_lines(data))


_RISKY = re.compile(rb"\n(?:From |" + re.escape(DELIMITER) + rb")")


def _has_risky_line(data: bytes) -> bool:
    """Return whether a line begins like a delimiter, or with "From ", which separates messages in
    mbox files: some relays change it to ">From "."""
    return data.startswith((b"From ", DELIMITER)) or _RISKY.search(data) is not None


# https://www.rfc-editor.org/rfc/rfc2045#section-6.7 (5): 76 characters at most
_TOO_LONG = re.compile(rb"^(?=[^\r\n]{77})([^\r\n]{70,72})(?<!=)(?<!=[0-9A-F])", re.M)


def quoted_printable(data: bytes) -> bytes:
    """Write a text in quoted-printable. Its lines end with CRLF."""
    # The last CRLF also tells the standard library which line end to use.
    quoted = binascii.b2a_qp(data + b"\r\n", istext=True)
    if quoted.startswith(b"From "):
        quoted = b"=46" + quoted[1:]
    quoted = quoted.replace(b"\nFrom ", b"\n=46rom ")
    # A line may become too long when the F is escaped, or when the standard library escapes a space
    # at its end.
    return _TOO_LONG.sub(rb"\1=\r\n", quoted)


def base64_length(size: int) -> int:
    """Return how many octets :func:`base64_lines` makes from *size* octets."""
    encoded = (size + 2) // 3 * 4
    return encoded + 2 * ((encoded + 75) // 76) if size else 2


def base64_lines(data: bytes | Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines of base64, many at once.

    :param data: All octets, or pieces of :data:`_STEP` octets.
    """
    empty = True
    for piece in _pieces(data) if isinstance(data, bytes) else data:
        empty = False
        encoded = binascii.b2a_base64(piece, newline=False)
        if len(piece) == _STEP:
            yield b"\r\n".join((*_SPLIT.unpack(encoded), b""))
        else:
            lines = [encoded[start : start + 76] for start in range(0, len(encoded), 76)]
            yield b"\r\n".join((*lines, b""))
    if empty:
        yield b"\r\n"


def _pieces(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    for start in range(0, len(data), _STEP):
        yield view[start : start + _STEP]


class Base64:
    """A piece of a content: octets or a file, encoded while it is read."""

    __slots__ = ("_source", "size")

    def __init__(self, source: bytes | Streamed) -> None:
        self._source = source
        self.size: int = base64_length(source.size if isinstance(source, Streamed) else len(source))

    def __iter__(self) -> Iterator[bytes]:
        source = self._source
        return base64_lines(source.read(_STEP) if isinstance(source, Streamed) else source)
