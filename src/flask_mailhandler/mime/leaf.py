"""An attachment as a part."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterable

from ..attachment import Attachment
from ..attachment import Streamed
from ..content import Piece
from ..errors import MessageError
from ..message.attached import as_sent
from ..text.mimetype import parse_mimetype
from .folding import SHOULD
from .header_block import header_block
from .parameters import TOKEN
from .parameters import with_parameters
from .part import EIGHTBIT
from .part import Part
from .seven_bit import seven_bit
from .text_parameters import fill_in
from .transfer import Base64
from .transfer import encode_safely
from .transfer import in_base64

# Up to this size together, attachments are encoded when the message is rendered; else while it is
# sent, so that their base64 is never in memory twice.
_AT_ONCE = 1 << 16


def are_small(attachments: Iterable[Attachment]) -> bool:
    """Return whether all attachments together are encoded at once."""
    sources = [attachment.source for attachment in attachments]
    return sum([len(one) for one in sources if not isinstance(one, Streamed)]) <= _AT_ONCE


def attachment_part(
    attachment: Attachment, disposition: str | None, cids: set[str], *, at_once: bool
) -> Part:
    """Write an attachment.

    :param disposition: ``attachment``, ``inline``, or None for an alternative.
    :param cids: The Content-IDs of the other parts. If this part's is not among them, it is
        written and added.
    :param at_once: Whether it is encoded now.
    :raises MessageError: if it is a ``message/...`` that cannot be sent as it is.
    """
    cid = ""
    # https://www.rfc-editor.org/rfc/rfc2392
    if (disposition == "inline" or attachment.given_cid) and (cid := attachment.cid) not in cids:
        cids.add(cid)
    else:
        cid = ""
    if disposition and (quick := _octets_part(attachment, disposition, cid, at_once)):
        return quick
    maintype, subtype, given = parse_mimetype(attachment.mimetype)
    parameters = dict(given)
    encoding, body = _encode(attachment, maintype, subtype, parameters, at_once)
    fields = [
        with_parameters("Content-Type", f"{maintype}/{subtype}", parameters.items()),
        f"Content-Transfer-Encoding: {encoding}",
    ]
    if disposition or attachment.filename:
        # The file name is written only here. Only very old readers need it as "name" of the
        # Content-Type, where RFC 2047 allows only ASCII.
        named = [("filename", attachment.filename)] if attachment.filename else []
        fields.append(with_parameters("Content-Disposition", disposition or "inline", named))
    if cid:
        fields.append(f"Content-ID: <{cid}>")
    return Part(tuple(fields), body)


def _octets_part(attachment: Attachment, disposition: str, cid: str, at_once: bool) -> Part | None:
    """Write an attachment whose header differs from that of others only in its name and cid; return
    None for any other. To write and check the whole header takes 3 µs more for each attachment."""
    source, name = attachment.source, attachment.filename
    described = _described(attachment.mimetype, disposition)
    if not (described and name and type(source) is bytes):
        return None
    *fields, beginning = described
    line = beginning + name
    if len(line) > SHOULD or not TOKEN.match(name):
        return None
    # A token, and printable ASCII without spaces, add neither a line end nor a blank line.
    fields.append(line)
    if cid:
        if not (cid.isascii() and cid.isprintable()):
            return None
        fields.append(f"Content-ID: <{cid}>")
    block = "\r\n".join((*fields, "\r\n")).encode()
    return Part(tuple(fields), (in_base64(source) if at_once else Base64(source),), block)


@functools.lru_cache(maxsize=64)
def _described(mimetype: str, disposition: str) -> tuple[str, str, str] | None:
    """Return the fields of an attachment in base64 up to the name of the file; None if the fields
    depend on its octets."""
    maintype, subtype, parameters = parse_mimetype(mimetype)
    if maintype in ("message", "text"):
        return None
    fields = (
        with_parameters("Content-Type", f"{maintype}/{subtype}", parameters),
        "Content-Transfer-Encoding: base64",
        f"Content-Disposition: {disposition}; filename=",
    )
    header_block(fields)  # checked here, and not for each attachment
    return fields


def _encode(
    attachment: Attachment,
    maintype: str,
    subtype: str,
    parameters: dict[str, str],
    at_once: bool,
) -> tuple[str, tuple[bytes | Piece, ...]]:
    source = attachment.source
    if maintype == "message":
        return _as_it_is(attachment)
    if maintype == "text":
        fill_in(attachment, subtype, parameters)
    if isinstance(source, str):
        if maintype == "text":
            encoding, encoded = _encode_text(source, parameters)
            return encoding, (encoded,)
        # Text of another type, such as JSON, is octets with its own line ends.
        source = source.encode(parameters.get("charset", "utf-8"))
    if isinstance(source, Streamed) or not at_once:
        return "base64", (Base64(source),)
    return "base64", (in_base64(source),)


def _encode_text(text: str, parameters: dict[str, str]) -> tuple[str, bytes]:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    charset = parameters.setdefault("charset", "us-ascii" if text.isascii() else "utf-8").lower()
    if charset in ("us-ascii", "utf-8"):
        return encode_safely(lines.encode(charset))
    # https://www.rfc-editor.org/rfc/rfc2046#section-4.1.1: lines of text/* end with CRLF. In other
    # charsets, an octet that looks like a line end may not be one.
    return "base64", in_base64(lines.replace("\n", "\r\n").encode(charset))


def _as_it_is(attachment: Attachment) -> tuple[str, tuple[bytes]]:
    """Write an attached message, which must not be encoded (RFC 2046 section 5.2)."""
    try:
        octets = as_sent(attachment)
    except MessageError as error:  # a file that could not be checked when it was attached
        raise MessageError(f"{attachment!r} cannot be sent: {error}") from None
    if not octets.isascii() and isinstance(attachment.source, str):
        # A message given as text has no octets that must stay, so it is sent to any server.
        with contextlib.suppress(MessageError):
            octets = seven_bit(octets)
    return "7bit" if octets.isascii() else EIGHTBIT, (octets + b"\r\n",)
