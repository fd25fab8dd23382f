"""A message to its octets."""

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
from .part import IN_8BIT
from .seven_bit import seven_bit
from .tree import tree

if t.TYPE_CHECKING:
    from ..message.message import Message

# A content up to this size is one piece.
_SMALL = 1 << 16


def render(message: Message, *, draft: bool = False) -> Content:
    """Write a message in its wire form, which any handler sends or stores.

    The size is known before the octets are made. The same message always gives the same octets.
    Bcc is not in them.

    :param draft: Whether the message may still lack its From, and so its Message-ID.
    :raises MessageError: if it has no From, or an attachment cannot be sent as it is.
    """
    root = tree(message)
    smtputf8 = not _is_ascii(message)
    fields = [*_fields(message, draft), "MIME-Version: 1.0"]
    head = header_block(fields, smtputf8=smtputf8).removesuffix(b"\r\n")
    return Content(
        _joined(head + (root.block or header_block(root.fields)), root.body),
        smtputf8=smtputf8,
        eightbit=IN_8BIT in root.fields,
        rewrite=seven_bit,
    )


def _fields(message: Message, draft: bool) -> list[str]:
    author, message_id = message.from_addr, message.message_id
    if not draft and (author is None or message_id is None):
        raise MessageError("The message has no From: give it from_addr=, or set MAIL_DEFAULT_FROM.")
    fields = [date_field("Date", message.date)]
    if author is not None:
        fields.append(address_field("From", (author,)))
    custom = message.headers.pairs
    if message.unsubscribe and "List-Unsubscribe" not in message.headers:
        raise MessageError(
            "A message with unsubscribe= gets its link when the app sends it: pass it to"
            " mail.send(...), and read what was sent in the outbox of a test."
        )
    if custom:
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
    if message_id is not None:
        fields.append(f"Message-ID: {message_id}")
    if custom:
        fields += [custom_field(name, value) for name, value in custom if name.lower() != "sender"]
    return fields


def _is_ascii(message: Message) -> bool:
    """Return whether all addresses in the header are ASCII. A local part that is not has no other
    form than raw UTF-8 (RFC 6531). Bcc is not in the header."""
    shown = [message.from_addr or "", *message.reply_to, *message.to, *message.cc]
    for name, value in message.headers.pairs:
        if name.lower() == "sender":
            shown.append(Address(value))
    return "".join(shown).isascii()


def _joined(head: bytes, body: Sequence[bytes | Piece]) -> bytes | Sequence[bytes | Piece]:
    """Put the header block before the body, in one piece if both are small."""
    (*_, last) = body
    if len(body) == 1 and isinstance(last, bytes):
        # The line end of a text belongs to a delimiter. No delimiter follows, so it is left out if
        # the text ends with its own.
        body = (last[:-2] if last.endswith(b"\r\n\r\n") else last,)
    pieces = [head, *body]
    octets = [piece for piece in pieces if isinstance(piece, bytes)]
    if len(octets) == len(pieces) and sum(map(len, octets)) <= _SMALL:
        return b"".join(octets)
    return pieces
