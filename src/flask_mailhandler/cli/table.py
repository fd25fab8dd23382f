"""Print columns. Text from servers and clients is made safe for a terminal here."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Sequence

import click

from ..handlers.console import visible

_COLORS = {"accepted": "green", "deferred": "yellow", "refused": "red", "unknown": "red"}
_COLORS |= {"failed": "red", "sent": "green", "held": "red", "expired": "red"}
_COLORS |= {
    "ok": "green",
    "error": "red",
    "to do": "red",
    "warning": "yellow",
    "no answer": "yellow",
}
_PARTIAL = re.compile(r"sent \d+/\d+ *")
_WIDEST = 100


def recipient_via(recipient: str, account: str) -> str:
    """Return a recipient, and the account that sent to it if others were sent to by another one."""
    return f"{recipient} via {account}" if account else str(recipient)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows with their columns aligned; the last column is wrapped."""
    widths = [max(len(visible(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        print_row(row, widths[:-1])


def print_row(cells: Sequence[str], widths: Sequence[int]) -> None:
    """Print one row. *widths* are those of all columns except the last."""
    safe = [visible(cell) for cell in cells]
    padded = [cell.ljust(width) for cell, width in zip(safe, widths, strict=False)]
    first = "  ".join(["", *padded])
    room = max(30, min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST) - len(first) - 2)
    wrapped = textwrap.wrap(safe[-1], room, break_long_words=False, break_on_hyphens=False) or [""]
    click.echo("  ".join(["", *map(_colored, padded), _colored(wrapped[0])]).rstrip())
    for line in wrapped[1:]:
        click.echo(" " * (len(first) + 2) + line)


def _colored(cell: str) -> str:
    color = "yellow" if _PARTIAL.fullmatch(cell) else _COLORS.get(cell.strip())
    return click.style(cell, color) if color else cell


def print_error(text: str) -> None:
    """Print an error to standard error, as Click does."""
    click.echo(f"Error: {visible(text)}", err=True)
