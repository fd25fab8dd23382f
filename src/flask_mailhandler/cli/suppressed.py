"""``flask mail suppressed``: what each of its commands does."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

import click

from ..app.current import registration
from ..errors import MessageError
from ..handlers.console import visible
from ..queue.events.suppression import read_address
from ..queue.events.suppressions import Suppressions
from ..queue.events.suppressions import suppressions_of
from .table import print_error
from .table import print_table


def list_entries(list_name: str | None, limit: int) -> int:
    """Print entries, one on a line."""
    found = _suppressions().page(list_name=list_name, limit=limit + 1)
    if found:
        print_table(
            [
                (f"{one.since:%Y-%m-%d}", one.list_name or "all mail", str(one.address), one.reason)
                for one in found[:limit]
            ]
        )
    else:
        click.echo("No addresses.")
    if len(found) > limit:
        more = "\nThere are more. Use --limit, or 'flask mail suppressed export'."
        click.echo(registration().framework.wording(more))
    return 0


def add(addresses: Sequence[str], list_name: str, reason: str) -> int:
    """Suppress addresses, all or none."""
    suppressions = _suppressions()
    checked = [read_address(one, "suppress") for one in addresses]
    number = sum(suppressions.add(one, list_name=list_name, reason=reason) for one in checked)
    return _changed(number, "suppressed")


def remove(addresses: Sequence[str], list_name: str | None) -> int:
    """Remove the entries of addresses.

    :return: 1 if none of the addresses has any.
    """
    suppressions = _suppressions()
    checked = [read_address(one, "remove") for one in addresses]
    found = [suppressions.remove(one, list_name=list_name) for one in checked]
    for address, number in zip(addresses, found, strict=True):
        if not number:
            print_error(f"{address} is not suppressed.")
    _changed(sum(map(bool, found)), "removed")
    return 0 if any(found) else 1


def export(file: t.TextIO) -> int:
    """Write all entries as CSV."""
    number = _suppressions().export_csv(file)
    click.echo(f"{number} written.", err=True)
    return 0


def import_(file: t.TextIO, list_name: str) -> int:
    """Read entries as CSV.

    :raises ClickException: if a line of the file cannot be read.
    :raises MessageError: if the file is not UTF-8.
    """
    try:
        number = _suppressions().import_csv(file, list_name=list_name)
    except UnicodeDecodeError as error:
        raise MessageError(
            f"The file is not UTF-8 (octet {error.start}): save it as CSV in UTF-8."
        ) from error
    except MessageError as error:  # it names one line of the file on each of its own
        lines = map(visible, str(error).split("\n"))
        raise click.ClickException("\n".join(lines)) from error
    return _changed(number, "imported")


def _suppressions() -> Suppressions:
    return suppressions_of(registration())


def _changed(number: int, done: str) -> int:
    click.echo(f"{number} address{'' if number == 1 else 'es'} {done}.")
    return 0
