"""The links of a message, and whether one is dead."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator
from collections.abc import Sequence

from ..plaintext.markup import End
from ..plaintext.markup import events
from ..plaintext.markup import Start

_OPENING = {")": "(", "]": "["}


class Link(t.NamedTuple):
    """The URL of a link, and the text that the reader sees."""

    url: str
    text: str


def html_links(html: str) -> Iterator[Link]:
    """Yield each ``<a href>`` in order. The text of an image is its alt text."""
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
    """Yield each URL of a text. A full stop after it belongs to the sentence, and so does a closing
    bracket without an opening one in the URL."""
    for found in re.findall(r"https?://[^\s<>\"]+", text):
        url = _without_end_of_sentence(found)
        yield Link(url, url)


def _without_end_of_sentence(url: str) -> str:
    end = len(url)
    # Counted once: a URL may be a hundred thousand brackets.
    open_brackets = {closing: url.count(opening) for closing, opening in _OPENING.items()}
    closed = {closing: url.count(closing) for closing in _OPENING}
    while (last := url[end - 1]) in ".,;:!?)]":
        if last in _OPENING:
            if open_brackets[last] >= closed[last]:
                break
            closed[last] -= 1
        end -= 1
    return url[:end]


# https://url.spec.whatwg.org/#concept-basic-url-parser: the characters that are removed
# before a URL is parsed.
_DROPPED = re.compile("[\t\n\r]")
_TRIMMED = "".join(map(chr, range(0x21)))
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.I)
_HTTP = re.compile(r"https?://[^/?#\s]", re.I)
# The schemes of links that a browser handles itself.
_NO_DESTINATION = frozenset(
    {"about", "blob", "data", "file", "javascript", "vbscript", "view-source"}
)


def why_dead(url: str, *, image: bool = False, placeholders: Sequence[str] = ()) -> str:
    """Return why a link or the source of an image is dead in a message: "empty", "relative" or
    "no place"; "" if it is not dead.

    :param url: The value of the attribute, with its character references decoded.
    :param placeholders: The beginnings of URLs that a provider fills in, which are not checked.
    """
    url = _DROPPED.sub("", url).strip(_TRIMMED)
    if url.startswith((*placeholders,)):
        return ""
    if url in ("", "#"):
        return "empty"
    scheme = _SCHEME.match(url)
    if not scheme:
        # A place in the message itself.
        return "" if url.startswith("#") and not image else "relative"
    kind = scheme[1].lower()
    if kind in ("http", "https"):
        return "" if _HTTP.match(url) else "relative"
    if image:
        return "" if kind == "cid" or url.lower().startswith("data:image/") else "no place"
    return "no place" if kind in _NO_DESTINATION else ""
