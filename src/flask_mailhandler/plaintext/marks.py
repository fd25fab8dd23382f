"""What a reader sees by how a text is set, and would not know from its letters."""

from __future__ import annotations

import typing as t

from .space import squeeze

if t.TYPE_CHECKING:
    from .blocks import Block

_STRIKE = "~~"
# Without them "10<sup>2</sup>" would be another number.
_RAISED = {
    "sub": str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎"),
    "sup": str.maketrans("0123456789+-−=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾"),
}


def raised(text: str, tag: str) -> str:
    """The digits of a power or an index; words stay as they are."""
    letters, table = text.strip(), _RAISED[tag]
    return text.translate(table) if all(ord(one) in table for one in letters) else text


def strike(block: Block, start: int) -> bool:
    """Mark what is struck out from the child *start* on, in each block of it; say whether there is
    anything."""
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
