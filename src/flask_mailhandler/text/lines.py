"""How long a line may be (RFC 5322 section 2.1.1)."""

from __future__ import annotations

MUST = 998
"""Octets of a line, without its line end: more may be cut by a server."""


def has_long_line(data: bytes, limit: int = MUST) -> bool:
    """Say whether a line, which ends with LF, is longer than *limit* octets."""
    start = 0
    # Each step goes to the last LF within reach, so there are few of them in a long text.
    while len(data) - start > limit:
        start = data.rfind(b"\n", start, start + limit + 1) + 1
        if not start:
            return True
    return False
