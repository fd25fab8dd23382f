"""Messages of the standard library, made ready to be sent.

They get what a message must have, Bcc moves to the envelope, everything becomes 7-bit lines that
end with CRLF; otherwise they stay what they are. The caller's object is not changed.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from ...address import Address
from ...content import Content
from ...envelope import Envelope
from ...errors import MessageError
from ...message.message_id import make_left
from ...message.message_id import make_message_id
from ..header import address_field
from ..header import custom_field
from ..header import date_field
from ..header_block import header_block
from . import signed_body
from .body import Body
from .body import described
from .body import is_built
from .body import parse
from .body import read_body
from .body import whole_message
from .envelope import authors_of
from .envelope import envelope_of
from .envelope import NO_DEFAULTS
from .header import verbatim
from .header import write
from .source import first
from .source import read_fields
from .source import Source

if t.TYPE_CHECKING:
    from email.message import Message

# https://www.rfc-editor.org/rfc/rfc5322#section-3.6 and RFC 2045: once at most
_ONCE = (
    *("date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to"),
    *("references", "subject", "mime-version", "content-type", "content-transfer-encoding"),
)
# Never sent: who gets it in secret, and what only the last server writes.
_LEFT_OUT = ("bcc", "resent-bcc", "return-path")


@dataclasses.dataclass(frozen=True, slots=True)
class Adopted:
    """What sending a message of the standard library needs."""

    message_id: str
    envelope: Envelope
    content: Content


def adopt(
    message: Message,
    *,
    default_from: Address | None = None,
    default_to: Mapping[str, Sequence[Address]] = NO_DEFAULTS,
    recipients: Sequence[Address] = (),
    redirect_to: Sequence[Address] = (),
    headers: Iterable[tuple[str, str]] = (),
) -> Adopted:
    """Make a message of the standard library ready to be sent.

    It may be an ``EmailMessage`` of any policy, or a legacy ``Message``. With Resent- fields it is
    sent to those whom the first block of them names (RFC 5322 section 3.6.6). What is under a
    signature (multipart/signed, DKIM-Signature) is sent as it is, or not at all.

    :param default_from: The From of a message that has none.
    :param default_to: The recipients of a message that has no field ``to``, ``cc``, ``bcc``. One
        that is there stays, be it empty, and so do all three of a message with Resent- fields.
    :param recipients: Who gets it, whatever its fields say.
    :param redirect_to: To whom it goes instead; these are then its To, and its Cc is left out.
    :param headers: Fields to be added, in place of those of the same names.
    :raises MessageError: naming the field, if it cannot be sent.
    """
    fields = [field for field in read_fields(message) if field.value or field.key == "subject"]
    for name in _ONCE:
        if sum(field.key == name for field in fields) > 1:
            raise MessageError(f"The message has the field {name.title()} more than once.")
    added = list(headers)
    dropped = {*_LEFT_OUT, *(name.lower() for name, _ in added)}
    if redirect_to:
        dropped |= {"to", "cc"}
    kept = [field for field in fields if field.key not in dropped]
    authors = authors_of(fields, default_from)
    defaults = _defaults(message, default_to)
    envelope = envelope_of(fields, authors, redirect_to or recipients, defaults)
    found = first(fields, "message-id")
    message_id = found.value if found else make_message_id(make_left(), authors[0])
    made = _made(fields, authors, message_id)
    made += [custom_field(name, value) for name, value in added]
    made += _destination(kept, redirect_to, defaults)
    written, body = _written(message, kept)
    written = [*made, *written]
    if not first(fields, "mime-version"):
        written.append("MIME-Version: 1.0")
    smtputf8 = not all(map(str.isascii, written))
    head = header_block(written, smtputf8=smtputf8)
    last = next((octets for octets in reversed(body.octets) if octets), b"")
    end = b"" if last.endswith(b"\r\n") else b"\r\n"
    content = Content(
        [head, *body.octets, end], smtputf8=smtputf8, eightbit=body.eightbit, rewrite=seven_bit
    )
    return Adopted(message_id, envelope, content)


def seven_bit(octets: bytes) -> bytes:
    """Write a message anew, for a server that takes no octets above 127.

    :raises MessageError: if it is signed, it or what is attached to it.
    """
    message = parse(octets)
    if first(read_fields(message), "dkim-signature"):
        raise MessageError("The message is signed.")
    body, eightbit = whole_message(message, built=False)
    if eightbit:
        raise MessageError("The message has a part that is signed and has octets above 127.")
    written = b"".join(body)
    return written if written.endswith(b"\r\n") else written + b"\r\n"


def _written(message: Message, fields: Sequence[Source]) -> tuple[list[str], Body]:
    built = is_built(message)
    if first(fields, "dkim-signature"):
        # Whatever it covers stays: all fields that were there, and the body.
        octets = signed_body.unchanged(message, built)
        return [verbatim(field, message.policy) for field in fields], Body(
            [octets], eightbit=not octets.isascii()
        )
    body = read_body(message, fields, built)
    return described([(field, write(field)) for field in fields], body), body


def _made(fields: Sequence[Source], authors: Sequence[Address], message_id: str) -> list[str]:
    """Write the fields that a message must have and this one has not."""
    made = []
    if not first(fields, "date"):
        made.append(date_field("Date", datetime.datetime.now().astimezone()))
    if not first(fields, "from"):
        made.append(address_field("From", authors))
    if not first(fields, "message-id"):
        made.append(f"Message-ID: {message_id}")
    return made


def _defaults(
    message: Message, default_to: Mapping[str, Sequence[Address]]
) -> Mapping[str, Sequence[Address]]:
    names = [name.lower() for name, _ in message.raw_items()]
    if any(name.startswith("resent-") for name in names):
        return NO_DEFAULTS
    return {name: found for name, found in default_to.items() if found and name not in names}


def _destination(
    fields: Sequence[Source],
    redirect_to: Sequence[Address],
    defaults: Mapping[str, Sequence[Address]],
) -> list[str]:
    if redirect_to:
        return [address_field("To", redirect_to)]
    shown = [(name, defaults[name]) for name in ("to", "cc") if name in defaults]
    if shown or first(fields, "to") or first(fields, "cc"):
        return [address_field(name.title(), found) for name, found in shown]
    # https://www.rfc-editor.org/rfc/rfc5322#section-3.4: a group without members
    return ["To: undisclosed-recipients:;"]
