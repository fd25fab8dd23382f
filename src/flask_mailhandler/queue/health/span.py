"""A time in words."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Return a number of seconds as a text such as ``12 min``."""
    whole = round(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
