"""The lines of a page of text, from blocks."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import partial

from .blocks import Block
from .blocks import HEADINGS
from .columns import align
from .columns import Cell
from .columns import width
from .space import squeeze
from .space import verbatim

_SPACED_TAGS = "blockquote caption dl figure hr ol p pre table td th tr ul"
_SPACED = frozenset((*HEADINGS, *_SPACED_TAGS.split()))
_UNDERLINES = {"h1": "=", "h2": "-"}
# What makes of a cell more than a few lines of text.
_STRUCTURE = frozenset((*HEADINGS, "blockquote", "dl", "hr", "li", "ol", "pre", "table", "ul"))
_RIGHT = re.compile(r"text-align\s*:\s*(?:right|end)\b", re.IGNORECASE)

_RULE = "-" * 40
_LONGEST_UNDERLINE = 72
_LONGEST_ROW = 78
# Little text in a cell is this many lines of this length, not counting URLs.
_FEW = 4
_SHORT = 60
# "•" or "1.", in a cell of its own before the text that it belongs to.
_BULLET = 3
_SEPARATORS = ("|", "·", "•")  # Between cells, of no use between lines.
# No line is indented further: a hundred thousand quotations would fill the memory.
_DEEPEST = 40

# Between a block in a cell and the text around it; in text it has become a space.
_BORDER = "\r"

_Step: t.TypeAlias = Block | Callable[[], None]


class Page:
    """Lines, and what is to stand before the next of them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        # Before the next line, and before those after it: "- " and "  ".
        self._first = self._rest = ""
        # What begins the blank line that is due before the next line, if one is.
        self._gap: str | None = None
        self._lists = 0

    def write(self, root: Block) -> None:
        """Write *root* and all that is in it."""
        todo: list[_Step] = [root]
        while todo:
            step = todo.pop()
            if isinstance(step, Block):
                todo.extend(reversed(self._begin(step)))
            else:
                step()

    def _begin(self, block: Block) -> list[_Step]:
        """Begin *block*, and say what is to be done until it has ended."""
        is_list = block.tag in ("ol", "ul")
        if spaced := block.tag in _SPACED and not (is_list and self._lists):
            self._space()
        end = partial(self._end, block, spaced, len(self.lines), self._first, self._rest)
        if (lines := _written_at_once(block)) is not None:
            return [*(partial(self._line, line) for line in lines), end]
        self._lists += is_list
        first, rest = _indents(block)
        if len(self._first) < _DEEPEST:
            self._first += first
            self._rest += rest
        write = self._verbatim if block.verbatim else self._text
        steps = (run if isinstance(run, Block) else partial(write, run) for run in _runs(block))
        return [*steps, end]

    def _end(self, block: Block, spaced: bool, count: int, first: str, rest: str) -> None:
        wrote = len(self.lines) - count
        if block.tag in _UNDERLINES and 0 < wrote <= _FEW:
            self._gap = None
            longest = max(map(width, self.lines[count:])) - len(rest)
            self._line(_UNDERLINES[block.tag] * min(longest, _LONGEST_UNDERLINE))
        if block.tag == "li" and wrote:
            self._gap = None
        self._lists -= block.tag in ("ol", "ul")
        self._rest = rest
        self._first = rest if wrote else first
        if spaced:
            self._space()

    def _text(self, text: str) -> None:
        """Write a piece of text between blocks."""
        *lines, last = text.split("\n")
        for line in lines:
            if words := squeeze(line):
                self._line(words)
            else:
                self._space()
        if words := squeeze(last):
            self._line(words)
        elif "\xa0" in last:  # That is how many an editor writes an empty line.
            self._space()

    def _verbatim(self, text: str) -> None:
        for line in verbatim(text):
            self._line(line)

    def _line(self, text: str) -> None:
        if self._gap is not None and self.lines:
            self.lines.append(self._gap.rstrip())
        self._gap = None
        self.lines.append((self._first + text).rstrip())
        self._first = self._rest

    def _space(self) -> None:
        """Ask for a blank line before the next one. Those that come together are one, and belong
        to the outermost block of them; none comes between "- " and its text."""
        if self.lines and self._first == self._rest:
            self._gap = self._rest if self._gap is None else min(self._gap, self._rest, key=len)


def _runs(block: Block) -> Iterator[Block | str]:
    """What is in *block*, all text between two blocks in one piece."""
    text: list[str] = []
    for child in block.children:
        if isinstance(child, str):
            text.append(child)
            continue
        if text:
            yield "".join(text)
            text.clear()
        yield child
    if text:
        yield "".join(text)


