"""A table of short texts to lines: in columns, or a line for each row."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Sequence

from .block import Block
from .block import HEADINGS
from .columns import align
from .columns import Cell
from .columns import width
from .space import squeeze

_LONGEST_ROW = 78
# A short text has at most this many lines of this length, not counting URLs.
_FEW_LINES = 4
_SHORT_LINE = 60
# "•" or "1.", in its own cell before the text that it belongs to.
_BULLET = 3
_SEPARATORS = ("|", "·", "•")  # Between cells; not needed between lines.

# Elements that a cell of short text does not have.
_STRUCTURE = frozenset((*HEADINGS, "blockquote", "dl", "hr", "li", "ol", "pre", "table", "ul"))
_RIGHT = re.compile(r"text-align\s*:\s*(?:right|end)\b", re.IGNORECASE)
# Between a block in a cell and the text around it. In text this character has become a space.
_BORDER = "\r"


def table_lines(table: Block) -> list[str] | None:
    """Return the lines of a table if all its cells are short texts; None if not."""
    title: list[str] = []
    rows: list[list[Cell]] = []
    for child in table.children:
        if isinstance(child, str):
            if squeeze(child):
                return None
        elif child.tag == "tr":
            if (cells := _cells(child)) is None or not _are_short(cells):
                return None
            rows.append(cells)
        elif child.tag == "caption" and (lines := _flat(child)):
            title = [*lines, ""]
        else:
            return None
    filled = [row for row in rows if any(cell.lines for cell in row)]
    if not filled:
        return None
    found = (_is_data(table, filled) and align(filled)) or _one_line_each(filled)
    return None if found is None else title + found


def row_lines(row: Block) -> list[str] | None:
    """Return the lines of a row outside columns; None if it is to be written block by block."""
    return _in_line(_cells(row) or [])


def _is_data(table: Block, rows: Sequence[Sequence[Cell]]) -> bool:
    """Return whether this is a table of data. Its role alone does not tell, because mail generators
    write it on all tables: headings, or rows with the same number of filled cells, count more."""
    if table.attributes.get("role", "").strip().lower() not in ("none", "presentation"):
        return True
    filled = {sum(bool(cell.lines) for cell in row) for row in rows}
    return len(filled) == 1 or any(cell.heading for row in rows for cell in row)


def _one_line_each(rows: Iterable[Sequence[Cell]]) -> list[str] | None:
    lines: list[str] = []
    for row in rows:
        if len(line := _in_line(row) or []) != 1:
            return None
        lines += line
    return lines


def _in_line(row: Sequence[Cell]) -> list[str] | None:
    """Return a row as one line if there is room, else as one line for each cell; None if its
    cells are to be written block by block."""
    texts = [cell.lines for cell in row if cell.lines]
    if len(texts) == 1 and _are_short(row):
        return list(texts[0])
    if not texts or max(map(len, texts)) > 1:
        return None
    words = [text for (text,) in texts]
    if len(words) == 2 and _is_bullet(words[0]):
        return [" ".join(words)]
    line = "  ".join(words)
    if width(line) <= _LONGEST_ROW:
        return [line]
    return [text for text in words if text not in _SEPARATORS] if _are_short(row) else None


def _is_bullet(text: str) -> bool:
    return len(text) <= _BULLET and not text.isalnum()


def _are_short(cells: Iterable[Cell]) -> bool:
    return all(map(_is_short, cells))


def _is_short(cell: Cell) -> bool:
    if len(cell.lines) > _FEW_LINES:
        return False
    words = ([word for word in line.split(" ") if "://" not in word] for line in cell.lines)
    return all(width(" ".join(some)) <= _SHORT_LINE for some in words)


def _cells(row: Block) -> list[Cell] | None:
    """Return the cells of a row; None if it has anything except text."""
    cells = []
    for child in row.children:
        if isinstance(child, str):
            if squeeze(child):
                return None
            continue
        if (lines := _flat(child)) is None:
            return None
        heading = child.tag == "th"
        cells.append(Cell(lines, _span(child), heading, _is_right(child)))
    return cells


def _span(cell: Block) -> int:
    found = re.match(r"\s*(\d{1,9})", cell.attributes.get("colspan", ""))
    return int(found[1]) or 1 if found else 1


def _is_right(cell: Block) -> bool:
    if cell.attributes.get("align", "").strip().lower() == "right":
        return True
    return _RIGHT.search(cell.attributes.get("style", "")) is not None


def _flat(cell: Block) -> list[str] | None:
    """Return the lines of a cell; None if it has paragraphs, a list or a blank line."""
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
