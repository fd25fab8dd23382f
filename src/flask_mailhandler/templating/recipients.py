"""The languages of the recipients of a message."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ..address import Address
from ..address import Addresses
from ..address import LocalizedAddress
from ..address import parse_addresses
from ..errors import MessageError
from ..message.arguments import MessageFields
from .language import read_locale

_FIELDS: tuple[t.Literal["to", "cc", "bcc"], ...] = ("to", "cc", "bcc")


def read(fields: MessageFields) -> MessageFields:
    """Return the fields with the recipients read, because an iterator can be read only once."""
    found: MessageFields = {**fields}
    for name in _FIELDS:
        if (given := fields.get(name)) is not None:
            found[name] = parse_addresses(given, name)
    return found


def language_of(fields: MessageFields) -> str:
    """Return the language of the people in To, or if there is no To in Cc or Bcc; or "".

    :param fields: The result of :func:`read`.
    :raises MessageError: if they have several.
    """
    found = _languages(_of(fields, "to") or [*_of(fields, "cc"), *_of(fields, "bcc")])
    if len(found) > 1:
        shown = ", ".join(repr(locale) if locale else "that of the app" for locale in found)
        raise MessageError(
            f"The recipients have several languages: {shown}. Write mail.render_each(...) for a"
            " mail in each of them, or locale=... for one mail to all."
        )
    return found[0] if found else ""


def by_language(fields: MessageFields) -> dict[str, MessageFields]:
    """Return the fields of a message for each language. Each recipient is in one of them.

    An address without a person is in the first.

    :param fields: The result of :func:`read`.
    """
    languages = _languages(_all(fields)) or [""]
    found: dict[str, MessageFields] = {}
    for language in languages:
        found[language] = {**fields}
        for name in _FIELDS:
            if name in fields:
                found[language][name] = [
                    address
                    for address in _of(fields, name)
                    if (languages[0] if (own := _language(address)) is None else own) == language
                ]
    return found


def _all(fields: MessageFields) -> list[Address]:
    return [address for name in _FIELDS for address in _of(fields, name)]


def _of(fields: MessageFields, name: t.Literal["to", "cc", "bcc"]) -> Addresses:
    return t.cast("Addresses", fields.get(name) or ())


def _languages(addresses: Iterable[Address]) -> list[str]:
    """Return the languages of the people among addresses, each once."""
    spoken = (_language(address) for address in addresses)
    return [*dict.fromkeys(language for language in spoken if language is not None)]


def _language(address: Address) -> str | None:
    """Return the language of a person; None for an address without one."""
    if isinstance(address, LocalizedAddress):
        return read_locale(address.locale or None)
    return None
