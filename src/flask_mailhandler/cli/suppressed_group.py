"""``flask mail suppressed``: its commands and options."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import click

_Function: t.TypeAlias = Callable[..., t.Any]


def suppressed_commands(
    within: Callable[[_Function], _Function], run: Callable[..., None]
) -> click.Group:
    """Return the commands for the suppressed addresses of an app.

    :param within: Adds the app context.
    :param run: Calls a function of ``cli.suppressed`` by its name, and prints an error in one line.
    """
    suppressed = click.Group("suppressed", help="Show or change the addresses that get no mail.")

    @suppressed.command("list")
    @_of_list("Only entries for this list; '' are those for all mail.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
    @within
    def list_(list_name: str | None, limit: int) -> None:
        """List suppressed addresses in alphabetical order."""
        run("list_entries", list_name, limit)

    @suppressed.command("add")
    @click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
    @_of_list("Only for mail of this list.")
    @click.option("--reason", default="added by hand", show_default=True)
    @within
    def add(addresses: tuple[str, ...], list_name: str | None, reason: str) -> None:
        """Suppress addresses."""
        run("add", addresses, list_name or "", reason)

    @suppressed.command("remove")
    @click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
    @_of_list("Only the entry for this list. Default: all entries of the address.")
    @within
    def remove(addresses: tuple[str, ...], list_name: str | None) -> None:
        """Let addresses get mail again."""
        run("remove", addresses, list_name)

    @suppressed.command("export")
    @click.argument("file", type=click.File("w", encoding="utf-8", lazy=True), default="-")
    @within
    def export(file: t.TextIO) -> None:
        """Write all entries as CSV, into a file or to standard output."""
        run("export", file)

    @suppressed.command("import")
    @click.argument("file", type=click.File("r", encoding="utf-8"), default="-")
    @_of_list("The list of the rows that name none.")
    @within
    def import_(file: t.TextIO, list_name: str | None) -> None:
        """Read entries as CSV, from a file or from standard input.

        The file may be one of 'export', one of another service with a field such as 'email', or one
        with an address on each line. If a line cannot be read, nothing is imported.
        """
        run("import_", file, list_name or "")

    return suppressed


def _of_list(help: str) -> Callable[[_Function], _Function]:
    return click.option("--list", "list_name", metavar="LIST", help=help)
