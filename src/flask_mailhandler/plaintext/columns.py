"""Cells of text in columns.

Item         Quantity  Amount
-----------  --------  ------
Blue mug            2  $24.00
Postage                 $5.00
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import accumulate

# No message needs more columns. A colspan may be 999999999.
_MOST_COLUMNS = 20
_WIDEST = 120
_GAP = "  "
# "3", "-3.50", "$24.00", "1 299,00 kr", "USD 12", "(12%)"; "2026-11-20" and "v1.2" are words.
_NUMBER = re.compile(
    r"[-+−(]{0,2}(?:[A-Z]{3}\s|[A-Z]{0,2}[^\w\s])?\s?[-+−]?\d[\d.,'’\s]*(?:[^\w\s]|[A-Z]{3}|kr|zł)?\)?"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """A cell: lines without white space around them, possibly none."""

    lines: Sequence[str]
    span: int = 1
    heading: bool = False
    right: bool = False


def width(text: str) -> int:
    """Return how many places *text* takes in a fixed-width font. East Asian letters and emoji take
    two places, combining marks none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def align(rows: Sequence[Sequence[Cell]]) -> list[str] | None:
    """Return the lines of a table, or None if columns would not help the reader. A table needs two
    rows, two columns that are not empty, and lines of at most 120 places.

    Columns of numbers are aligned right, and a first row of headings is underlined.
    """
    if len(rows) < 2 or any(sum(cell.span for cell in row[:-1]) >= _MOST_COLUMNS for row in rows):
        return None
    widths = _widths(rows)
    if sum(map(bool, widths)) < 2 or _room(widths) > _WIDEST:
        return None
    right = _right(rows)
    lines = [line for row in rows for line in _row(row, widths, right)]
    if all(cell.heading or not cell.lines for cell in rows[0]):
        height = max(len(cell.lines) for cell in rows[0])
        lines.insert(height, _GAP.join("-" * places for places in widths if places))
    return lines


def _room(widths: Sequence[int]) -> int:
    """Return the places that these columns take together. An empty column has no gap."""
    filled = [places for places in widths if places]
    return sum(filled) + len(_GAP) * max(0, len(filled) - 1)


def _placed(row: Sequence[Cell]) -> Iterator[tuple[int, Cell]]:
    """Yield each cell with the column that it starts in."""
    return zip(accumulate((cell.span for cell in row), initial=0), row, strict=False)


def _widths(rows: Sequence[Sequence[Cell]]) -> list[int]:
    widths = [0] * _MOST_COLUMNS
    # A last cell that spans columns widens none of them, because nothing is to the right of it.
    placed = [
        (cell.span, column, max(map(width, cell.lines)))
        for row in rows
        for column, cell in _placed(row)
        if cell.lines and (cell.span == 1 or cell is not row[-1])
    ]
    # Narrow cells come first, so that a wide one adds only the places that are missing.
    for span, column, needed in sorted(placed):
        room = _room(widths[column : column + span])
        widths[column] += max(0, needed - room)
    return widths


def _right(rows: Sequence[Sequence[Cell]]) -> set[int]:
    """Return the columns of which all cells are numbers or aligned right."""
    numbers: set[int] = set()
    words: set[int] = set()
    for row in rows:
        for column, cell in _placed(row):
            if cell.lines and cell.span == 1 and not cell.heading:
                number = cell.right or all(map(_NUMBER.fullmatch, cell.lines))
                (numbers if number else words).add(column)
    return numbers - words


def _row(row: Sequence[Cell], widths: Sequence[int], right: Collection[int]) -> Iterator[str]:
    for index in range(max(len(cell.lines) for cell in row)):
        line = ""
        for column, cell in _placed(row):
            text = cell.lines[index] if index < len(cell.lines) else ""
            room = _room(widths[column : column + cell.span])
            space = " " * (room - width(text))
            if text or room:
                flush_right = cell.span == 1 and column in right
                line += (space + text if flush_right else text + space) + _GAP
        yield line.rstrip()
