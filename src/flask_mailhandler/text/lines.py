"""How long a line may be (RFC 5322 section 2.1.1)."""

from __future__ import annotations

MUST = 998
"""Octets of a line, without its line end. A server may cut a longer line."""


def has_long_line(data: bytes, limit: int = MUST) -> bool:
    """Say whether a line is longer than *limit* octets. Lines end with LF."""
    start = 0
    # Each step goes to the last LF within *limit* octets, so a long text needs few of them.
    while len(data) - start > limit:
        start = data.rfind(b"\n", start, start + limit + 1) + 1
        if not start:
            return True
    return False
