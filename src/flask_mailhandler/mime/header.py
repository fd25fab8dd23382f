"""The header fields of a message in wire form."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

from ..address import Address
from ..text.late_pattern import late_pattern
from ..text.lines import MUST
from .encoded_words import encoded_words
from .folding import fold
from .folding import SHOULD

# https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3: atoms with single spaces between them,
# without "?" so that none is an encoded word
_ATOM = r"[A-Za-z0-9!#$%&'*+\-/=^_`{|}~]+"
_ATOMS = late_pattern(rf"{_ATOM}(?: {_ATOM})*\Z")
_PRINTABLE = late_pattern(r"[!-~](?:[ -~]*[!-~])?\Z")
# An address that fits in a line with its comma is not folded.
_LINE = SHOULD - 2
_SHORT = _LINE - len(" <>")

# Independent of the locale: https://www.rfc-editor.org/rfc/rfc5322#section-3.3
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


# The messages of a list often have the same Date: 1.7 µs less for each.
_last: tuple[datetime.datetime | None, str] = (None, "")


def date_field(name: str, date: datetime.datetime) -> str:
    """Write a date with its zone, or in UTC if the zone is not in whole minutes."""
    global _last
    last, written = _last
    if last is not date:
        written = _written(date)
        _last = date, written
    return f"{name}: {written}"


def _written(date: datetime.datetime) -> str:
    iso = date.isoformat(" ", "seconds")
    if len(iso) != len("2026-11-20 14:26:53+01:00"):
        date = date.astimezone(datetime.UTC)
        iso = date.isoformat(" ", "seconds")
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1]
    return f"{day}, {iso[8:10]} {month} {iso[:4]} {iso[11:19]} {iso[19:22]}{iso[23:]}"


def text_field(name: str, text: str) -> str:
    """Write unstructured text (RFC 5322 section 2.2.1): as it is, if it is ASCII that every reader
    reads the same way, else all of it in encoded words."""
    if not text:
        return f"{name}:"
    if _is_unambiguous(text):
        if len(name) + 2 + len(text) <= SHOULD:
            return f"{name}: {text}"
        words = text.split(" ")
        if max(map(len, words)) + len(name) + 2 <= MUST:
            return fold(name, words)
    return fold(name, encoded_words(text, SHOULD - len(name) - 2))


def _is_unambiguous(text: str) -> bool:
    # Some programs that fold and unfold change a TAB, and white space at the ends or in runs.
    return _PRINTABLE.match(text) is not None and "  " not in text and "=?" not in text


def address_field(field: str, addresses: Iterable[Address]) -> str:
    """Write addresses (RFC 5322 section 3.4), folded between them, and within a name that needs
    more than a line. Each ``local@domain`` is written exactly as it was checked."""
    words: list[str] = []
    for address in addresses:
        written = address.written
        if written and len(written) < _LINE:
            words.append(written + ",")
        else:
            words += address_words(address)
            words[-1] += ","
    words[-1] = words[-1][:-1]
    line = f"{field}: {' '.join(words)}"
    return line if len(line) <= SHOULD else fold(field, words, leading=True)


def address_words(address: Address) -> list[str]:
    """Write an address as words with a possible fold between them."""
    name = address.name
    if not name:
        return [str.__str__(address)]
    words = phrase(name)
    whole = " ".join(words) + " <" + address + ">"
    return [whole] if len(whole) < _LINE else [*words, f"<{address}>"]


def phrase(name: str) -> list[str]:
    """Write a display name as words: atoms, a quoted-string, or encoded words.

    ASCII is encoded only if necessary: in a phrase, unlike in text, the standard library reads the
    white space between two encoded words as a space.
    """
    if _is_unambiguous(name):
        quoted = name
        if not _ATOMS.match(name):
            quoted = '"' + name.replace("\\", r"\\").replace('"', r"\"") + '"'
        words = quoted.split(" ")
        if max(map(len, words)) < MUST:
            return words
    return encoded_words(name)


# Fields of a known structure, which are folded between words and never encoded.
_IDS = ("in-reply-to", "references")
_URLS = (
    *("list-unsubscribe", "list-subscribe", "list-help", "list-owner", "list-archive"),
    "list-post",
)
# https://www.rfc-editor.org/rfc/rfc2919#section-3: phrase "<" list-id ">"
_LIST_ID = late_pattern(r"([^<>]*[^<> \t])[ \t]*(<[!-;=?-~]+>)\Z")


def custom_field(name: str, value: str) -> str:
    """Write a field of the message's ``headers`` in the form that its name requires."""
    lower = name.lower()
    if lower == "sender":
        return address_field(name, [Address(value)])
    if lower in _IDS:
        return fold(name, value.split())
    if lower in _URLS and value.isascii():
        return fold(name, re.sub(r">\s*,\s*<", ">, <", value).split())
    if lower == "list-id" and not value.isascii() and (found := _LIST_ID.match(value)):
        return fold(name, [*encoded_words(found[1], SHOULD - len(name) - 2), found[2]])
    return text_field(name, value)
