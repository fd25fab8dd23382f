"""Which rules of a document's style sheets apply to which of its elements."""

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
# As css-inline writes a tag. A name may begin with "=", and contain anything that does not end it.
_ELEMENT = re.compile(r'<[^\s<>]+((?: [^\s/>][^\s/>=]*="[^"]*")*) style="(--r[^"]*)"')
_MARK = re.compile(rf' {MARK}="(\d+)"')
_RULE = re.compile(r"--r(\d+):")


class Source(t.NamedTuple):
    """The CSS of a ``<style>``, and whether it always applies, in every client."""

    css: str
    always: bool


class Line(t.NamedTuple):
    """A selector with its rule, and whether the rule can be moved."""

    rule: Rule
    selector: Selector
    moves: bool


class Matcher:
    """The style sheets of a document, parsed once for all documents that have the same ones."""

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
        """Return the number of each element to which a rule applies, and the rules as marks that
        :meth:`lines` reads. The number is "" for an element that has no tag in the source.

        :param marked: A document without CSS, whose tags have a :data:`MARK`.
        """
        found = _ELEMENT.findall(self._inliner.inline(marked))
        return [
            (mark[1] if (mark := _MARK.search(attributes)) else "", marks)
            for attributes, marks in found
        ]

    def lines(self, marks: str) -> list[Line]:
        """The rules that apply to an element, the strongest last."""
        numbers = map(int, _RULE.findall(marks))
        # A number that is too large comes from a comment that looks like a mark.
        return [self._lines[number] for number in numbers if number < len(self._lines)]


def _lines(items: Iterable[Item], always: bool) -> Iterator[Line]:
    for item in items:
        at_all_times = always and isinstance(item, Rule)
        for rule in rules([item]):
            for selector in rule.selectors:
                if selector.matching:
                    moves = at_all_times and rule.movable and selector.static
                    yield Line(rule, selector, moves)
