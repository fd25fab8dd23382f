"""Bounds for the results, and whether a run met them."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Target:
    """A measured value and its bound: at least ``least``, or at most ``most``."""

    what: str
    value: float
    unit: str
    least: float | None = None
    most: float | None = None

    @property
    def is_kept(self) -> bool:
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    def __str__(self) -> str:
        bound = f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"
        verdict = "kept" if self.is_kept else "MISSED"
        return f"{verdict:6}  {self.what}: {self.value:.3g} {self.unit} ({bound})"
