"""``flask mail queue`` and ``flask mail worker``: their commands and options."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import click

if t.TYPE_CHECKING:
    from .queue_choice import Choice

_Function: t.TypeAlias = Callable[..., t.Any]
_STATES = ("waiting", "claimed", "sent", "failed", "held", "cancelled", "expired")


def queue_commands(by: Callable[[_Function], _Function], run: Callable[..., None]) -> click.Group:
    """Return the commands for the queue of an app.

    :param by: Adds the option ``--using`` and the app context.
    :param run: Calls a function of ``cli.queue`` by its name, and prints an error in one line.
    """
    queue = click.Group("queue", help="Show, retry, cancel or delete queued messages.")

    @queue.command("status")
    @click.option("--exact", is_flag=True, help="Count all messages, also more than 10000.")
    @by
    def status(using: str | None, exact: bool) -> None:
        """Count the messages in each state, and show which accounts are paused."""
        run("status", using, exact)

    @queue.command("list")
    @_chosen
    @click.option("--to", metavar="ADDRESS", help="Only messages to this recipient.")
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
    @click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for a program.")
    @by
    def list_(to: str | None, limit: int, as_json: bool, **choice: t.Any) -> None:
        """List messages, the newest first; with a finished --state, the last changed first."""
        run("list_rows", _choice(choice), to, limit, as_json)

    @queue.command("show")
    @click.argument("number", type=int)
    @click.option("--json", "as_json", is_flag=True, help="Print a JSON object, for a program.")
    @by
    def show(number: int, as_json: bool, using: str | None) -> None:
        """Show a message, the outcome for each recipient, and what became of it."""
        run("show", number, as_json)

    @queue.command("retry")
    @_numbers
    @_chosen
    @by
    def retry(**choice: t.Any) -> None:
        """Send failed, held, expired or cancelled messages again, and waiting ones now.

        Recipients that accepted a message do not get it again. For a held message it is unknown
        whether they have it already.
        """
        run("retry", _choice(choice))

    @queue.command("cancel")
    @_numbers
    @_chosen
    @by
    def cancel(**choice: t.Any) -> None:
        """Cancel messages that are waiting or held."""
        run("cancel", _choice(choice))

    @queue.command("purge")
    @_chosen
    @click.option("--yes", is_flag=True, help="Delete without asking.")
    @by
    def purge(yes: bool, **choice: t.Any) -> None:
        """Delete finished messages and their keys, and held ones with --state held.

        Without --older-than it asks first, because a message with a deleted key can be queued
        again.
        """
        run("purge", _choice(choice), yes)

    return queue


def health_command(by: Callable[[_Function], _Function], run: Callable[..., None]) -> click.Command:
    """Return the command that says whether the queue sends its mail, for a probe."""
    times = {
        "max_age": "How long the oldest due message may be overdue. Default: 5min.",
        "max_silence": "How long due mail may wait without a sign of a worker. Default: 2min.",
        "max_clock": "How far this clock and the database's may be apart. Default: 1min.",
        "recent": "For how long failed and held messages count. Default: 1h.",
        "timeout": "How long the store may take to answer. Default: 5s.",
    }

    @click.command("health")
    @click.option("--json", "as_json", is_flag=True, help="Print a JSON object, for a program.")
    @click.option("--strict", is_flag=True, help="Exit with 1 if there is a warning, too.")
    @click.option("--only", multiple=True, metavar="NAME", help="A finding; can be repeated.")
    @click.option(
        "--max-failed",
        type=click.IntRange(0),
        help="How many messages may fail in the time of --recent. Default: 10.",
    )
    @by
    def health(**options: t.Any) -> None:
        """Show whether the queue sends its mail, and if not, what to do.

        The exit code is 0 if it is healthy or degraded (there are only warnings), and 1 if it is
        unhealthy. A time is a number of seconds, or like 5min (s, min, h, d).
        """
        run("health", **options)

    for name, text in times.items():
        option = click.option(f"--{name.replace('_', '-')}", metavar="TIME", help=text)
        health = option(health)
    return health


def worker_command(by: Callable[[_Function], _Function], run: Callable[..., None]) -> click.Command:
    """Return the command that sends what is in the queue."""

    @click.command("worker")
    @click.option("--once", is_flag=True, help="Send what is due now, and exit.")
    @click.option(
        "--using",
        multiple=True,
        metavar="ACCOUNT",
        help="Send only mail of this account; can be repeated.",
    )
    @click.option("--max-messages", type=click.IntRange(1), help="Exit after so many messages.")
    @click.option(
        "--max-seconds",
        type=click.IntRange(1, 10_000_000),
        help="Exit after so many seconds, when the current messages are finished.",
    )
    @by
    def worker(**limits: t.Any) -> None:
        """Send what is in the queue, until SIGTERM or Ctrl-C.

        It finishes its current messages before it exits. You can run any number of workers.
        """
        run("work", **limits)

    return worker


def _numbers(function: _Function) -> _Function:
    return click.argument("numbers", nargs=-1, type=int)(function)


def _chosen(function: _Function) -> _Function:
    state = click.option("--state", type=click.Choice(_STATES), help="Only messages in this state.")
    older = click.option(
        "--older-than", metavar="TIME", help="Only messages unchanged for this time, such as 7d."
    )
    tag = click.option("--tag", help="Only messages with this tag.")
    return state(older(tag(function)))


def _choice(given: dict[str, t.Any]) -> Choice:
    from .queue_choice import Choice

    return Choice(**given)
