"""The links of a message."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

from .plaintext.markup import End
from .plaintext.markup import events
from .plaintext.markup import Start

_OPENING = {")": "(", "]": "["}


class Link(t.NamedTuple):
    """A link: where it leads, and what the reader sees of it."""

    url: str
    text: str


def html_links(html: str) -> Iterator[Link]:
    """Give every ``<a href>`` in order; an image counts as its alt text."""
    url, seen = "", ""
    for event in events(html):
        if isinstance(event, str):
            seen += event
        elif event.tag == "a":
            # A second <a> ends the first, as its </a> does.
            if url:
                yield Link(url, " ".join(seen.split()))
            url, seen = event.attributes.get("href", "") if isinstance(event, Start) else "", ""
        elif event.tag == "img" and not isinstance(event, End):
            seen += event.attributes.get("alt", "")
    if url:
        yield Link(url, " ".join(seen.split()))


def text_links(text: str) -> Iterator[Link]:
    """Give every URL of a text. A full stop behind it belongs to the sentence, and so does a
    bracket that is not opened in it."""
    for found in re.findall(r"https?://[^\s<>\"]+", text):
        url = _without_end_of_sentence(found)
        yield Link(url, url)


def _without_end_of_sentence(url: str) -> str:
    while url[-1] in ".,;:!?)]":
        opening = _OPENING.get(url[-1])
        if opening and url.count(opening) >= url.count(url[-1]):
            break
        url = url[:-1]
    return url
