"""No engine: workers look for themselves."""

from __future__ import annotations

from .base import Engine


class NoEngine(Engine):
    """Tells nobody. ``flask mail worker`` finds what is due."""

    def ring(self, account: str, due: float) -> None:
        """Nobody is told."""
