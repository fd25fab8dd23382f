"""Functions that Flask-Mail has for header fields, and that some packages import."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable

from ..address import Address
from ..errors import MessageError
from ..mime.header import phrase
from ..mime.header import text_field

AddressInput: t.TypeAlias = "str | tuple[str, str]"

# A pair that was joined without quotes, as Flask-Mail does: Name, Inc. <a@example.com>
_PAIR = re.compile(r"\s*(.*?)\s*<([^<>]*)>\s*\Z", re.S)


def force_text(s: t.Any, encoding: str = "utf-8", errors: str = "strict") -> str:
    """Return a text, which may be given as octets or as a lazy string."""
    return str(s, encoding, errors) if isinstance(s, bytes) else str(s)


def address_of(value: t.Any, field: str = "address") -> Address:
    """Read an address as Flask-Mail's users write it: a text, or a pair of a name and an address.

    :param field: The name of the attribute, for the error.
    :raises MessageError: if it is not an address.
    """
    if isinstance(value, Address):
        return value
    if isinstance(value, tuple | list) and len(value) == 2:
        name, address = value
        return Address(force_text(address), force_text(name or ""), field=field)
    text = force_text(value)
    try:
        return Address(text, field=field)
    except MessageError:
        pair = _PAIR.match(text)
        if pair is None or not pair[1]:
            raise
        return Address(pair[2], pair[1], field=field)


def sanitize_subject(subject: str, encoding: str = "utf-8") -> str:
    """Return a subject as it is written in a header field, in UTF-8."""
    return text_field("Subject", force_text(subject)).partition(": ")[2]


def sanitize_address(addr: AddressInput, encoding: str = "utf-8") -> str:
    """Return an address as it is written in a header field, with the name in UTF-8. ::

        assert sanitize_address(("Ann Lee", "ann@example.com")) == "Ann Lee <ann@example.com>"

    :raises MessageError: if it is not an address.
    """
    address = address_of(addr)
    return f"{' '.join(phrase(address.name))} <{address}>" if address.name else str(address)


def sanitize_addresses(addresses: Iterable[AddressInput], encoding: str = "utf-8") -> list[str]:
    """Return each address as :func:`sanitize_address` does."""
    return [sanitize_address(address) for address in addresses]
