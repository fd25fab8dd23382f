"""No engine: workers look for themselves."""

from __future__ import annotations

from collections.abc import Sequence

from .base import Engine


class NoEngine(Engine):
    """Tells nobody. ``flask mail worker`` finds what is due."""

    def ring(self, ids: Sequence[int], due: float) -> None:
        """Nobody is told."""
