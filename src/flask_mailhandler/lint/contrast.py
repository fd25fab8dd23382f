"""The rule for words that are hard to tell from their background.

::

    <style>  a { color: #c9a }   ─┐
    <a style="color: #c9a">      ─┴─ colours of each element ── of its words ── contrast

It knows colours in the form ``#c9a`` and ``#cc99aa``, and selectors of one element or one class.
Where it does not know a colour, it finds nothing. Rules for dark screens are not checked.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from collections.abc import Iterator
from collections.abc import Mapping

from ..plaintext.markup import events
from ..plaintext.markup import Start
from ..text.checks import shorten
from ..text.colour import contrast as contrast_of
from ..text.colour import RGB
from .examined import Examined
from .rule import Found

_ENOUGH, _ENOUGH_IF_LARGE = 4.5, 3.0
_LARGE = frozenset({"h1", "h2", "h3"})
_EMPTY = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
)
_ENDED_BY_ITSELF = frozenset({"p", "li", "td", "th", "tr", "dd", "dt", "option"})
_LONGEST = 1_000_000  # characters of HTML, as in Examined

_STYLE = re.compile(r"<style(?=[\s>])[^<>]*>(.*?)(?:</style|\Z)", re.I | re.S)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)", re.S)
_BRACE = re.compile(r"[{}]")
_SELECTOR = re.compile(r"(?:[a-z][a-z0-9]*)?(?:\.[\w-]+)?\Z", re.I)
_COLOUR = re.compile(r"#(?:[0-9a-f]{6}|[0-9a-f]{3})(?![0-9a-f])", re.I)
_NAMED = {"white": "#fff", "black": "#000"}

Styles: t.TypeAlias = "Mapping[str, str]"


class _Element(t.NamedTuple):
    """An open element: its colours, None if they are not known, and how its words look."""

    tag: str
    colour: RGB | None
    ground: RGB | None
    large: bool = False
    hidden: bool = False


def contrast(message: Examined) -> Iterator[Found]:
    """Find words with too little contrast, the first of each pair of colours."""
    html = message.html[:_LONGEST]
    rules = _rules(html)
    told: set[tuple[RGB, RGB]] = set()
    for words, element in _words(html, rules):
        colour, ground = element.colour, element.ground
        if colour is None or ground is None or (colour, ground) in told:
            continue
        ratio = contrast_of(colour, ground)
        enough = _ENOUGH_IF_LARGE if element.large else _ENOUGH
        if ratio < enough:
            told.add((colour, ground))
            yield Found(
                "html",
                f"The contrast of {shorten(words, 30)} is {ratio:.1f}, less than {enough}:"
                f" {colour.css} on {ground.css}.",
            )


def _words(html: str, rules: Mapping[str, Styles]) -> Iterator[tuple[str, _Element]]:
    stack = [_Element("", RGB(0, 0, 0), RGB(255, 255, 255))]
    depth: Counter[str] = Counter()
    for event in events(html):
        if isinstance(event, str):
            if not stack[-1].hidden and (words := " ".join(event.split())):
                yield words, stack[-1]
        elif isinstance(event, Start):
            if event.tag in _ENDED_BY_ITSELF and stack[-1].tag == event.tag:
                depth[stack.pop().tag] -= 1
            if event.tag not in _EMPTY:
                stack.append(_element(event, stack[-1], rules))
                depth[event.tag] += 1
        elif depth[event.tag]:
            while True:
                ended = stack.pop().tag
                depth[ended] -= 1
                if ended == event.tag:
                    break


def _element(start: Start, parent: _Element, rules: Mapping[str, Styles]) -> _Element:
    names = start.attributes.get("class", "").split()
    found: dict[str, str] = {}
    for selector in (start.tag, *(f".{name}" for name in names)):
        found.update(rules.get(selector, {}))
    for name in names:
        found.update(rules.get(f"{start.tag}.{name}", {}))
    if "bgcolor" in start.attributes:
        found["background"] = start.attributes["bgcolor"]
    found.update(_declarations(start.attributes.get("style", "")))
    # A link has a colour of the mail client, and does not inherit one.
    colour = None if start.tag == "a" else parent.colour
    if "color" in found:
        colour = _read(found["color"])
    ground = parent.ground
    if found.get("background", "none").split(" ")[0] not in ("none", "transparent", "inherit"):
        ground = _read(found["background"])
    return _Element(
        start.tag,
        colour,
        ground,
        parent.large or start.tag in _LARGE,
        parent.hidden or found.get("display") == "none",
    )


def _rules(html: str) -> dict[str, dict[str, str]]:
    """The declarations of each simple selector outside of ``@media`` and the like."""
    found: dict[str, dict[str, str]] = {}
    for style in _STYLE.findall(html):
        nested, position, selectors = 0, 0, ""
        css = _COMMENT.sub("", style)
        for brace in _BRACE.finditer(css):
            text, position = css[position : brace.start()], brace.end()
            if brace[0] == "{":
                nested += 1
                selectors = text if nested == 1 else ""
                continue
            if nested == 1 and "@" not in selectors:
                for selector in selectors.split(","):
                    if _SELECTOR.match(selector.strip()):
                        found.setdefault(selector.strip(), {}).update(_declarations(text))
            nested = max(nested - 1, 0)
    return found


def _declarations(css: str) -> dict[str, str]:
    found = {}
    for declaration in css.lower().split(";"):
        name, _, value = declaration.partition(":")
        name, value = name.strip(), value.replace("!important", "").strip()
        if name in ("color", "display"):
            found[name] = value
        elif name in ("background", "background-color"):
            found["background"] = value
    return found


def _read(value: str) -> RGB | None:
    value = _NAMED.get(value, value)
    colours = _COLOUR.findall(value)
    return RGB.read(colours[0]) if len(colours) == 1 and "url(" not in value else None
