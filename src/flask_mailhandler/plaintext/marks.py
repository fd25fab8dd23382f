"""Superscript, subscript and struck-out text, marked in plain text."""

from __future__ import annotations

from .block import Block
from .space import squeeze

_STRIKE = "~~"
# Without these, "10<sup>2</sup>" would read as 102.
_RAISED = {
    "sub": str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎"),
    "sup": str.maketrans("0123456789+-−=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾"),
}


def raised(text: str, tag: str) -> str:
    """Return digits as superscript or subscript. A text with other letters is not changed."""
    letters, table = text.strip(), _RAISED[tag]
    return text.translate(table) if all(ord(one) in table for one in letters) else text


def strike(block: Block, start: int) -> bool:
    """Mark the text from the child *start* on as struck out, in each block.

    :return: Whether there is any text.
    """
    todo: list[tuple[Block, int]] = [(block, start)]
    struck = False
    while todo:
        here, first = todo.pop()
        words: list[int] = []
        for place, child in enumerate(here.children[first:], first):
            if not isinstance(child, str):
                todo.append((child, 0))
            elif squeeze(child):
                words.append(place)
        if words:
            _put(here, words[0], before=True)
            _put(here, words[-1], before=False)
            struck = True
    return struck


def _put(block: Block, place: int, *, before: bool) -> None:
    text = str(block.children[place])
    kept = text.lstrip() if before else text.rstrip()
    space = text[: len(text) - len(kept)] if before else text[len(kept) :]
    block.children[place] = f"{space}{_STRIKE}{kept}" if before else f"{kept}{_STRIKE}{space}"
