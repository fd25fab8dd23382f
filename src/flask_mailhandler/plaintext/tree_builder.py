"""Events of markup, in any order and number, to a tree of blocks."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Iterable
from collections.abc import Mapping

from .block import Block
from .block import HEADINGS
from .links import cite
from .links import shown
from .marks import raised
from .marks import strike
from .markup import End
from .markup import Start
from .numbering import markers
from .space import collapse
from .space import squeeze

_ROW = ("caption", "td", "th", "tr")
_SECTIONS = ("tbody", "tfoot", "thead")
_EMPTY_TAGS = "area base br col embed hr img input link meta param source track wbr"
_EMPTY = frozenset(_EMPTY_TAGS.split())
_UNSEEN = frozenset(("datalist", "noscript", "template", "xml"))

# An end tag does not end an element across an open element of a higher rank.
_INLINE, _BLOCK, _CELL, _TABLE = range(4)
_BLOCK_TAGS = """
    address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption
    figure footer form header hgroup hr legend li main menu nav ol p pre search section summary ul
"""
_RANKS = {
    **dict.fromkeys((*_BLOCK_TAGS.split(), *HEADINGS), _BLOCK),
    **dict.fromkeys((*_ROW, *_SECTIONS), _CELL),
    "table": _TABLE,
}
# A start tag, the elements that it ends, and the elements that it does not reach across.
_ENDS: dict[str, tuple[tuple[str, ...], tuple[str | int, ...]]] = {
    "a": (("a",), (_CELL, _TABLE)),
    "li": (("li",), ("ul", "ol", _CELL, _TABLE)),
    "dd": (("dd", "dt"), ("dl", _CELL, _TABLE)),
    "dt": (("dd", "dt"), ("dl", _CELL, _TABLE)),
    "td": (("td", "th", "caption"), (_TABLE,)),
    "th": (("td", "th", "caption"), (_TABLE,)),
    "tr": (_ROW, (_TABLE,)),
    **dict.fromkeys(HEADINGS, (HEADINGS, (_CELL, _TABLE))),
    **dict.fromkeys(_SECTIONS, ((*_ROW, *_SECTIONS), (_TABLE,))),
}

# Declarations in a style without its white space.
_ZERO = r"0(?:\.0+)?(?:px|pt|r?em|%)?"
_NO_SIZE = re.compile(_ZERO)
_HIDDEN = re.compile(
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)"
    rf"|(?:max-height|opacity):{_ZERO})(?:;|!|$)"
)
_MSO_HIDDEN = re.compile(r"(?:^|;)mso-hide:all(?:;|!|$)")
_FONT_SIZE = re.compile(r"(?:^|;)font-size:([^;!]*)")
_VERBATIM = re.compile(r"(?:^|;)white-space:(?:pre|pre-wrap|break-spaces)(?:;|!|$)")
_STRUCK_TAGS = frozenset(("del", "s", "strike"))
_STRUCK = re.compile(r"(?:^|;)text-decoration(?:-line)?:[^;]*line-through")
_PIXEL = re.compile(r"(?:^|;)(?:width|height):[01](?:px)?(?:;|!|$)")


@dataclasses.dataclass(slots=True)
class _Open:
    """An element that is still open, and how its text is treated."""

    tag: str
    rank: int
    block: Block
    hidden: bool = False
    # A font size of 0 hides text, but not images or elements with their own size: many tools set it
    # on each cell of a layout, to close gaps between images.
    no_size: bool = False
    struck: bool = False
    # The child of its block that struck-out text begins with, if the text before is not struck out.
    struck_from: int | None = None


@dataclasses.dataclass(slots=True)
class _Link:
    """An ``<a>``, and the position of its text, or of its text in the last block."""

    url: str
    label: str
    block: Block
    start: int
    end: int
    picture: bool = False


def build(events: Iterable[Start | End | str]) -> Block:
    """Return the root of the tree of blocks."""
    tree = _Tree()
    for event in events:
        match event:
            case Start(tag, attributes):
                tree.start(tag, attributes)
            case End(tag):
                tree.end(tag)
            case text:
                tree.text(text)
    return tree.close()


class _Tree:
    """Builds the tree from start tags, end tags and text."""

    def __init__(self) -> None:
        self._root = Block("body", {})
        self._open = [_Open("body", _TABLE, self._root)]
        # The positions in _open by tag and by rank, so that no search is needed.
        self._where: defaultdict[str | int, list[int]] = defaultdict(list)
        self._link: _Link | None = None
        self._numbered: list[Block] = []
        # The URLs of links with words, and the positions of links that show only their URL.
        self._in_words: set[str] = set()
        self._bare: list[tuple[_Link, int]] = []
        # The block that just got a link or an image: a word that follows gets a space before it.
        self._set_apart: Block | None = None

    def close(self) -> Block:
        """End what is still open, and return the root."""
        self._end_link()
        for still in reversed(self._open):
            if still.struck_from is not None:
                strike(still.block, still.struck_from)
        for numbered in self._numbered:
            items = [one for one in numbered.children if isinstance(one, Block) and one.tag == "li"]
            for item, marker in zip(
                items,
                markers(numbered.attributes, [one.attributes for one in items]),
                strict=True,
            ):
                item.marker = marker
        for link, place in self._bare:
            if link.url in self._in_words:
                link.block.children[place] = " "
        return self._root

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        rank = _RANKS.get(tag, _INLINE)
        if rank:
            self._end_nearest(("p",), (_CELL, _TABLE))
        if tag in _ENDS:
            self._end_nearest(*_ENDS[tag])
        around = self._open[-1]
        style = _style(attributes)
        if around.hidden or tag in _UNSEEN or _is_hidden(tag, attributes, style):
            opened = _Open(tag, rank, around.block, hidden=True)
        else:
            melts = rank == _INLINE or tag in _SECTIONS
            block = around.block if melts else self._block(tag, attributes, style)
            size = _FONT_SIZE.findall(style)
            no_size = _NO_SIZE.fullmatch(size[-1]) is not None if size else around.no_size
            opened = _Open(tag, rank, block, no_size=no_size)
            if around.struck or tag in _STRUCK_TAGS or _STRUCK.search(style):
                opened.struck = True
                opened.struck_from = None if around.struck else len(block.children)
        if tag in _EMPTY:
            if not opened.hidden:
                self._empty(tag, attributes, style)
            return
        self._where[tag].append(len(self._open))
        self._where[rank].append(len(self._open))
        self._open.append(opened)
        if tag == "a" and not opened.hidden:
            self._start_link(attributes)

    def end(self, tag: str) -> None:
        rank = _RANKS.get(tag, _INLINE)
        self._end_nearest((tag,), range(rank + 1, _TABLE + 1))

    def text(self, text: str) -> None:
        around = self._open[-1]
        if text and not around.hidden and not around.no_size:
            if around.tag in ("sub", "sup"):
                text = raised(text, around.tag)
            self._add(text if around.block.verbatim else collapse(text))

    def _end_nearest(self, tags: Iterable[str], unless: Iterable[str | int]) -> None:
        """End the nearest open element of each of *tags*, and all elements in it, unless an element
        of *unless* was opened after it."""
        nearest = [self._where[tag][-1] for tag in tags if self._where[tag]]
        if not nearest:
            return
        border = max((self._where[key][-1] for key in unless if self._where[key]), default=0)
        last = min((position for position in nearest if position > border), default=None)
        while last is not None and len(self._open) > last:
            ended = self._open.pop()
            self._where[ended.tag].pop()
            self._where[ended.rank].pop()
            if ended.tag == "a":
                self._end_link()
            if ended.struck_from is not None and strike(ended.block, ended.struck_from):
                self._set_apart = ended.block

    def _block(self, tag: str, attributes: Mapping[str, str], style: str) -> Block:
        around = self._open[-1].block
        verbatim = tag == "pre" or around.verbatim or _VERBATIM.search(style) is not None
        block = Block(tag, attributes, verbatim)
        if tag == "ol":
            self._numbered.append(block)
        around.children.append(block)
        return block

    def _empty(self, tag: str, attributes: Mapping[str, str], style: str) -> None:
        if tag == "br":
            self._add("\n")
        elif tag == "img" and not _is_pixel(attributes, style):
            if alt := squeeze(attributes.get("alt", "")):
                self._add(alt)
                self._set_apart = self._open[-1].block
            if self._link:
                self._link.picture = True

    def _add(self, text: str) -> None:
        block = self._open[-1].block
        if block is self._set_apart and text[:1].isalnum():
            text = " " + text
        self._set_apart = None
        here = len(block.children)
        block.children.append(text)
        if (link := self._link) is None:
            return
        if link.block is block and link.end == here:
            link.end += 1
        elif not text.isspace():
            link.block, link.start, link.end = block, here, here + 1

    def _start_link(self, attributes: Mapping[str, str]) -> None:
        self._end_link()
        if url := shown(attributes.get("href", "")):
            label = squeeze(attributes.get("aria-label") or attributes.get("title", ""))
            block = self._open[-1].block
            here = len(block.children)
            self._link = _Link(url, label, block, here, here)

    def _end_link(self) -> None:
        """Write the URL of the link after its text, in the block that has the text."""
        link, self._link = self._link, None
        if link is None:
            return
        children = link.block.children
        # All of these are strings: a block between them would have moved the start.
        source = "".join(map(str, children[link.start : link.end]))
        if squeeze(source):
            text = source.strip()
            self._in_words.add(link.url)
        elif link.label or link.picture:
            text = link.label or link.url
            if not link.label:
                self._bare.append((link, link.start))
        else:
            return
        before, _, after = source.partition(text)
        children[link.start : link.end] = [before + cite(text, link.url) + after]
        self._set_apart = link.block


def _style(attributes: Mapping[str, str]) -> str:
    return "".join(attributes.get("style", "").lower().split())


def _is_hidden(tag: str, attributes: Mapping[str, str], style: str) -> bool:
    if "hidden" in attributes or _HIDDEN.search(style):
        return True
    # On other elements it hides from Outlook what other clients show, such as a button for which
    # Outlook has its own version in a conditional comment.
    return tag in ("div", "p", "span") and _MSO_HIDDEN.search(style) is not None


def _is_pixel(attributes: Mapping[str, str], style: str) -> bool:
    sizes = (attributes.get("width", ""), attributes.get("height", ""))
    return any(re.fullmatch(r"\s*[01](?:px)?\s*", size) for size in sizes) or (
        _PIXEL.search(style) is not None
    )
