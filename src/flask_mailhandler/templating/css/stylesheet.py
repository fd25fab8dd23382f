"""A style sheet as rules, whose declarations can be examined and written again.

::

    a, a:hover { color: red; margin: 0 }     Rule     selectors a and a:hover, two declarations
    @media print { a { color: black } }      Group    "@media print" and the rules in it
    @font-face { font-family: Inter }        str      kept unchanged
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

import tinycss2
import tinycss2.ast

# At-rules that contain rules, which apply under a condition.
_CONDITIONS = frozenset({"media", "supports", "layer", "container"})
# Whether these match depends only on the document, and css-inline supports them.
_STATIC = frozenset({"empty", "not", "root"}) | {
    *("first-child", "last-child", "nth-child", "nth-last-child", "only-child"),
    *("first-of-type", "last-of-type", "nth-of-type", "nth-last-of-type", "only-of-type"),
}
_PSEUDO_ELEMENTS = frozenset({"after", "before", "first-letter", "first-line"})
# Replaces ":hover": it has the same specificity, and matches every element.
_ALWAYS = ":nth-child(n)"
# A shorthand sets the same as properties that begin with its name.
_SHORTHANDS = (
    *("animation", "background", "border", "column", "flex", "font", "grid", "inset", "list-style"),
    *("margin", "mask", "outline", "overflow", "padding", "place", "text-decoration"),
    "transition",
)
# Properties that compete with a shorthand, but do not begin with its name.
_RELATED = {
    "line-height": "font",
    **dict.fromkeys(("top", "right", "bottom", "left"), "inset"),
    **dict.fromkeys(("gap", "grid-gap", "grid-row-gap", "row-gap", "column-gap"), "gap"),
    "grid-column-gap": "gap",
    **dict.fromkeys(("align-content", "align-items", "align-self"), "place"),
    **dict.fromkeys(("justify-content", "justify-items", "justify-self"), "place"),
    "word-wrap": "overflow",
}
# -webkit-border-radius is the same as border-radius.
_VENDOR = re.compile(r"\A-(?:webkit|moz|ms|o)-")


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Declaration:
    """``color: red !important``."""

    name: str
    value: str
    important: bool
    family: str
    """The group of properties with which it competes: ``margin`` for ``margin-top``."""
    fixed: bool = False
    """Whether its rule is kept unchanged."""
    block: object = None
    """Identifies the block that contains it."""

    def written(self, important: bool) -> str:
        """The declaration as CSS, for a style sheet or ``style=""``."""
        return f"{self.name}: {self.value}{' !important' if important else ''};"


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Selector:
    """One selector in the list of a rule.

    :param matching: A selector of the same specificity for all elements that it may ever match;
        "" if it never matches an element, such as ``p::before``.
    :param static: Whether it always matches them.
    """

    text: str
    matching: str
    static: bool
    words: frozenset[str]
    """The classes, ids and elements of its last part, which name the elements that it matches."""


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """Selectors and declarations.

    :param text: The source of the whole rule.
    :param movable: Whether it contains nothing but declarations that can be moved.
    """

    selectors: Sequence[Selector]
    declarations: Sequence[Declaration]
    text: str
    movable: bool


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Group:
    """``@media print`` and the rules in it."""

    prelude: str
    items: Sequence[Item]
    text: str


Item: t.TypeAlias = Rule | Group | str


def parse(css: str) -> list[Item]:
    """Parse a style sheet. Anything that cannot be parsed is kept unchanged."""
    try:
        return [*_items(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True))]
    except RecursionError:  # blocks are nested too deep
        return [css]


def rules(items: Iterable[Item]) -> Iterator[Rule]:
    """All rules in order, including those in groups."""
    for item in items:
        if isinstance(item, Rule):
            yield item
        elif isinstance(item, Group):
            yield from rules(item.items)


def _items(nodes: Iterable[t.Any]) -> Iterator[Item]:
    for node in nodes:
        if node.type == "qualified-rule":
            yield _rule(node)
        elif node.type == "at-rule":
            yield _at_rule(node)


def _at_rule(node: tinycss2.ast.AtRule) -> Item:
    if node.content is None or node.lower_at_keyword not in _CONDITIONS:
        return node.serialize()
    inner = tinycss2.parse_rule_list(node.content, skip_comments=True, skip_whitespace=True)
    if any(one.type == "error" for one in inner):
        return node.serialize()
    prelude = f"@{node.at_keyword}{tinycss2.serialize(node.prelude)}".strip()
    return Group(prelude, [*_items(inner)], node.serialize())


def _rule(node: tinycss2.ast.QualifiedRule) -> Rule:
    content = tinycss2.parse_blocks_contents(node.content, skip_comments=True, skip_whitespace=True)
    nested = any(one.type in ("qualified-rule", "at-rule") for one in content)
    # "all" competes with everything.
    movable = not nested and all(getattr(one, "lower_name", "") != "all" for one in content)
    declarations = [*_declarations(content, fixed=not movable)]
    return Rule([*_selectors(node.prelude)], declarations, node.serialize(), movable)


def parse_style(css: str) -> list[Declaration]:
    """Parse the value of ``style=""``. It is empty if it cannot be parsed."""
    try:
        return [*_declarations(tinycss2.parse_blocks_contents(css, skip_comments=True))]
    except RecursionError:
        return []


def _declarations(nodes: Iterable[t.Any], fixed: bool = False) -> Iterator[Declaration]:
    """The declarations of a block, and of the blocks nested in it."""
    block = object()
    for one in nodes:
        if one.type == "declaration":
            name = one.name if one.name.startswith("--") else one.lower_name
            value = tinycss2.serialize(one.value).strip()
            yield Declaration(name, value, one.important, _family(name), fixed, block)
        elif one.type in ("qualified-rule", "at-rule") and one.content:
            yield from _declarations(tinycss2.parse_blocks_contents(one.content), fixed)


def _family(name: str) -> str:
    name = _VENDOR.sub("", name)
    if name in _RELATED:
        return _RELATED[name]
    return next((word for word in _SHORTHANDS if name.startswith(word)), name)


def _selectors(prelude: Iterable[t.Any]) -> Iterator[Selector]:
    tokens: list[t.Any] = []
    for token in [*prelude, tinycss2.ast.LiteralToken(0, 0, ",")]:
        if token == ",":
            yield _selector(tokens)
            tokens = []
        elif token.type != "comment":
            tokens.append(token)


def _selector(tokens: Sequence[t.Any]) -> Selector:
    made = _Reading()
    for token in tokens:
        made.read(token)
    text = tinycss2.serialize(tokens).strip()
    matching = "".join(made.matching).strip() if made.elements else ""
    return Selector(text, matching, made.static and made.elements, frozenset(made.words))


class _Reading:
    """A selector as far as its tokens were read."""

    def __init__(self) -> None:
        self.matching: list[str] = []
        self.static = self.elements = True
        self.words: set[str] = set()
        self._colon = self._apart = False

    def read(self, token: t.Any) -> None:
        after_colon, self._colon = self._colon, token == ":"
        if self._colon:
            self.elements &= not after_colon
            return
        if after_colon and token.type in ("ident", "function"):
            self._pseudo(token)
            return
        self.matching.append(token.serialize())
        if token.type == "whitespace" or token in (">", "+", "~"):
            self._apart = True
            return
        if self._apart:
            self.words.clear()
            self._apart = False
        if token.type in ("ident", "hash"):
            self.words.add(token.value.lower())
        elif token.type == "[] block":
            # Moved declarations go into this attribute.
            self.static &= not any(inner == "style" for inner in token.content)

    def _pseudo(self, token: t.Any) -> None:
        name = token.lower_value if token.type == "ident" else token.lower_name
        if name in _PSEUDO_ELEMENTS:
            self.elements = False
        elif name in _STATIC and not any(inner == ":" for inner in getattr(token, "arguments", ())):
            self.matching.append(f":{token.serialize()}")
        else:
            self.static = False
            self.matching.append(_ALWAYS)
