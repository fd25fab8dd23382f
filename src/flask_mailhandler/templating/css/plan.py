"""What happens to the CSS of documents that have the same rules and elements."""

from __future__ import annotations

import typing as t
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from markupsafe import escape

from .cascade import Cascade
from .cascade import Moves
from .cascade import Origin
from .matching import Line
from .matching import Matcher
from .stylesheet import Declaration
from .stylesheet import Group
from .stylesheet import Item
from .stylesheet import parse_style
from .stylesheet import Rule
from .stylesheet import Selector


class Element(t.NamedTuple):
    """The rules that apply to a tag, as marks, and the value of its ``style=""``."""

    marks: str
    own: str


class Plan:
    """What goes into ``style=""``, and what stays in ``<style>``.

    :param elements: All elements of the document.
    :param others: The marks of elements into which nothing can be moved.
    :param hidden_words: See :class:`.Page`.
    """

    styles: Mapping[Element, str]
    """The values that have changed."""
    sheets: Sequence[str | None]
    """The CSS of each style sheet, None if it has not changed."""

    def __init__(
        self,
        matcher: Matcher,
        elements: frozenset[Element],
        others: frozenset[str],
        hidden_words: frozenset[str],
    ) -> None:
        self._hidden = hidden_words
        lines = {element: matcher.lines(element.marks) for element in elements}
        self._seen = _moving(line for found in lines.values() for line in found)
        self._needed = _moving(line for marks in others for line in matcher.lines(marks))
        cascades = {
            element: Cascade(_contenders(found, element.own)) for element, found in lines.items()
        }
        self._moves = Moves([*cascades.values()])
        made = {
            element: self._style_of(cascade, element.own) for element, cascade in cascades.items()
        }
        self.styles = {element: style for element, style in made.items() if style}
        self.sheets = [self._sheet(items) for items in matcher.sheets]

    def _style_of(self, cascade: Cascade, own: str) -> str:
        """The value of ``style=""``; "" if it has not changed."""
        moved = self._moves.inline(cascade)
        if raised := self._moves.raised(cascade):
            own = " ".join(
                one.written(one.important or one in raised)
                for one, origin, _ in cascade.contenders
                if origin is Origin.OWN
            )
        elif not moved:
            return ""
        return _quoted(" ".join(filter(None, [*moved, own])))

    def _sheet(self, items: Sequence[Item]) -> str | None:
        written = [self._item(item) for item in items]
        changed = written != [_text(item) for item in items]
        return "\n".join(filter(None, written)) if changed else None

    def _item(self, item: Item) -> str:
        if isinstance(item, Rule):
            return self._rule(item)
        if isinstance(item, Group):
            inner = [self._item(one) for one in item.items]
            if inner == [_text(one) for one in item.items]:
                return item.text
            return f"{item.prelude} {{ {' '.join(filter(None, inner))} }}"
        return item

    def _rule(self, rule: Rule) -> str:
        """The rest of a rule: all of it for some of its selectors, a part for the others."""
        whole = [one for one in rule.selectors if self._stays(one)]
        every = rule.declarations
        if len(whole) == len(rule.selectors) and all(
            rule.movable is False or one.important == self._moves.important(one) for one in every
        ):
            return rule.text
        rest = [one for one in rule.selectors if one not in whole]
        staying = [one for one in every if self._moves.stays(one)]
        return "\n".join(filter(None, [self._block(whole, every), self._block(rest, staying)]))

    def _stays(self, selector: Selector) -> bool:
        hidden = self._hidden
        return (
            selector not in self._seen
            or selector in self._needed
            or (bool(hidden) and selector.words <= hidden)
        )

    def _block(self, selectors: Collection[Selector], some: Collection[Declaration]) -> str:
        if not selectors or not some:
            return ""
        text = " ".join(one.written(self._moves.important(one)) for one in some)
        return f"{', '.join(one.text for one in selectors)} {{ {text} }}"


def _moving(lines: Iterable[Line]) -> set[Selector]:
    return {line.selector for line in lines if line.moves}


def _text(item: Item) -> str:
    return item if isinstance(item, str) else item.text


def _contenders(lines: Iterable[Line], own: str) -> Iterator[tuple[Declaration, Origin]]:
    for line in lines:
        origin = Origin.MOVES if line.moves else Origin.STAYS
        for declaration in line.rule.declarations:
            yield declaration, origin
    for declaration in parse_style(own) if own else ():
        yield declaration, Origin.OWN


def _quoted(style: str) -> str:
    """The value of an attribute, with few character references: some clients do not read them."""
    if "'" not in style:
        style = style.replace('"', "'")
    return str(escape(style)).replace("&#39;", "'").replace("&#34;", "&quot;")
