"""A Message to the standard library's, and back."""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Sequence

from ...address import Address
from ...errors import MessageError
from ...message.headers import MESSAGE_ID
from ...text.decoding import decoded
from ..render import render
from .as_sent import AS_SENT
from .as_sent import AS_SENT_UTF8
from .body import parse
from .convert_parts import cannot_hold
from .convert_parts import read_parts
from .header import addresses
from .source import first
from .source import read_fields
from .source import Source

if t.TYPE_CHECKING:
    from email.message import EmailMessage
    from email.message import Message as MIMEMessage

    from ...message.message import Message

_ADDRESS_FIELDS = {"reply-to": "reply_to", "to": "to", "cc": "cc", "bcc": "bcc"}
# Fields that become attributes of a Message, or that the last server writes.
_NOT_KEPT = ("from", "subject", "date", "message-id", "mime-version", "return-path")
NOT_CUSTOM = (*_NOT_KEPT, *_ADDRESS_FIELDS)


def to_mime(message: Message) -> EmailMessage:
    """Return the message as one of the standard library, parsed from the octets that are sent. Its
    policy writes the same octets again. Bcc is not in it. A draft has no From yet.

    :raises MessageError: as :func:`render` does for a draft, and if attached messages are nested
        too deep to be parsed.
    """
    content = render(message, draft=True)
    policy = AS_SENT_UTF8 if content.smtputf8 else AS_SENT
    return t.cast("EmailMessage", parse(bytes(content), policy))


def from_mime(message: MIMEMessage) -> Message:
    """Convert a message of the standard library to a :class:`Message`.

    :raises MessageError: for anything that a Message cannot hold, such as a signature.
    """
    from ...message.message import Message  # it imports this file for its to_mime()

    fields = read_fields(message)
    for field in fields:
        if field.key == "dkim-signature" or field.key.startswith("resent-"):
            raise cannot_hold(f"the field {field.name}")
    found = read_parts(message)
    found["headers"] = _custom(fields)
    if subject := first(fields, "subject"):
        found["subject"] = text_of(subject)
    if author := first(fields, "from"):
        found["from_addr"] = _author(author)
    for field in fields:
        if argument := _ADDRESS_FIELDS.get(field.key):
            if argument in found:
                raise MessageError(f"The message has the field {field.name} more than once.")
            found[argument] = _addresses_of(field)  # type: ignore[literal-required]
    if (message_id := first(fields, "message-id")) and re.match(MESSAGE_ID, message_id.value):
        found["message_id"] = message_id.value
    if date := first(fields, "date"):
        found["date"] = _date(date)
    return Message(**found)


def text_of(field: Source) -> str:
    """Return the text of a field, with encoded words decoded."""
    return decoded(field.value) if field.wire else field.value


def _custom(fields: Sequence[Source]) -> list[tuple[str, str]]:
    return [
        (field.name, text_of(field))
        for field in fields
        if field.key not in NOT_CUSTOM and not field.key.startswith("content-")
    ]


def _author(field: Source) -> Address:
    authors = _addresses_of(field)
    if len(authors) != 1:
        raise cannot_hold(f"a From of {len(authors)} addresses")
    return authors[0]


def _addresses_of(field: Source) -> list[Address]:
    found: list[Address] = []
    for entry in addresses(field):
        if isinstance(entry, Address):
            found.append(entry)
        elif entry.members:
            raise cannot_hold(f"the group {entry.name!r} in {field.name}")
    return found


def _date(field: Source) -> datetime.datetime:
    from email.utils import parsedate_to_datetime

    try:
        date = parsedate_to_datetime(field.value)
    except ValueError:
        raise MessageError(f"The field Date is not a date: {field.value[:80]!r}.") from None
    # https://www.rfc-editor.org/rfc/rfc5322#section-3.3: "-0000" is UTC, of an unknown zone
    return date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
