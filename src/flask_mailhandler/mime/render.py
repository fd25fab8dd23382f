"""A message as octets."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from ..content import Content
from ..content import Piece
from ..errors import MessageError
from .guard import header_block
from .header import address_field
from .header import custom_field
from .header import date_field
from .header import text_field
from .tree import tree

if t.TYPE_CHECKING:
    from ..message import Message

# Up to here a content is one piece.
_SMALL = 1 << 16


def render(message: Message) -> Content:
    """Write a message in its wire form: the octets, their number known beforehand, that any
    handler sends or keeps. The same message gives the same octets. Bcc is not in them.

    :raises MessageError: if it has no From, or an attachment cannot be sent as it is.
    """
    root = tree(message)
    smtputf8 = _needs_smtputf8(message)
    fields = [*_fields(message), "MIME-Version: 1.0", *root.fields]
    return Content(_join([header_block(fields, smtputf8=smtputf8), *root.body]), smtputf8=smtputf8)


def _fields(message: Message) -> list[str]:
    if message.from_addr is None or message.message_id is None:
        raise MessageError("The message has no From: give it from_addr=, or set MAIL_DEFAULT_FROM.")
    fields = [date_field("Date", message.date), address_field("From", [message.from_addr])]
    custom = message.headers.pairs
    for name, value in custom:
        if name.lower() == "sender":
            fields.append(custom_field("Sender", value))
    if message.reply_to:
        fields.append(address_field("Reply-To", message.reply_to))
    if message.to:
        fields.append(address_field("To", message.to))
    elif not message.cc:
        # https://www.rfc-editor.org/rfc/rfc5322#section-3.4: a group without members
        fields.append("To: undisclosed-recipients:;")
    if message.cc:
        fields.append(address_field("Cc", message.cc))
    if message.subject:
        fields.append(text_field("Subject", message.subject))
    fields.append(f"Message-ID: {message.message_id}")
    fields += [custom_field(name, value) for name, value in custom if name.lower() != "sender"]
    return fields


def _needs_smtputf8(message: Message) -> bool:
    """https://www.rfc-editor.org/rfc/rfc6531: only a local part that is not ASCII is written
    raw, for it has no other form. Bcc is in no header."""
    shown = (message.from_addr, *message.reply_to, *message.to, *message.cc)
    return not all(address is None or address.isascii() for address in shown) or not all(
        value.rpartition("<")[2].isascii()
        for name, value in message.headers.pairs
        if name.lower() == "sender"
    )


def _join(pieces: Sequence[bytes | Piece]) -> bytes | Sequence[bytes | Piece]:
    octets = [piece for piece in pieces if isinstance(piece, bytes)]
    if len(octets) == len(pieces) and sum(map(len, octets)) <= _SMALL:
        return b"".join(octets)
    return pieces
