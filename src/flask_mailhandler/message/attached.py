"""Messages that are attached: octets that no transfer encoding may hide (RFC 2046 section 5.2)."""

from __future__ import annotations

from ..attachment import Attachment
from ..errors import MessageError
from ..text.lines import has_long_line

# https://www.rfc-editor.org/rfc/rfc2046#section-5.2.1 and RFC 6532: those that may have octets
# above 127. The others of the type message are made of ASCII.
_MAY_BE_8BIT = ("rfc822", "global", "global-headers")


def is_message(attachment: Attachment) -> bool:
    """Whether it is of the type message."""
    return attachment.mimetype[:8].lower() == "message/"


def as_sent(attachment: Attachment) -> bytes:
    """Return the octets of an attached message as they are sent: its own, in lines that end with
    CRLF.

    :raises MessageError: with the reason alone, if they cannot be sent as they are.
    """
    data = attachment.data
    if isinstance(data, str):  # which has no octets yet, and whose line ends are only line ends
        data = data.replace("\r\n", "\n").replace("\r", "\n").encode()
    lines = data.replace(b"\r\n", b"\n")
    if b"\0" in data:
        raise MessageError("it has a NUL")
    if b"\r" in lines or (b"\r" in data and lines.count(b"\n") != data.count(b"\r")):
        raise MessageError("it has a CR or LF alone among lines that end with CRLF")
    if has_long_line(lines):
        raise MessageError("it has a line of more than 998 octets")
    subtype = attachment.mimetype[8:].partition(";")[0].strip().lower()
    if not lines.isascii() and subtype not in _MAY_BE_8BIT:
        raise MessageError("it has octets above 127, which its type does not allow")
    return lines.replace(b"\n", b"\r\n")


def check(attachment: Attachment, field: str) -> None:
    """Check that an attachment, if it is a message, can be sent as it is.

    :raises MessageError: naming the field and the attachment.
    """
    if not is_message(attachment):
        return
    try:
        as_sent(attachment)
    except MessageError as error:
        raise MessageError(
            f"{field} has {attachment!r}, which cannot be sent as it is: {error}. With"
            ' mimetype="application/octet-stream" it arrives as it is.'
        ) from None
