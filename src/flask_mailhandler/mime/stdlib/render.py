"""A message of the standard library, made ready to be sent.

Fields that a message must have are added, Bcc moves to the envelope, and everything is written in
7-bit lines that end with CRLF. Nothing else changes, and neither does the caller's object.
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
from ..seven_bit import seven_bit
from . import signed_body
from .body import Body
from .body import described
from .body import is_built
from .body import read_body
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
# Never sent: the hidden recipients, and the field that only the last server writes.
_LEFT_OUT = ("bcc", "resent-bcc", "return-path")


@dataclasses.dataclass(frozen=True, slots=True)
class Adopted:
    """A message of the standard library as a handler sends it."""

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

    It may be an ``EmailMessage`` of any policy, or a legacy ``Message``. A message with Resent-
    fields is sent to the recipients in the first block of them (RFC 5322 section 3.6.6). A signed
    part or message (multipart/signed, DKIM-Signature) is sent as it is, or refused.

    :param default_from: The From of a message that has none.
    :param default_to: The recipients for each of ``to``, ``cc`` and ``bcc`` that the message does
        not have. An empty field counts as a field. A message with Resent- fields gets none.
    :param recipients: The recipients instead of those in the fields.
    :param redirect_to: Recipients that replace all others. They become the To, and the Cc is
        left out.
    :param headers: Fields to add. They replace fields of the same name.
    :raises MessageError: naming the field, if the message cannot be sent.
    """
    fields = _filled_fields(message)
    added = list(headers)
    kept = _kept(fields, added, redirect_to)
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
    return Adopted(message_id, envelope, _content(written, body))


def _filled_fields(message: Message) -> list[Source]:
    """Return the fields that have a value, and the Subject.

    :raises MessageError: if a field that is allowed once occurs twice.
    """
    fields = [field for field in read_fields(message) if field.value or field.key == "subject"]
    for name in _ONCE:
        if sum(field.key == name for field in fields) > 1:
            raise MessageError(f"The message has the field {name.title()} more than once.")
    return fields


def _kept(
    fields: Sequence[Source], added: Sequence[tuple[str, str]], redirect_to: Sequence[Address]
) -> list[Source]:
    """Return the fields that are sent as they are in the message."""
    dropped = {*_LEFT_OUT, *(name.lower() for name, _ in added)}
    if redirect_to:
        dropped |= {"to", "cc"}
    return [field for field in fields if field.key not in dropped]


def _written(message: Message, fields: Sequence[Source]) -> tuple[list[str], Body]:
    built = is_built(message)
    if first(fields, "dkim-signature"):
        # The signature may cover any field and the body, so all of them stay.
        octets = signed_body.unchanged(message, built)
        return [verbatim(field, message.policy) for field in fields], Body(
            [octets], eightbit=not octets.isascii()
        )
    body = read_body(message, fields, built)
    return described([(field, write(field)) for field in fields], body), body


def _content(fields: Sequence[str], body: Body) -> Content:
    smtputf8 = not all(map(str.isascii, fields))
    head = header_block(fields, smtputf8=smtputf8)
    last = next((octets for octets in reversed(body.octets) if octets), b"")
    end = b"" if last.endswith(b"\r\n") else b"\r\n"
    return Content(
        [head, *body.octets, end], smtputf8=smtputf8, eightbit=body.eightbit, rewrite=seven_bit
    )


def _made(fields: Sequence[Source], authors: Sequence[Address], message_id: str) -> list[str]:
    """Write the required fields that the message does not have."""
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
