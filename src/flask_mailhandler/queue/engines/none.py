"""The engine "none": workers look for mail by themselves."""

from __future__ import annotations

from .base import Engine


class NoEngine(Engine):
    """Tells no worker. ``flask mail worker`` finds the mail that is due."""

    def ring(self, account: str, due: float) -> None:
        """Do nothing."""
