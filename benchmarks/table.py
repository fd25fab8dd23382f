"""Results as a reStructuredText table, for the terminal and for a page."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Draw a simple table. The columns after the first are right-aligned."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = "  ".join("=" * width for width in widths)

    def line(cells: Sequence[str]) -> str:
        first, *rest = zip(cells, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(c.rjust(w) for c, w in rest)]).rstrip()

    return "\n".join([rule, line(head), rule, *map(line, rows), rule])


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f}"


def times(ratio: float) -> str:
    return f"{ratio:.2f} x" if ratio < 2 else f"{ratio:.1f} x"
