"""A traceback, written from what was captured, as Python prints it."""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from collections.abc import Sequence

from .captured import Captured
from .captured import Frame
from .captured import Raised
from .masking import Masker
from .masking import readable

_RELATIONS = {
    "cause": "The above exception was the direct cause of the following exception:",
    "context": "During handling of the above exception, another exception occurred:",
}
_REPEATED = 3


def written(captured: Captured, masker: Masker, most: int) -> str:
    """Return the tracebacks of an error, with the secrets masked; "" if there is none.

    :param most: The most characters. The beginning and the end of a longer one are kept.
    """
    parts = [_one(raised, masker) for raised in captured.raised]
    text = "\n".join(part for part in parts if part)
    if captured.stack:
        text = f"{text}\n\n{masker.text(captured.stack)}".strip()
    if len(text) > most:
        half = most // 2
        text = f"{text[:half]}\n\n  [{len(text) - most} characters left out]\n\n{text[-half:]}"
    return text


def _one(raised: Raised, masker: Masker) -> str:
    lines = []
    if relation := _RELATIONS.get(raised.relation):
        lines += ["", relation, ""]
    if raised.relation == "member":
        lines += ["", "In the group:", ""]
    if raised.first:
        lines.append("Traceback (most recent call last):")
    lines += _frames(raised.first, masker)
    if raised.left_out:
        lines.append(f"  [{raised.left_out} calls left out]")
    lines += _frames(raised.last, masker)
    lines.append(masker.text(f"{raised.kind}: {raised.text}" if raised.text else raised.kind))
    lines += map(masker.text, raised.notes)
    return "\n".join(lines)


def _frames(frames: Sequence[Frame], masker: Masker) -> Iterator[str]:
    before: Frame | None = None
    repeated = 0
    for frame in frames:
        repeated = repeated + 1 if frame[:3] == (before and before[:3]) else 0
        before = frame
        if repeated < _REPEATED:
            yield from _frame(frame, masker)
        elif repeated == _REPEATED:
            yield "  [the same call again]"


def _frame(frame: Frame, masker: Masker) -> Iterator[str]:
    yield readable(f'  File "{frame.file}", line {frame.line}, in {frame.function}')
    if line := linecache.getline(frame.file, frame.line).strip():
        yield f"    {masker.code(line[:500])}"
    for name, value in masker.pairs(frame.variables):
        yield f"      {name} = {value}"
