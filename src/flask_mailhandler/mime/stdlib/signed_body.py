"""Signed bodies, of which no octet may change (RFC 1847, RFC 6376).

The standard library's generator is not used for them, because it folds fields again and adds a
line end after a nested multipart. Only line ends are rewritten: a message in memory may have LF
where CRLF was signed.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from collections.abc import Sequence

from ...errors import MessageError
from ...text.lines import has_long_line
from ..header_block import header_block
from .header import verbatim
from .source import parts_of
from .source import read_fields

if t.TYPE_CHECKING:
    from email.message import Message


def unchanged(message: Message, built: bool) -> bytes:
    """Write the body of a message or a part as it is.

    :param built: Whether a program has built it. If so, it was signed with the line end that the
        standard library writes after the last delimiter of a multipart. A parsed message keeps
        the line end that it has, or none.
    :raises MessageError: with the reason, if it cannot be sent as it is.
    """
    body = b"".join(_body(message, built))
    if b"\0" in body:
        raise _refused("it has a NUL")
    if has_long_line(body):
        raise _refused("it has a line of more than 998 octets")
    return body


def octets(message: Message) -> bytes:
    """Return the payload of a part without parts, still in its transfer encoding."""
    # get_payload() would decode octets above 127, and replace those that the charset does not have.
    payload = t.cast(t.Any, message)._payload
    if payload is None or isinstance(payload, bytes):
        return payload or b""
    try:
        # A parsed payload has its octets above 127 as lone surrogates.
        return str(payload).encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        charset = message.get_content_charset()
    try:
        return str(payload).encode(charset or "ascii")
    except (LookupError, UnicodeError):
        raise MessageError(
            f"The message has a text that its charset {charset!r} cannot encode: write"
            " set_payload(text, 'utf-8'), or set_content(text)."
        ) from None


def _body(message: Message, built: bool) -> Iterator[bytes]:
    parts = parts_of(message)
    if parts is None:
        yield _crlf(octets(message))
    elif message.get_content_maintype() == "message":
        if len(parts) != 1 or message.get_content_type() == "message/delivery-status":
            raise _refused(f"it has a part {message.get_content_type()}")
        yield from _whole(parts[0], built)
    else:
        yield from _multipart(message, parts, built)


def _whole(part: Message, built: bool) -> Iterator[bytes]:
    yield header_block([verbatim(source, part.policy) for source in read_fields(part)])
    yield from _body(part, built)


def _multipart(message: Message, parts: Sequence[Message], built: bool) -> Iterator[bytes]:
    boundary = message.get_boundary()
    if boundary is None:
        raise _refused("it has no boundary")
    delimiter = b"--" + boundary.encode("ascii", "replace")
    if message.preamble is not None:
        yield _crlf(_octets_of(message.preamble)) + b"\r\n"
    for part in parts:
        yield delimiter + b"\r\n"
        yield from _whole(part, built)
        yield b"\r\n"
    yield delimiter + b"--"
    if built or message.epilogue is not None:
        yield b"\r\n" + _crlf(_octets_of(message.epilogue or ""))


def _octets_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _crlf(data: bytes) -> bytes:
    if b"\r" not in data:
        return data.replace(b"\n", b"\r\n")
    rest = data.replace(b"\r\n", b"")
    if b"\r" in rest or b"\n" in rest:
        raise _refused("it has a CR or LF alone among lines that end with CRLF")
    return data


def _refused(reason: str) -> MessageError:
    return MessageError(
        f"The message is signed and cannot be sent as it is: {reason}. Encode it to 7 bit in lines"
        " of up to 998 octets before you sign it."
    )
