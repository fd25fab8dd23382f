"""An address that gets no more mail, and how addresses are compared."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t
import unicodedata
from collections.abc import Sequence

from ...address import Address
from ...address import parse_address
from ...message.given import AnyMessage
from ...message.message import Message

LONGEST_LIST = 190
"""The most characters in the name of a list: it is part of a key, which databases limit."""
_ATOM = r"[^\s\"(),.:;<>@\[\\\]]+"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that gets no more mail, as :attr:`.Mail.suppressions` returns it. Its text says
    since when, and why.

    .. code-block:: python

        for one in mail.suppressions:
            print(one.address, one.list_name, one.reason)
    """

    address: Address
    """The address as it was written, with its domain in ASCII."""
    list_name: str = ""
    """The list whose mail it does not get: ``unsubscribe=`` of a message. "" if it gets no mail at
    all."""
    reason: str = ""
    """Why, such as ``bounced 5.1.1``."""
    since: datetime.datetime
    """Since when, with a time zone."""
    event: int | None = None
    """The number of the event for which it was suppressed; None if you have added it."""

    def __str__(self) -> str:
        of_list = f" for the list {self.list_name!r}" if self.list_name else ""
        why = f": {self.reason}" if self.reason else ""
        return f"suppressed{of_list} since {self.since:%Y-%m-%d}{why}"


def key_of(address: str) -> str:
    """Return the text by which addresses are compared: without regard to case, to quotes that the
    local part does not need (RFC 5321 section 4.1.2), and to how its accents are composed.

    Its domain is in ASCII already, because an :class:`.Address` converts it.
    """
    key = str.__str__(address).lower()
    if key.startswith('"'):
        local, _, domain = key.rpartition("@")
        plain = re.sub(r"\\(.)", r"\1", local[1:-1])
        needed = not re.fullmatch(rf"{_ATOM}(?:\.{_ATOM})*", plain)
        local = '"' + re.sub(r'(["\\])', r"\\\1", plain) + '"' if needed else plain
        key = f"{local}@{domain}"
    return key if key.isascii() else unicodedata.normalize("NFC", key)


def read_address(value: str, purpose: str) -> Address:
    """Read an address, which may be written with a name.

    :param purpose: What is done with it, such as "suppress", for the error.
    :raises MessageError: if it is not an address.
    """
    return (
        value if isinstance(value, Address) else parse_address(value, f"the address to {purpose}")
    )


COLUMNS = ("address", "list_name", "reason", "since", "event")
"""What a store keeps of an entry next to its key, in the order that :func:`read_row` takes."""


def read_row(found: Sequence[t.Any]) -> Suppression:
    """Read the :data:`COLUMNS` of an entry, with the time in seconds since 1970."""
    address, list_name, reason, since, event = found
    return Suppression(
        address=Address(address),
        list_name=list_name,
        reason=reason,
        since=datetime.datetime.fromtimestamp(since, datetime.UTC),
        event=event,
    )


def list_of(message: AnyMessage) -> str:
    """Return the list that a message belongs to, its ``unsubscribe=``; "" if there is none."""
    return message.unsubscribe if isinstance(message, Message) else ""
