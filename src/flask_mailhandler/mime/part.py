"""The parts of a message: what one consists of, and how several become one."""

from __future__ import annotations

import hashlib
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

from ..content import Piece
from .header_block import header_block

EIGHTBIT = "8bit"
_IN_8BIT = f"Content-Transfer-Encoding: {EIGHTBIT}"


class Part(t.NamedTuple):
    """An entity of RFC 2045: the fields that describe it, and its body ending with CRLF.

    :param block: The fields as a header block, where that is known already.
    """

    fields: tuple[str, ...]
    body: Sequence[bytes | Piece]
    block: bytes = b""

    @property
    def eightbit(self) -> bool:
        """Whether octets above 127 are in it."""
        return _IN_8BIT in self.fields


class Boundaries:
    """Boundaries for the multiparts of one message, which follow from its Message-ID, so that
    the same message is the same octets.

    ``=_`` cannot occur in quoted-printable, nor in base64, and text with a line that begins like
    a delimiter is sent in one of them. Only a message that is attached must stay as it is, and
    is looked at.

    :param seed: What they follow from.
    :param verbatim: Octets that may not contain a delimiter.
    """

    def __init__(self, seed: bytes, verbatim: Iterable[bytes] = ()) -> None:
        stem = _stem(seed)
        while any(f"--{stem}".encode() in octets for octets in verbatim):
            seed += b"+"
            stem = _stem(seed)
        self._stem = stem
        self._made = 0

    def next(self) -> str:
        self._made += 1
        # All of one length, so that none is the beginning of another.
        return f"{self._stem}_{self._made:02}"


def _stem(seed: bytes) -> str:
    # https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1: 70 characters at most
    return "=_" + hashlib.sha256(seed).hexdigest()[:32]


def multipart(
    subtype: str, parts: Sequence[Part], boundaries: Boundaries, parameter: str = ""
) -> Part:
    """Put parts into a multipart; one alone needs none (RFC 2046 section 5.1).

    :param parameter: ``type="text/html"``, of multipart/related.
    """
    if len(parts) == 1:
        return parts[0]
    boundary = boundaries.next()
    delimiter = f"--{boundary}\r\n".encode()
    body: list[bytes | Piece] = []
    for part in parts:
        body += (delimiter, part.block or header_block(part.fields), *part.body)
        if part.fields[0].startswith("Content-Type: multipart/"):
            # The line end behind its last delimiter is its own, and this one that of the next. The
            # standard library writes both, so the message stays as it is when that writes it.
            body.append(b"\r\n")
    body.append(f"--{boundary}--\r\n".encode())
    more = f" {parameter};" if parameter else ""
    field = f'Content-Type: multipart/{subtype};{more}\r\n boundary="{boundary}"'
    # https://www.rfc-editor.org/rfc/rfc2045#section-6.4
    eightbit = any(part.eightbit for part in parts)
    return Part((field, _IN_8BIT) if eightbit else (field,), body)
