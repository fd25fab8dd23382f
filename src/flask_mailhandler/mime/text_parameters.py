"""The parameters of a text attachment, found in its octets: charset and method."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

from ..attachment import Attachment
from ..attachment import Streamed
from ..errors import MessageError
from ..text.late_pattern import late_pattern

# https://www.rfc-editor.org/rfc/rfc5545#section-3.7.2: a property of the calendar, which comes
# before its components. A line that begins with white space continues another.
_METHOD = late_pattern(rb"^METHOD(?:;[^:\r\n]*)?:[ \t]*([A-Za-z0-9-]+)[ \t]*\r?$", re.M | re.I)
_HEAD = 1 << 16


def fill_in(attachment: Attachment, subtype: str, parameters: dict[str, str]) -> None:
    """Add the parameters that a reader needs, if they are missing: ``charset=utf-8`` for octets
    that are UTF-8 (RFC 6657 section 4: without it they are ASCII), and the ``method`` of a
    calendar (RFC 6047 section 2.4: without it readers show no buttons).

    A file that cannot be read now raises an error when it is sent.
    """
    source = attachment.source
    try:
        if not isinstance(source, str) and "charset" not in parameters:
            pieces = source.read() if isinstance(source, Streamed) else [source]
            parameters.update({"charset": "utf-8"} if _is_utf8(pieces) else {})
        if subtype == "calendar" and "method" not in parameters:
            found = _METHOD.search(_head(source))
            parameters.update({"method": found[1].decode().upper()} if found else {})
    except MessageError:
        pass


def _head(source: bytes | str | Streamed) -> bytes:
    if isinstance(source, Streamed):
        return next(source.read(_HEAD), b"")
    return source[:_HEAD].encode() if isinstance(source, str) else source[:_HEAD]


def _is_utf8(pieces: Iterable[bytes]) -> bool:
    """Return whether octets are UTF-8 and not all ASCII."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    is_ascii = True
    try:
        for piece in pieces:
            is_ascii = is_ascii and piece.isascii()
            if not is_ascii:
                decode(piece)
        decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return not is_ascii
