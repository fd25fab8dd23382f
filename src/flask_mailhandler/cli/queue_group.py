"""``flask mail queue`` and ``flask mail worker``: what can be written."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

import click

if t.TYPE_CHECKING:
    from .queue import Choice

_Function: t.TypeAlias = Callable[..., t.Any]
_STATES = ("waiting", "claimed", "sent", "failed", "held", "cancelled", "expired")


def queue_commands(by: Callable[[_Function], _Function], run: Callable[..., None]) -> click.Group:
    """The commands about the queue of an app.

    :param by: Adds the option ``--using`` and the app context.
    :param run: Calls a function of ``cli.queue`` by its name, errors in one line.
    """
    queue = click.Group("queue", help="See what waits to be sent, and decide about it.")

    @queue.command("status")
    @by
    def status(using: str | None) -> None:
        """Count the messages of each state, and show which accounts pause."""
        run("status", using)

    @queue.command("list")
    @_chosen
    @click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000))
    @by
    def list_(limit: int, **choice: t.Any) -> None:
        """List messages: of a state the last changed first, of all the newest first."""
        run("list_rows", _choice(choice), limit)

    @queue.command("show")
    @click.argument("number", type=int)
    @by
    def show(number: int, using: str | None) -> None:
        """Show a message, and what has become of each recipient."""
        run("show", number)

    @queue.command("retry")
    @_numbers
    @_chosen
    @by
    def retry(**choice: t.Any) -> None:
        """Send again what failed, is held, has expired or was cancelled, and what waits now.

        Only those get it who have not accepted it. Of a held message nobody knows whether
        they have it already.
        """
        run("retry", _choice(choice))

    @queue.command("cancel")
    @_numbers
    @_chosen
    @by
    def cancel(**choice: t.Any) -> None:
        """Do not send messages that wait or are held."""
        run("cancel", _choice(choice))

    @queue.command("purge")
    @_chosen
    @click.option("--yes", is_flag=True, help="Delete without a question.")
    @by
    def purge(yes: bool, **choice: t.Any) -> None:
        """Delete finished messages and their keys; held ones, if --state says so.

        Without --state and --older-than it asks first: a message whose key is deleted may be
        queued again.
        """
        run("purge", _choice(choice), yes)

    return queue


def worker_command(by: Callable[[_Function], _Function], run: Callable[..., None]) -> click.Command:
    """The command that sends."""

    @click.command("worker")
    @click.option("--once", is_flag=True, help="Send what is due now, and end.")
    @by
    def worker(once: bool) -> None:
        """Send what is in the queue, until SIGTERM or Ctrl-C, which let it finish the message in
        hand. There may be any number of workers."""
        run("work", once)

    return worker


def _numbers(function: _Function) -> _Function:
    return click.argument("numbers", nargs=-1, type=int)(function)


def _chosen(function: _Function) -> _Function:
    state = click.option("--state", type=click.Choice(_STATES), help="Only those.")
    older = click.option(
        "--older-than", metavar="TIME", help="Only those unchanged for so long, such as 7d or 12h."
    )
    return state(older(function))


def _choice(given: dict[str, t.Any]) -> Choice:
    from .queue import Choice

    return Choice(**given)
