"""Markup to events, parsed as browsers parse it wherever the difference shows in text.

https://html.spec.whatwg.org/multipage/parsing.html#tokenization. The standard library's
:class:`html.parser.HTMLParser` is not used. In many patch releases of the Pythons that we support,
it takes quadratic time for unclosed markup (half a minute for 60 kB on 3.11.7 and 3.13.0,
CVE-2025-6069). It raises for ``&#`` with 5000 digits, and reads ``?a=1&copy=2`` in a link as
``?a=1©=2``. The end of comments and styles differs between patch releases.
"""

from __future__ import annotations

import collections
import re
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping
from html import unescape
from html.entities import html5

_MARKUP = re.compile(
    r"""
    # A comment, including a conditional one, and elements whose content is not shown as text.
      <!--(?:-?>|.*?(?:--!?>|\Z))
    | <(style|script|title|textarea|xmp|iframe|noembed|noframes)(?=[\s/>])
      .*?(?:</\1(?=[\s/>])[^>]*(?:>|\Z)|\Z)
    # <!doctype html>, <![if !mso]>, <?xml ?>, </3
    | <(?:[!?]|/[^a-z])[^>]*(?:>|\Z)
    # A tag. A quotation mark quotes only after "=", see <p don't>.
    | <(?P<end>/?)(?P<tag>[a-z][^\s/>]*)
      (?P<attributes>(?:[^>=]+|=\s*(?:"[^"]*(?:"|\Z)|'[^']*(?:'|\Z))?)*)(?:(?P<whole>>)|\Z)
    """,
    re.ASCII | re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(r"""([^\s/=]+)(?:\s*+=\s*+(?:"([^"]*)"?|'([^']*)'?|([^\s]*)))?""", re.ASCII)
# A name needs its semicolon: without one, it is usually the next argument of a URL.
_REFERENCE = re.compile(r"&(?:#\w{1,10}|(\w{1,31}));", re.ASCII)


class Start(t.NamedTuple):
    """A start tag, with names in lower case."""

    tag: str
    attributes: Mapping[str, str]


class End(t.NamedTuple):
    """An end tag."""

    tag: str


def events(html: str) -> Iterator[Start | End | str]:
    """Yield start tags, end tags and text, in time linear in the length of *html*."""
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
    """Yield everything except text, in time linear in the length of *html*: tags with the groups
    ``tag``, ``attributes``, ``end`` and ``whole``, and comments and ``<style>`` with content."""
    return _MARKUP.finditer(html)


def _text(source: str) -> str:
    try:
        return unescape(source)
    except ValueError:  # a character number of more than 4300 digits
        return source


def attributes(source: str) -> dict[str, str]:
    """Return the attributes of a start tag. The first of a repeated name counts."""
    found: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(source):
        found.setdefault(name.lower(), _REFERENCE.sub(_character, "".join(values)))
    return found


def without(name: str, source: str) -> str:
    """Return the attributes of a start tag as they are written, without one of them."""
    return _ATTRIBUTE.sub(lambda found: "" if found[1].lower() == name else found[0], source)


def ends_unquoted(source: str) -> bool:
    """Return whether the attributes of a start tag end with an unquoted value, even an empty one.
    Text directly after it is part of it, including a slash."""
    (last,) = collections.deque(_ATTRIBUTE.finditer(source), 1) or (None,)
    return (
        last is not None
        and last.end() == len(source)
        and "=" in last[0]
        and last[2] is last[3] is None
    )


def _character(match: re.Match[str]) -> str:
    return html5.get(f"{match[1]};", match[0]) if match[1] else unescape(match[0])
