"""The promises, and whether a run kept them."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Mapping
from collections.abc import Sequence

from .table import table


class Bounds(t.TypedDict, total=False):
    """What :class:`Target` takes as bounds."""

    least: float | None
    most: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A measured value and its bound: at least ``least``, or at most ``most``.

    :param worst_of: The kind that the value was measured with, if it is the worst of several.
    """

    what: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None
    worst_of: str = ""

    @property
    def is_kept(self) -> bool:
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    def cells(self) -> list[str]:
        """Return its row for :func:`promises`."""
        bound = f">= {self.least:g}" if self.least is not None else f"<= {self.most:g}"
        measured = f"{self.value:.3g}" + (f" ({self.worst_of})" if self.worst_of else "")
        return [self.what, f"{bound} {self.unit}", measured, "kept" if self.is_kept else "MISSED"]


def worst(what: str, values: Mapping[str, float], unit: str, **bounds: t.Unpack[Bounds]) -> Target:
    """Return the target of several kinds, which is kept only if it is kept by all of them."""
    pick = min if bounds.get("least") is not None else max
    kind = pick(values, key=values.__getitem__)
    return Target(what, values[kind], unit, **bounds, worst_of=kind)


def promises(targets: Sequence[Target]) -> str:
    """Return a table of what is promised and what was measured."""
    return table(
        ["what", "promised", "measured", ""],
        [target.cells() for target in targets] or [["nothing", "", "", ""]],
    )
