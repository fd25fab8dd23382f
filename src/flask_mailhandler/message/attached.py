"""Attached messages: they are sent without a transfer encoding (RFC 2046 section 5.2)."""

from __future__ import annotations

from ..attachment import Attachment
from ..errors import MessageError
from ..text.lines import has_long_line

# https://www.rfc-editor.org/rfc/rfc2046#section-5.2.1 and RFC 6532: the subtypes that may have
# octets above 127. The other subtypes of message are ASCII.
_MAY_BE_8BIT = ("rfc822", "global", "global-headers")


def is_message(attachment: Attachment) -> bool:
    """Say whether the type of an attachment is message."""
    return attachment.mimetype[:8].lower() == "message/"


def as_sent(attachment: Attachment) -> bytes:
    """Return the octets of an attached message as they are sent.

    They are unchanged, except that each line ends with CRLF.

    :raises MessageError: with only the reason, if they cannot be sent like this.
    """
    data = attachment.data
    if isinstance(data, str):  # in text, CR and LF are both line ends
        data = data.replace("\r\n", "\n").replace("\r", "\n").encode()
    lines = data.replace(b"\r\n", b"\n")
    if b"\0" in data:
        raise MessageError("it has a NUL character")
    if b"\r" in lines or (b"\r" in data and lines.count(b"\n") != data.count(b"\r")):
        raise MessageError("it has a lone CR or LF, and other lines end with CRLF")
    if has_long_line(lines):
        raise MessageError("it has a line of more than 998 octets")
    subtype = attachment.mimetype[8:].partition(";")[0].strip().lower()
    if not lines.isascii() and subtype not in _MAY_BE_8BIT:
        raise MessageError("it has octets above 127, which its type does not allow")
    return lines.replace(b"\n", b"\r\n")


def check(attachment: Attachment, field: str) -> None:
    """Check that an attached message can be sent as it is.

    :raises MessageError: with the field and the attachment.
    """
    try:
        as_sent(attachment)
    except MessageError as error:
        raise MessageError(
            f"{field} has {attachment!r}, which cannot be sent as it is: {error}. Write"
            ' mimetype="application/octet-stream" to send it unchanged.'
        ) from None
