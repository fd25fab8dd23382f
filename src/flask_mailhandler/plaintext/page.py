"""Blocks to the lines of a page of text."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from functools import partial

from .block import Block
from .block import HEADINGS
from .columns import width
from .space import squeeze
from .space import verbatim
from .table import row_lines
from .table import table_lines

_SPACED_TAGS = "blockquote caption dl figure hr ol p pre table td th tr ul"
_SPACED = frozenset((*HEADINGS, *_SPACED_TAGS.split()))
_UNDERLINES = {"h1": "=", "h2": "-"}

_RULE = "-" * 40
_LONGEST_UNDERLINE = 72
_LONGEST_HEADING = 4  # lines; a longer one is not underlined
# No line is indented further: a hundred thousand nested quotations would fill the memory.
_DEEPEST = 40

_Step: t.TypeAlias = Block | Callable[[], None]


class Page:
    """Lines of text, and what goes before the next one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        # Before the next line, and before those after it: "- " and "  ".
        self._first = self._rest = ""
        # The indent of the blank line that goes before the next line, if there is to be one.
        self._gap: str | None = None
        self._lists = 0

    def write(self, root: Block) -> None:
        """Write *root* and everything in it."""
        todo: list[_Step] = [root]
        while todo:
            step = todo.pop()
            if isinstance(step, Block):
                todo.extend(reversed(self._begin(step)))
            else:
                step()

    def _begin(self, block: Block) -> list[_Step]:
        """Begin *block*, and return the steps until its end."""
        is_list = block.tag in ("ol", "ul")
        if spaced := block.tag in _SPACED and not (is_list and self._lists):
            self._space()
        end = partial(self._end, block, spaced, len(self.lines), self._first, self._rest)
        if (lines := _lines_at_once(block)) is not None:
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
        if block.tag in _UNDERLINES and 0 < wrote <= _LONGEST_HEADING:
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
        elif "\xa0" in last:  # Many editors write an empty line this way.
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
        """Ask for a blank line before the next one. Several in a row become one, with the indent of
        the outermost block. None is written between "- " and its text."""
        if self.lines and self._first == self._rest:
            self._gap = self._rest if self._gap is None else min(self._gap, self._rest, key=len)


def _runs(block: Block) -> Iterator[Block | str]:
    """Yield the children of *block*, with all text between two blocks joined."""
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


def _lines_at_once(block: Block) -> list[str] | None:
    """Return the lines of a rule, of a table of short texts, or of such a row in a larger table;
    None if *block* is to be written block by block."""
    match block.tag:
        case "hr":
            return [_RULE]
        case "table":
            return table_lines(block)
        case "tr":
            return row_lines(block)
    return None


def _indents(block: Block) -> tuple[str, str]:
    """Return the indent of the first line of *block*, and that of the others."""
    if block.tag == "li":
        return f"{block.marker} ", "  "
    indent = {"blockquote": "> ", "dd": "  "}.get(block.tag, "")
    return indent, indent
