"""Markup as events, read as browsers read it as far as it shows in text.

https://html.spec.whatwg.org/multipage/parsing.html#tokenization. The standard library's
:class:`html.parser.HTMLParser` is not used: on many a patch level of the Pythons we support it is
quadratic in unclosed markup (half a minute for 60 kB on 3.11.7 and 3.13.0, CVE-2025-6069), it
raises for ``&#`` and 5000 digits, reads ``?a=1&copy=2`` in a link as ``?a=1©=2``, and ends comments
and styles elsewhere from one patch level to the next.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping
from html import unescape
from html.entities import html5

_MARKUP = re.compile(
    r"""
    # A comment, a conditional one too, and elements whose content is not for reading.
      <!--(?:-?>|.*?(?:--!?>|\Z))
    | <(style|script|title|textarea|xmp|iframe|noembed|noframes)(?=[\s/>])
      .*?(?:</\1(?=[\s/>])[^>]*(?:>|\Z)|\Z)
    # <!doctype html>, <![if !mso]>, <?xml ?>, </3
    | <(?:[!?]|/[^a-z])[^>]*(?:>|\Z)
    # A tag. A quotation mark is one only behind "=", as <p don't> shows.
    | <(?P<end>/?)(?P<tag>[a-z][^\s/>]*)
      (?P<attributes>(?:[^>=]+|=\s*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))?)*)(?:(?P<whole>>)|\Z)
    """,
    re.ASCII | re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([^\s/=]+)(?:\s*+=\s*+(?:"([^"]*)"?|'([^']*)'?|([^\s]*)))?""", re.ASCII)
# Where the name ends with a semicolon: without it, what looks like a reference is most often the
# next argument of a URL.
_REFERENCE = re.compile(r"&(?:#\w{1,10}|(\w{1,31}));", re.ASCII)


class Start(t.NamedTuple):
    """A start tag, its names in lower case."""

    tag: str
    attributes: Mapping[str, str]


class End(t.NamedTuple):
    """An end tag."""

    tag: str


def events(html: str) -> Iterator[Start | End | str]:
    """Start tags, end tags and text, in time linear in the length of *html*."""
    position = 0
    for match in _MARKUP.finditer(html):
        if position < match.start():
            yield _text(html[position : match.start()])
        position = match.end()
        if match["whole"] and match["end"]:
            yield End(match["tag"].lower())
        elif match["whole"]:
            yield Start(match["tag"].lower(), attributes(match["attributes"]))
    if position < len(html):
        yield _text(html[position:])


def markup(html: str) -> Iterator[re.Match[str]]:
    """All that is no text, in time linear in the length of *html*: a tag with the groups ``tag``,
    ``attributes``, ``end`` and ``whole``, and a comment or a ``<style>`` with its content."""
    return _MARKUP.finditer(html)


def _text(source: str) -> str:
    try:
        return unescape(source)
    except ValueError:  # A character number of more than 4300 digits.
        return source


def attributes(source: str) -> dict[str, str]:
    """The attributes of a start tag, each once."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(source):
        found.setdefault(name.lower(), _REFERENCE.sub(_character, "".join(values)))
    return found


def without(name: str, source: str) -> str:
    """The attributes of a start tag as they are written, but for one of them."""
    return _ATTRIBUTE.sub(lambda found: "" if found[1].lower() == name else found[0], source)


def _character(match: re.Match[str]) -> str:
    return html5.get(f"{match[1]};", match[0]) if match[1] else unescape(match[0])
