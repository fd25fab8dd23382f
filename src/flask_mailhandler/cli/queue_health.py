"""``flask mail queue health``: whether the queue sends its mail, for a probe."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Collection

import click

from ..app.queue_keys import duration
from ..handlers.console import visible
from ..queue.current import current_queue
from ..queue.health.result import QueueHealth
from ..queue.health.span import span
from .table import print_table


def health(
    *,
    as_json: bool,
    strict: bool,
    using: str | None,
    only: Collection[str],
    max_failed: int | None,
    **times: str | None,
) -> int:
    """Print what is wrong with the queue.

    :param strict: Whether a warning is a failure.
    :return: The exit code: 0, or 1 if the queue is unhealthy.
    :raises ConfigurationError: if an option cannot be used.
    """
    options: dict[str, t.Any] = {
        name: duration(value, f"--{name.replace('_', '-')}")
        for name, value in times.items()
        if value is not None
    }
    if max_failed is not None:
        options["max_failed"] = max_failed
    found = current_queue().health(using=using, only=only, **options)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))  # in ASCII, as for a terminal
    else:
        _print(found, bool(only))
    return int(bool(found.findings) if strict else not found.ok)


def _print(found: QueueHealth, only_some: bool) -> None:
    click.echo(f"The queue in {visible(found.store)} is {found.status}.")
    if found.findings:
        click.echo()
        print_table([(one.severity, one.name, one.text) for one in found.findings])
    elif found.age is None and only_some:
        click.echo("It cannot be read, or was never used. To see which, leave out --only.")
    elif found.age is None:
        click.echo("No mail was ever queued there.")
    elif found.age >= 1:
        click.echo(f"The oldest due message is overdue by {span(found.age)}.")
