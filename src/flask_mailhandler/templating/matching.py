"""Which rules of a document's style sheets hold for which of its elements."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from css_inline import CSSInliner

from .stylesheet import Item
from .stylesheet import parse
from .stylesheet import Rule
from .stylesheet import rules
from .stylesheet import Selector

MARK = "data-mailhandler-n"
# As css-inline writes a tag.
_ELEMENT = re.compile(r'<[^\s<>]+((?: [^\s="<>]+="[^"]*")*) style="(--r[^"]*)"')
_MARK = re.compile(rf' {MARK}="(\d+)"')
_RULE = re.compile(r"--r(\d+):")


class Source(t.NamedTuple):
    """The CSS of a ``<style>``, and whether it holds for every reader at all times."""

    css: str
    always: bool


class Line(t.NamedTuple):
    """A selector with its rule, and whether that can be moved."""

    rule: Rule
    selector: Selector
    moves: bool


class Matcher:
    """The style sheets of a document, read once for all documents that have them."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self.sheets: Sequence[Sequence[Item]] = [parse(source.css) for source in sources]
        self._lines = [
            line
            for (_, always), items in zip(sources, self.sheets, strict=True)
            for line in _lines(items, always)
        ]
        marks = (
            f"{line.selector.matching} {{ --r{number}: 1 }}"
            for number, line in enumerate(self._lines)
        )
        self._inliner = CSSInliner(
            load_remote_stylesheets=False, keep_style_tags=False, extra_css="\n".join(marks)
        )

    def match(self, marked: str) -> list[tuple[str, str]]:
        """Give the mark of every element for which something holds, and what, as marks that
        :meth:`lines` reads.

        :param marked: A document without CSS, its tags with a :data:`MARK`. An element that is in
            no tag of the source has "".
        """
        found = _ELEMENT.findall(self._inliner.inline(marked))
        return [
            (mark[1] if (mark := _MARK.search(attributes)) else "", marks)
            for attributes, marks in found
        ]

    def lines(self, marks: str) -> list[Line]:
        """What holds for an element, the strongest last."""
        return [self._lines[int(number)] for number in _RULE.findall(marks)]


def _lines(items: Iterable[Item], always: bool) -> Iterator[Line]:
    for item in items:
        at_all_times = always and isinstance(item, Rule)
        for rule in rules([item]):
            for selector in rule.selectors:
                if selector.matching:
                    moves = at_all_times and rule.movable and selector.static
                    yield Line(rule, selector, moves)
