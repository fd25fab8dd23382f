"""What a list shows of a message."""

from __future__ import annotations

import re
import typing as t

from .preheader import preheader
from .reading import read_within_bounds
from .reading import Reading

MAX_LISTED = 50
"""The most addresses of a field, and the most files, in a summary."""

_NO_WORD = re.compile(r"\(?https?://[^\s()]*\)?|[-=_*~#|]{3,}")
_LINE = 300
_LONG = 100_000
_TEXT = 160


class Summary(t.TypedDict):
    """A summary, as the ``.json`` file of a message stores it. Long texts and lists are cut."""

    subject: str
    from_addr: str
    to: list[str]
    cc: list[str]
    text: str
    """The preheader, or else the beginning of the text, in one line."""
    attachments: list[str]
    """The names of the attached files. An image that the HTML shows is not one of them."""
    original_to: str
    """The recipients before a staging guard redirected the message."""


def summary(octets: bytes) -> Summary:
    """Return the summary of a message from its octets. It never raises."""
    return summary_of(read_within_bounds(octets))


def summary_of(message: Reading) -> Summary:
    """Return the summary of a message that was read."""
    return Summary(
        subject=message.subject[:_LINE],
        from_addr=", ".join(_addresses(message, "from")),
        to=_addresses(message, "to"),
        cc=_addresses(message, "cc"),
        text=_beginning(preheader(message.html) or message.text or _plain(message.html)),
        attachments=[
            (leaf.filename or leaf.kind)[:_LINE] for leaf in message.leaves if leaf.is_file
        ][:MAX_LISTED],
        original_to=", ".join(_addresses(message, "x-original-to"))[:_LINE],
    )


def _beginning(text: str) -> str:
    """Return the first words, without links and ruled lines between them."""
    return " ".join(_NO_WORD.sub(" ", text[: 10 * _TEXT]).split())[:_TEXT].rstrip()


def _addresses(message: Reading, field: str) -> list[str]:
    """Return the addresses of a field, or its text if it is not a list of addresses."""
    values = [value for name, value in message.fields if name.lower() == field]
    short = sum(map(len, values)) <= _LONG
    found = [address.formatted for address in message.addresses(field)] if short else []
    return [text[:_LINE] for text in (found or values)][:MAX_LISTED]


def _plain(html: str) -> str:
    from ...plaintext import plaintext

    return plaintext(html[: 1 << 16]) if html else ""
