"""The parts of a notification, within bounds.

The standard library's parser is not used for the parts: it loses the fields of an encoded
``message/delivery-status``, does not know ``message/global-delivery-status``, and reads a returned
message of 25 MB whole.
"""

from __future__ import annotations

import binascii
import dataclasses
import email.parser
import itertools
import re
from collections.abc import Iterator
from email.message import Message as MIMEMessage

from ..mime.reading.bounds import FieldsWithinBounds
from ..mime.reading.parse import attempt
from ..text.charset import text_of

MAX_OCTETS = 1 << 20
"""Octets after these are not read. The returned message stands last."""
MAX_PARTS = 100
"""A multipart counts too."""
_MAX_HEADER = 1 << 17
# https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1: 70 is the longest that is allowed.
_MAX_BOUNDARY = 1_000

_HEADER_END = re.compile(rb"^\n", re.M)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part that is not a multipart. A message in it is not opened."""

    media_type: str
    header: MIMEMessage
    octets: bytes
    """The body as it was sent, with lines that end in LF."""

    @property
    def decoded(self) -> bytes:
        """The body without its transfer encoding."""
        encoding = field(self.header, "Content-Transfer-Encoding").lower()
        if encoding == "base64":
            return attempt(lambda: binascii.a2b_base64(self.octets), self.octets)
        if encoding == "quoted-printable":
            return binascii.a2b_qp(self.octets)
        return self.octets

    @property
    def text(self) -> str:
        """The body as text."""
        charset = attempt(lambda: str(self.header.get_content_charset("utf-8")), "utf-8")
        octets = self.decoded
        try:
            return text_of(octets, charset)
        except (LookupError, ValueError):
            return octets.decode("utf-8", "replace")


def parts_of(octets: bytes) -> tuple[MIMEMessage, list[Part]]:
    """Return the header of a message, and its parts in their order."""
    waiting = [_with_lf(octets)]  # the next part is the last one
    top: MIMEMessage | None = None
    parts: list[Part] = []
    for _ in range(MAX_PARTS):
        if not waiting:
            break
        header, body = _split(waiting.pop())
        top = header if top is None else top
        media_type = attempt(header.get_content_type, "text/plain")
        boundary = attempt(header.get_boundary, None)
        if media_type.startswith("multipart/") and 0 < len(boundary or "") <= _MAX_BOUNDARY:
            line = str(boundary).encode("utf-8", "surrogateescape")
            waiting += reversed([*itertools.islice(_between(line, body), MAX_PARTS)])
        else:
            parts.append(Part(media_type, header, body))
    assert top is not None
    return top, parts


def header_text(octets: bytes) -> str:
    """Return the header of a message as it is written, to search all of its fields at once."""
    return _cut(_with_lf(octets))[0].decode("latin-1")


def _with_lf(octets: bytes) -> bytes:
    """Return what is read of a message, with lines that end in LF."""
    octets = octets[:MAX_OCTETS].replace(b"\r\n", b"\n")
    if b"\n" not in octets:
        octets = octets.replace(b"\r", b"\n")
    if octets.startswith(b"From "):  # of a mbox, or of a server's pipe
        octets = octets.partition(b"\n")[2]
    return octets


def field(header: MIMEMessage, name: str) -> str:
    """Return the first field of this name as one line, or ""."""
    return next(values_of(header, name), "")


def values_of(header: MIMEMessage, name: str) -> Iterator[str]:
    """Yield each field of this name as one line, with its UTF-8 decoded."""
    wanted = name.lower()
    # Raw, because get_all() replaces what is not ASCII.
    for key, value in header.raw_items():
        if key.lower() == wanted:
            octets = str(value).encode("utf-8", "surrogateescape")
            yield " ".join(octets.decode("utf-8", "replace").split())


def read_header(octets: bytes) -> MIMEMessage:
    """Read header fields, for example those of a returned message."""
    return _split(octets)[0]


def _split(octets: bytes) -> tuple[MIMEMessage, bytes]:
    header, body = _cut(octets)
    parser = email.parser.BytesHeaderParser(policy=FieldsWithinBounds())
    return attempt(lambda: parser.parsebytes(header), MIMEMessage()), body


def _cut(octets: bytes) -> tuple[bytes, bytes]:
    end = _HEADER_END.search(octets)
    header = octets[: end.start() if end else len(octets)][:_MAX_HEADER]
    return header, octets[end.end() :] if end else b""


def _between(boundary: bytes, body: bytes) -> Iterator[bytes]:
    """Yield what stands between the lines of a boundary (RFC 2046 section 5.1.1)."""
    line = re.compile(rb"^--" + re.escape(boundary) + rb"(--)?[ \t]*(?:\n|\Z)", re.M)
    begin = None
    for match in line.finditer(body):
        if begin is not None:
            yield body[begin : match.start()]
        if match[1]:
            return
        begin = match.end()
    if begin is not None:
        yield body[begin:]
