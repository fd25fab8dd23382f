"""The providers by name."""

from __future__ import annotations

import importlib
import typing as t

from .told import Maker


def maker_of(provider: str) -> Maker:
    """Return what makes the requests of a provider."""
    return t.cast(Maker, importlib.import_module(f".{provider}", __package__).requests)
