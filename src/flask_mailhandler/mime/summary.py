"""What a list shows of a message, told by its octets."""

from __future__ import annotations

import re
import typing as t

from .reading import read_within_bounds
from .reading import Reading

MAX_LISTED = 50
"""The addresses of a field, or the files, that are in a summary."""

_NO_WORD = re.compile(r"\(?https?://[^\s()]*\)?|[-=_*~#|]{3,}")
_LINE = 300
_LONG = 100_000
_TEXT = 160


class Summary(t.TypedDict):
    """As it stands in the ``.json`` of a message. Texts and lists are cut."""

    subject: str
    from_addr: str
    to: list[str]
    cc: list[str]
    text: str
    """How the text begins, in one line."""
    attachments: list[str]
    """The names of the files that are attached; what the HTML shows is none."""
    original_to: str
    """For whom it was, before a staging guard sent it elsewhere."""


def summary(octets: bytes) -> Summary:
    """Sum up a message. Nothing is refused, and nothing raises."""
    return summary_of(read_within_bounds(octets))


def summary_of(message: Reading) -> Summary:
    """Sum up a message that was read."""
    return Summary(
        subject=message.subject[:_LINE],
        from_addr=", ".join(_named(message, "from")),
        to=_named(message, "to"),
        cc=_named(message, "cc"),
        text=_beginning(message.text or _plain(message.html)),
        attachments=[
            (leaf.filename or leaf.kind)[:_LINE] for leaf in message.leaves if leaf.is_file
        ][:MAX_LISTED],
        original_to=", ".join(_named(message, "x-original-to"))[:_LINE],
    )


def _beginning(text: str) -> str:
    """The first words, without the links and rules between them."""
    return " ".join(_NO_WORD.sub(" ", text[: 10 * _TEXT]).split())[:_TEXT].rstrip()


def _named(message: Reading, field: str) -> list[str]:
    """The addresses of a field, or where it is no list of addresses what it says."""
    said = [value for name, value in message.fields if name.lower() == field]
    short = sum(map(len, said)) <= _LONG
    found = [address.formatted for address in message.addresses(field)] if short else []
    return [text[:_LINE] for text in (found or said)][:MAX_LISTED]


def _plain(html: str) -> str:
    from ..plaintext import plaintext

    return plaintext(html[: 1 << 16]) if html else ""
