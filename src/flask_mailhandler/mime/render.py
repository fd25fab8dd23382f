"""A message as octets."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ..address import Address
from ..content import Content
from ..content import Piece
from ..errors import MessageError
from .header import address_field
from .header import custom_field
from .header import date_field
from .header import text_field
from .header_block import header_block
from .tree import tree

if t.TYPE_CHECKING:
    from ..message.message import Message

# Up to here a content is one piece.
_SMALL = 1 << 16


def render(message: Message) -> Content:
    """Write a message in its wire form: the octets, their number known beforehand, that any
    handler sends or keeps. The same message gives the same octets. Bcc is not in them.

    :raises MessageError: if it has no From, or an attachment cannot be sent as it is.
    """
    root = tree(message)
    smtputf8 = not _is_ascii(message)
    fields = [*_fields(message), "MIME-Version: 1.0", *root.fields]
    body = _alone(root.body)
    return Content(
        _join([header_block(fields, smtputf8=smtputf8), *body]),
        smtputf8=smtputf8,
        eightbit=root.eightbit,
        rewrite=seven_bit,
    )


def seven_bit(octets: bytes) -> bytes:
    """Write a message anew in 7 bits, see :func:`.adopt.seven_bit`."""
    from .stdlib import adopt  # 20 ms, and few servers need it

    return adopt.seven_bit(octets)


def _alone(body: Sequence[bytes | Piece]) -> Sequence[bytes | Piece]:
    """The line end that is added to a part belongs to the delimiter behind it. Where there is
    none, a text that ends with a line end needs no second one."""
    (*_, last) = body
    if len(body) == 1 and isinstance(last, bytes) and last.endswith(b"\r\n\r\n"):
        return (last[:-2],)
    return body


def _fields(message: Message) -> list[str]:
    author, message_id = message.from_addr, message.message_id
    if author is None or message_id is None:
        raise MessageError("The message has no From: give it from_addr=, or set MAIL_DEFAULT_FROM.")
    fields = [date_field("Date", message.date), address_field("From", (author,))]
    custom = message.headers.pairs
    fields += [custom_field(name, value) for name, value in custom if name.lower() == "sender"]
    reply_to, to, cc, subject = message.reply_to, message.to, message.cc, message.subject
    if reply_to:
        fields.append(address_field("Reply-To", reply_to))
    if to:
        fields.append(address_field("To", to))
    elif not cc:
        # https://www.rfc-editor.org/rfc/rfc5322#section-3.4: a group without members
        fields.append("To: undisclosed-recipients:;")
    if cc:
        fields.append(address_field("Cc", cc))
    if subject:
        fields.append(text_field("Subject", subject))
    fields.append(f"Message-ID: {message_id}")
    fields += [custom_field(name, value) for name, value in custom if name.lower() != "sender"]
    return fields


def _is_ascii(message: Message) -> bool:
    """Say whether all addresses that are shown are ASCII. Another local part has no other form
    than raw UTF-8 (RFC 6531). Bcc is in no header."""
    shown = [message.from_addr or "", *message.reply_to, *message.to, *message.cc]
    for name, value in message.headers.pairs:
        if name.lower() == "sender":
            shown.append(Address(value))
    return "".join(shown).isascii()


def _join(pieces: Sequence[bytes | Piece]) -> bytes | Sequence[bytes | Piece]:
    octets = [piece for piece in pieces if isinstance(piece, bytes)]
    if len(octets) == len(pieces) and sum(map(len, octets)) <= _SMALL:
        return b"".join(octets)
    return pieces
