"""Transfer encodings: any octets as 7-bit lines (RFC 2045 section 6).

All results end with CRLF. In base64 it ends the last line. In text it is added, and belongs to the
delimiter or the end of the message that follows.
"""

from __future__ import annotations

import binascii
import functools
import re
import struct
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ..text.late_pattern import late_pattern
from ..text.lines import has_long_line
from ..text.lines import MUST

if t.TYPE_CHECKING:
    from ..attachment import Streamed

# Octets that a line of a text may have without encoding: printable ASCII, TAB.
_PLAIN = bytes([9, *range(32, 127)])
# The beginning of our delimiters, see part.Boundaries.
DELIMITER = b"--=_"

# 512 lines of 57 octets, 76 in base64.
_STEP = 512 * 57


@functools.lru_cache(maxsize=16)  # for 40 lines, 0.7 µs less
def _split(lines: int) -> struct.Struct:
    return struct.Struct("76s" * lines)


# The escapes of octets in UTF-8 or any other charset, and those of Latin-1 if they stand for UTF-8.
_ESCAPES = [b"=%02X" % octet for octet in range(256)]
_CONTINUED = _ESCAPES[0x80:0xC0]
_FROM_LATIN1 = [
    *_ESCAPES[:0x80],
    *[b"=C2" + escape for escape in _CONTINUED],
    *[b"=C3" + escape for escape in _CONTINUED],
]
_LARGE = 1024
_ASCII = bytes(range(128))


def encode_text(text: str) -> tuple[str, bytes]:
    """Choose the encoding of a text and apply it, in UTF-8.

    :param text: The text, in lines that end with LF.
    :returns: The encoding and the octets: ``7bit`` for ASCII in short lines, else
        ``quoted-printable`` or ``base64``, whichever is shorter.
    """
    data, escapes = _in_octets(text)
    rest = data.translate(None, _PLAIN)
    odd = len(rest) - rest.count(b"\n")
    if odd or (len(data) > MUST and has_long_line(data)) or _has_risky_line(data):
        return _encode(data, rest, escapes)
    return "7bit", data.replace(b"\n", b"\r\n") + b"\r\n"


def _in_octets(text: str) -> tuple[bytes, list[bytes]]:
    """Return a text as octets, and how each of them is escaped."""
    if len(text) <= _LARGE:
        return text.encode(), _ESCAPES
    try:
        # In 50 kB of German, Latin-1 takes 2 µs and has 1500 octets to escape. UTF-8 takes 35 µs,
        # and has 3000.
        return text.encode("latin-1"), _FROM_LATIN1
    except UnicodeEncodeError:
        return text.encode(), _ESCAPES


def encode_safely(data: bytes) -> tuple[str, bytes]:
    """Encode a text so that no relay has a reason to change it.

    :param data: The text, in lines that end with LF.
    """
    return _encode(data, data.translate(None, _PLAIN), _ESCAPES)


_RISKY = late_pattern(rb"\n(?:From |" + re.escape(DELIMITER) + rb")")


def _has_risky_line(data: bytes) -> bool:
    """Return whether a line begins like a delimiter, or with "From ", which separates messages in
    mbox files: some relays change it to ">From "."""
    return data.startswith((b"From ", DELIMITER)) or _RISKY.search(data) is not None


def _encode(data: bytes, rest: bytes, escapes: list[bytes]) -> tuple[str, bytes]:
    """Write a text in quoted-printable or base64, whichever is shorter.

    :param rest: What is not plain: line ends, and the octets that quoted-printable escapes.
    :param escapes: How each octet is escaped.
    """
    is_latin1 = escapes is _FROM_LATIN1
    ends = rest.count(b"\n")
    twice = len(rest.translate(None, _ASCII)) if is_latin1 else 0  # they are two octets in UTF-8
    size = len(data) + ends + twice
    base64_size = base64_length(size)
    if size + 2 * (len(rest) - ends + twice) + 2 <= base64_size:
        quoted = quoted_printable(data, rest, escapes)
        if len(quoted) <= base64_size:
            return "quoted-printable", quoted
    if is_latin1:
        data = data.decode("latin-1").encode()
    return "base64", in_base64(data.replace(b"\n", b"\r\n"))


