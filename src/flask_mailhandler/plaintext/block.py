"""A block: a paragraph, a list, a cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")


@dataclasses.dataclass(slots=True, eq=False)
class Block:
    """An element that begins and ends a line, such as a paragraph, a list or a cell.

    ``children`` are blocks, and pieces of text before, between and after them. A newline in a
    piece breaks the line. Runs of spaces may still span several pieces.
    """

    tag: str
    attributes: Mapping[str, str]
    verbatim: bool = False
    children: list[Block | str] = dataclasses.field(default_factory=list)
    # Of an item in a list: "7." or "-".
    marker: str = "-"
