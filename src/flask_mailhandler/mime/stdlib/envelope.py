"""The envelope of a standard library message: sender and recipients, from its fields."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from types import MappingProxyType

from ...address import Address
from ...envelope import Envelope
from ...errors import MessageError
from .address_list import all_addresses
from .header import addresses
from .source import first
from .source import Source

NO_DEFAULTS: Mapping[str, Sequence[Address]] = MappingProxyType({})


def authors_of(fields: Sequence[Source], default_from: Address | None) -> list[Address]:
    """Return the addresses of the From.

    :raises MessageError: if there is none, or several and no Sender (RFC 5322 section 3.6.2).
    """
    field = first(fields, "from")
    if field is None:
        if default_from is None:
            raise MessageError("The message has no From: give it one, or set MAIL_DEFAULT_FROM.")
        return [default_from]
    authors = all_addresses(addresses(field))
    if not authors:
        raise MessageError("The field From has no address.")
    if len(authors) > 1 and not first(fields, "sender"):
        raise MessageError(
            "The field From has several addresses: give the message a Sender, too"
            " (RFC 5322 section 3.6.2)."
        )
    return authors


def envelope_of(
    fields: Sequence[Source],
    authors: Sequence[Address],
    instead: Sequence[Address] = (),
    defaults: Mapping[str, Sequence[Address]] = NO_DEFAULTS,
) -> Envelope:
    """Return the envelope: from the Sender or the first From, to the To, Cc and Bcc. If there are
    Resent- fields, the newest block of them is used instead.

    :param instead: Recipients that replace those in the fields.
    :param defaults: The recipients for missing fields, by the names of the fields.
    :raises MessageError: if there are no recipients.
    """
    block = _newest_resent(fields)
    prefix = "resent-" if block else ""
    named = block or fields
    if block and not first(block, "resent-from"):
        raise MessageError("The message has Resent- fields and no Resent-From (RFC 5322 3.6.6).")
    sender = _one(named, f"{prefix}sender") or _one(named, f"{prefix}from") or authors[0]
    recipients: list[Address] = []
    for name in ("to", "cc", "bcc"):
        if field := first(named, prefix + name):
            recipients += all_addresses(addresses(field))
        recipients += defaults.get(name, ())
    return Envelope(sender, instead or recipients)


def _one(fields: Sequence[Source], name: str) -> Address | None:
    field = first(fields, name)
    found = all_addresses(addresses(field)) if field else []
    if name.endswith("sender") and len(found) > 1:
        raise MessageError(f"The field {name.title()} has several addresses; it takes one.")
    return found[0] if found else None


def _newest_resent(fields: Sequence[Source]) -> list[Source]:
    """Return the first block of Resent- fields. Each resending adds its block at the top (RFC 5322
    section 3.6.6). The block ends where a server added its fields, or where a name repeats."""
    block: list[Source] = []
    for field in fields:
        if field.key.startswith("resent-"):
            if first(block, field.key):
                break
            block.append(field)
        elif block and field.key in ("received", "return-path"):
            break
    return block