def _indents(block: Block) -> tuple[str, str]:
    """What stands before the first line of *block*, and before the others."""
    if block.tag == "li":
        return f"{block.marker} ", "  "
    indent = {"blockquote": "> ", "dd": "  "}.get(block.tag, "")
    return indent, indent


def _written_at_once(block: Block) -> list[str] | None:
    """The lines of a rule, of a table of little texts, or of such a row in a larger table; None if
    *block* is to be written block by block."""
    match block.tag:
        case "hr":
            return [_RULE]
        case "table":
            return _table(block)
        case "tr":
            return _row(_cells(block) or [])
    return None


def _table(table: Block) -> list[str] | None:
    """The lines of a table whose cells all hold little text."""
    title: list[str] = []
    rows: list[list[Cell]] = []
    for child in table.children:
        if isinstance(child, Block) and child.tag == "tr":
            cells = _cells(child)
            if cells is None or not all(map(_is_little, cells)):
                return None
            if any(cell.lines for cell in cells):
                rows.append(cells)
        elif isinstance(child, Block) and child.tag == "caption" and (lines := _flat(child)):
            title = [*lines, ""]
        elif isinstance(child, Block) or squeeze(child):
            return None
    if not rows:
        return None
    if _is_data(table, rows) and (lines := align(rows)):
        return title + lines
    lines = []
    for row in rows:
        if len(line := _row(row) or []) != 1:
            return None
        lines += line
    return title + lines


def _is_data(table: Block, rows: Sequence[Sequence[Cell]]) -> bool:
    """Whether columns mean something here. The role is not to be trusted: mail generators write it
    on all tables, so headings, and rows that are all filled alike, count for more."""
    if table.attributes.get("role", "").strip().lower() not in ("none", "presentation"):
        return True
    filled = {sum(bool(cell.lines) for cell in row) for row in rows}
    return len(filled) == 1 or any(cell.heading for row in rows for cell in row)


def _row(row: Sequence[Cell]) -> list[str] | None:
    """The lines of a row outside of columns: one if there is room, else one for each cell. None if
    its cells are to stand apart."""
    texts = [cell.lines for cell in row if cell.lines]
    if len(texts) == 1 and all(map(_is_little, row)):
        return list(texts[0])
    if not texts or max(map(len, texts)) > 1:
        return None
    first = texts[0][0]
    if len(texts) == 2 and len(first) <= _BULLET and not first.isalnum():
        return [f"{first} {texts[1][0]}"]
    line = "  ".join(text for (text,) in texts)
    if width(line) <= _LONGEST_ROW:
        return [line]
    if not all(map(_is_little, row)):
        return None
    return [text for (text,) in texts if text not in _SEPARATORS]


def _is_little(cell: Cell) -> bool:
    if len(cell.lines) > _FEW:
        return False
    words = ([word for word in line.split(" ") if "://" not in word] for line in cell.lines)
    return all(width(" ".join(some)) <= _SHORT for some in words)


def _cells(row: Block) -> list[Cell] | None:
    """The cells of a row; None if there is anything but text in them."""
    cells = []
    for child in row.children:
        if isinstance(child, str):
            if squeeze(child):
                return None
            continue
        if (lines := _flat(child)) is None:
            return None
        span = re.match(r"\s*(\d{1,9})", child.attributes.get("colspan", ""))
        right = child.attributes.get("align", "").strip().lower() == "right" or (
            _RIGHT.search(child.attributes.get("style", "")) is not None
        )
        cells.append(Cell(lines, int(span[1]) or 1 if span else 1, child.tag == "th", right))
    return cells


def _flat(cell: Block) -> list[str] | None:
    """The lines of a cell; None if it holds more than lines: paragraphs, a list, a blank line."""
    pieces: list[str] = []
    paragraphs = 0
    todo: list[Block | str] = [cell]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        paragraphs += item.tag == "p"
        if paragraphs > 1 or item.tag in _STRUCTURE or item.verbatim:
            return None
        todo += [_BORDER, *reversed(item.children), _BORDER]
    lines: list[str] = []
    for text in "".join(pieces).split(_BORDER):
        some = "\n".join(map(squeeze, text.split("\n"))).strip("\n")
        if "\n\n" in some:
            return None
        lines += some.split("\n") if some else []
    return lines
