"""The parts that hold something: a text, or an attachment."""

from __future__ import annotations

from collections.abc import Iterator

from ..attachment import Attachment
from ..attachment import File
from ..attachment import parse_mimetype
from ..content import Piece
from ..errors import MessageError
from .guard import header_block
from .parameters import with_parameters
from .part import Part
from .transfer import Base64
from .transfer import base64_lines
from .transfer import encode_safely
from .transfer import encode_text
from .transfer import has_long_line

# Up to here octets are encoded when the message is rendered, beyond while it is sent.
_AT_ONCE = 1 << 16


def _text_prototypes() -> Iterator[tuple[tuple[str, str, str], Part]]:
    for subtype in ("plain", "html"):
        for charset in ("us-ascii", "utf-8"):
            for encoding in ("7bit", "quoted-printable", "base64"):
                fields = (
                    f"Content-Type: text/{subtype}; charset={charset}",
                    f"Content-Transfer-Encoding: {encoding}",
                )
                yield (subtype, charset, encoding), Part(fields, (), header_block(fields))


# The few headers that a text can have.
_TEXTS = dict(_text_prototypes())


def text_part(text: str, subtype: str) -> Part:
    """Write the text, or the HTML, of a message."""
    data = text.encode()
    encoding, body = encode_text(data)
    charset = "us-ascii" if len(data) == len(text) else "utf-8"
    fields, _, block = _TEXTS[subtype, charset, encoding]
    return Part(fields, (body,), block)


def attachment_part(attachment: Attachment, disposition: str | None) -> Part:
    """Write an attachment.

    :param disposition: ``attachment``, ``inline``, or None for another form of the text.
    :raises MessageError: if it is a ``message/...`` that cannot be sent as it is.
    """
    maintype, subtype, given = parse_mimetype(attachment.mimetype)
    parameters = dict(given)
    encoding, body = _encode(attachment, maintype, subtype, parameters)
    fields = [
        with_parameters("Content-Type", f"{maintype}/{subtype}", parameters.items()),
        f"Content-Transfer-Encoding: {encoding}",
    ]
    if disposition or attachment.filename:
        # The file's name is here only. As "name" of the Content-Type it could be told to very
        # old readers alone, and if it is not ASCII in no way that RFC 2047 allows.
        named = [("filename", attachment.filename)] if attachment.filename else []
        fields.append(with_parameters("Content-Disposition", disposition or "inline", named))
    if disposition == "inline" or attachment.given_cid:
        # https://www.rfc-editor.org/rfc/rfc2392
        fields.append(f"Content-ID: <{attachment.cid}>")
    return Part(tuple(fields), body)


def _encode(
    attachment: Attachment, maintype: str, subtype: str, parameters: dict[str, str]
) -> tuple[str, tuple[bytes | Piece, ...]]:
    source = attachment.source
    if maintype == "message":
        return "7bit", (_message(attachment, subtype),)
    if isinstance(source, str):
        if maintype == "text":
            encoding, encoded = _encode_text(source, parameters)
            return encoding, (encoded,)
        # Text of another kind, such as JSON, is octets with line ends of its own.
        source = source.encode(parameters.get("charset", "utf-8"))
    if isinstance(source, File) or len(source) > _AT_ONCE:
        return "base64", (Base64(source),)
    return "base64", (b"".join(base64_lines(source)),)


def _encode_text(text: str, parameters: dict[str, str]) -> tuple[str, bytes]:
    # https://www.rfc-editor.org/rfc/rfc2046#section-4.1.1: lines of text/* end with CRLF
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    charset = parameters.setdefault("charset", "us-ascii" if text.isascii() else "utf-8").lower()
    data = lines.encode(charset)
    if charset in ("us-ascii", "utf-8"):
        return encode_safely(data)
    # In another charset an octet may look like a line end and be none.
    return "base64", b"".join(base64_lines(data))


def _message(attachment: Attachment, subtype: str) -> bytes:
    """Write a message in a message. It must not be encoded as a whole (RFC 2046 section 5.2),
    so its parts are, if they need it."""
    source = attachment.data
    data = source.encode() if isinstance(source, str) else source
    lines = data.replace(b"\r\n", b"\n")
    if lines.isascii() and not lines.translate(None, _SEVEN_BIT) and not has_long_line(lines):
        return lines.replace(b"\n", b"\r\n") + b"\r\n"
    if subtype == "rfc822":
        from .foreign import seven_bit

        return seven_bit(data) + b"\r\n"
    raise MessageError(
        f"The attachment {attachment!r} must be ASCII in lines of up to 998 octets"
        " (RFC 2046 section 5.2)."
    )


# All of ASCII but NUL and, since CRLF is taken out before, CR.
_SEVEN_BIT = bytes(octet for octet in range(1, 128) if octet != 13)
