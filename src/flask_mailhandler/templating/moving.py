"""A document whose CSS is moved: every tag as it was written but for its ``style=""``."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator

from markupsafe import escape

from ..plaintext.markup import attributes
from ..plaintext.markup import events
from ..plaintext.markup import pieces
from ..plaintext.markup import Start
from ..plaintext.markup import without
from .cascade import Cascade
from .cascade import Moves
from .cascade import Origin
from .matching import Line
from .matching import MARK
from .matching import Matcher
from .matching import Source
from .stylesheet import Declaration
from .stylesheet import Group
from .stylesheet import Item
from .stylesheet import parse_style
from .stylesheet import Rule
from .stylesheet import Selector

_STYLE = re.compile(
    r"""(<style((?:[^>"']|"[^"]*"|'[^']*')*)>)(.*?)(</style[^>]*>)?\Z""", re.I | re.S
)
_CONDITION = re.compile(r"<!(?:--)?(?:<!)?\[(?:if|endif)\b", re.I)
_CONDITION_ENDS = re.compile(r"\[endif\]", re.I)
# As css-inline has it, on a <style> and on any other element.
_IGNORE = "data-css-inline"
_COMMENT = re.compile(r"<!--\[if\b[^\]]*\]>(.*)<!\[endif\]-->\Z", re.I | re.S)


def move(html: str, matcher: Callable[[tuple[Source, ...]], Matcher]) -> str:
    """Move what can be moved."""
    page = _Page(html)
    if not page.sources:
        return html
    found = matcher(tuple(page.sources))
    return "".join(_Moved(page, found).written())


class _Page:
    """A document in pieces.

    ``tags`` are the start tags by their place among the pieces, ``styles`` are the style sheets,
    and ``hidden_words`` are the classes, ids and elements that stand in comments for Outlook.
    """

    def __init__(self, html: str) -> None:
        self.pieces: list[str] = []
        self.tags: dict[int, re.Match[str]] = {}
        self.styles: dict[int, re.Match[str]] = {}
        self.sources: list[Source] = []
        self.hidden_words: set[str] = set()
        conditional = False
        for source, match in pieces(html):
            here = len(self.pieces)
            self.pieces.append(source)
            if match is None:
                continue
            if _CONDITION.match(source):
                conditional = not _CONDITION_ENDS.search(source)
            if match["tag"]:
                if match["whole"] and not match["end"]:
                    self.tags[here] = match
            elif source.startswith("<!"):
                self.hidden_words.update(_words_of_comment(source))
            elif (style := _STYLE.match(source)) and (read := _source_of(style, conditional)):
                self.styles[here] = style
                self.sources.append(read)

    def marked(self) -> str:
        """The document with numbered tags, and with no style of its own."""
        made = self.pieces.copy()
        for here, tag in self.tags.items():
            rest = without("style", without(_IGNORE, tag["attributes"]))
            made[here] = f'<{tag["tag"]} {MARK}="{here}"{rest}>'
        for here in self.styles:
            made[here] = ""
        return "".join(made)

    def is_left_alone(self, here: int) -> bool:
        """Whether a tag says that nothing is to be moved into it."""
        return _IGNORE in self.tags[here][0] and _IGNORE in attributes(
            self.tags[here]["attributes"]
        )


def _source_of(style: re.Match[str], conditional: bool) -> Source | None:
    """The CSS of a ``<style>``; None if it holds for nobody, or is not CSS.

    :param conditional: Whether some versions of Outlook do not see it.
    """
    given = attributes(style[2])
    kind = given.get("type", "").strip().lower()
    if kind not in ("", "text/css") or "disabled" in given:
        return None
    medium = given.get("media", "").strip().lower()
    always = medium in ("", "all") and _IGNORE not in given and not conditional
    return Source(style[3], always)


def _words_of_comment(source: str) -> Iterator[str]:
    comment = _COMMENT.match(source)
    for event in events(comment[1]) if comment else ():
        if isinstance(event, Start):
            yield event.tag
            yield from event.attributes.get("class", "").lower().split()
            yield event.attributes.get("id", "").lower()


class _Moved:
    """A document, and what becomes of its CSS."""

    def __init__(self, page: _Page, matcher: Matcher) -> None:
        self._page = page
        self._matcher = matcher
        self._lines: dict[int, list[Line]] = {}
        # Elements that are alike, and what has stood in their style="".
        self._own: dict[Cascade, str] = {}
        # Selectors that hold for something in the source, and for something that is not.
        self._seen: set[Selector] = set()
        self._needed: set[Selector] = set()
        for mark, lines in matcher.match(page.marked()):
            moving = {line.selector for line in lines if line.moves}
            if mark and not page.is_left_alone(int(mark)):
                self._lines.setdefault(int(mark), lines)
                self._seen |= moving
            else:
                self._needed |= moving
        self._cascades = self._build_cascades()
        self._moves = Moves([*self._own])
        self._styles = {cascade: self._style_of(cascade, own) for cascade, own in self._own.items()}

    def _build_cascades(self) -> dict[int, Cascade]:
        made: dict[tuple[tuple[Line, ...], str], Cascade] = {}
        found = {}
        for here, lines in self._lines.items():
            own = attributes(self._page.tags[here]["attributes"]).get("style", "").strip()
            key = (*lines,), own
            if key not in made:
                made[key] = Cascade(_contenders(lines, own))
                self._own[made[key]] = own
            found[here] = made[key]
        return found

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

    def written(self) -> Iterator[str]:
        """The document."""
        sheets = iter(self._matcher.sheets)
        for here, source in enumerate(self._page.pieces):
            if here in self._page.styles:
                yield self._style(self._page.styles[here], next(sheets))
            elif here in self._cascades:
                yield self._tag(self._page.tags[here], self._cascades[here])
            else:
                yield source

    def _tag(self, tag: re.Match[str], cascade: Cascade) -> str:
        style = self._styles[cascade]
        if not style:
            return tag[0]
        rest = without("style", tag["attributes"]).rstrip()
        slash = "/" if rest.endswith("/") else ""
        return f'<{tag["tag"]}{rest.removesuffix("/").rstrip()} style="{style}"{slash}>'

    def _style(self, style: re.Match[str], items: Collection[Item]) -> str:
        written = [self._item(item) for item in items]
        css = "\n".join(filter(None, written))
        if style[3].strip() and written == [_text(item) for item in items]:
            return style[0]
        return f"{style[1]}\n{css}\n</style>" if css else ""

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
        """What stays of a rule: all of it for some of its selectors, a part for the others."""
        whole = [one for one in rule.selectors if self._stays(one)]
        every = rule.declarations
        if len(whole) == len(rule.selectors) and all(
            rule.movable is False or one.important == self._moves.important(one) for one in every
        ):
            return rule.text
        rest = [one for one in rule.selectors if one not in whole]
        kept = [one for one in every if self._moves.kept(one)]
        return "\n".join(filter(None, [self._block(whole, every), self._block(rest, kept)]))

    def _stays(self, selector: Selector) -> bool:
        hidden = self._page.hidden_words
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
    """As the value of an attribute. Some clients do not read a reference in it."""
    if "'" not in style:
        style = style.replace('"', "'")
    return str(escape(style)).replace("&#39;", "'").replace("&#34;", "&quot;")