_NOT_LF = bytes([*range(10), *range(11, 256)])
# https://www.rfc-editor.org/rfc/rfc2045#section-6.7 (5): 76 characters at most, with the "=" of a
# line that goes on. A piece of a line ends before an escape such as "=C3", or after it.
_LONGEST = 76
_PIECE = _LONGEST - len("=")
_EQUALS = ord("=")
_PIECES = late_pattern(rb".{1,73}[^=]{0,2}", re.S)
_BREAK = b"=\r\n"
# White space at the end of a line, and what some relays change at the start.
_CHANGED = late_pattern(rb"\n(?:(?<=[ \t]\r\n)|From |\.\r)")


def quoted_printable(
    data: bytes, rest: bytes | None = None, escapes: list[bytes] = _ESCAPES
) -> bytes:
    """Write a text in quoted-printable.

    For a text of 50 kB, ``binascii.b2a_qp`` takes 400 µs, and to search its lines for what some
    relays change takes 600 µs. These steps take 300 µs: each is one call for the whole text.

    :param data: The text, in lines that end with LF.
    :param rest: The text without its plain octets, if it is known.
    :param escapes: How each octet is escaped.
    """
    if rest is None:
        rest = data.translate(None, _PLAIN)
    data = data.replace(b"=", b"=3D") + b"\n"
    # Each octet of the rest once: all octets without those that it does not have.
    for octet in _NOT_LF.translate(None, _NOT_LF.translate(None, rest)):
        data = data.replace(octet.to_bytes(), escapes[octet])
    quoted = _in_short_lines(data.split(b"\n"), _PIECE)
    # One search for all that few texts have: 10 µs less in 50 kB.
    if quoted.startswith((b"From ", b".\r\n")) or _CHANGED.search(quoted):
        data = data.replace(b" \n", b"=20\n").replace(b"\t\n", b"=09\n")
        return _escaped_at_start(_in_short_lines(data.split(b"\n"), _PIECE))
    return quoted


def _in_short_lines(lines: list[bytes], longest: int) -> bytes:
    """Join lines, and break those that are longer than *longest*."""
    pieces_of = _PIECES.findall
    # Most long lines need one break, and have no escape there. Slices take 0.12 µs less than the
    # pattern, which is 70 µs in 50 kB.
    return b"\r\n".join(
        [
            line
            if (length := len(line)) <= longest
            else line[:_PIECE] + _BREAK + line[_PIECE:]
            if length <= 2 * _PIECE and line[_PIECE - 2] != _EQUALS != line[_PIECE - 1]
            else _BREAK.join(pieces_of(line))
            for line in lines
        ]
    )


def _escaped_at_start(quoted: bytes) -> bytes:
    """Escape the first character of a line that begins with "From ", and of a line of one dot,
    which may end the message on its way."""
    for risky, safe in ((b"\nFrom ", b"\n=46rom "), (b"\n.\r", b"\n=2E\r")):
        quoted = (b"\n" + quoted).replace(risky, safe)[1:]
    return _in_short_lines(quoted.split(b"\r\n"), _LONGEST)


def base64_length(size: int) -> int:
    """Return how many octets :func:`base64_lines` makes from *size* octets."""
    encoded = (size + 2) // 3 * 4
    return encoded + 2 * ((encoded + 75) // 76) if size else 2


def in_base64(data: bytes | memoryview) -> bytes:
    """Write octets as lines of base64."""
    encoded = binascii.b2a_base64(data, newline=False)
    whole = len(encoded) // 76
    # A struct splits 40 lines in 0.8 µs. Slices take 4.8 µs.
    lines = _split(whole).unpack_from(encoded)
    last = encoded[76 * whole :]
    return b"\r\n".join((*lines, last, b"") if last or not lines else (*lines, b""))


def base64_lines(data: bytes | Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines of base64, many at once.

    :param data: All octets, or pieces of :data:`_STEP` octets.
    """
    empty = True
    for piece in _pieces(data) if isinstance(data, bytes) else data:
        empty = False
        yield in_base64(piece)
    if empty:
        yield b"\r\n"


def _pieces(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    # A piece takes five times its size. For small files that would be much, if there are many.
    step = _STEP if len(data) > _STEP * 8 else _STEP // 8
    for start in range(0, len(data), step):
        yield view[start : start + step]


class Base64:
    """A piece of a content: octets or a file, encoded while it is read."""

    __slots__ = ("_source", "size")

    def __init__(self, source: bytes | Streamed) -> None:
        self._source = source
        self.size: int = base64_length(len(source) if isinstance(source, bytes) else source.size)

    def __iter__(self) -> Iterator[bytes]:
        source = self._source
        return base64_lines(source if isinstance(source, bytes) else source.read(_STEP))
