"""``flask mail queue``: what each of its commands does."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from collections.abc import Sequence

import click

from ..events.event import Event
from ..handlers.console import visible
from ..queue import outcomes
from ..queue.current import current_queue
from ..queue.health.span import span
from ..queue.mail_queue import MailQueue
from ..queue.mail_queue import PURGEABLE
from ..queue.outcomes import Settled
from ..queue.row import about_unknown
from ..queue.row import FINISHED
from ..queue.row import priority_name
from ..queue.row import Row
from ..queue.row import RowState
from ..queue.stats import count_text
from ..queue.stored_message import read_options
from ..queue.stores.search import COUNTED
from ..queue.unreadable import DamagedRowError
from .ask import interactive
from .queue_choice import Choice
from .table import print_error
from .table import print_table
from .table import recipient_via

SENDABLE = frozenset(RowState) - {RowState.CLAIMED, RowState.SENT}
"""The states in which "retry" accepts a message."""
STOPPABLE = frozenset([RowState.WAITING, RowState.HELD])
"""The states in which "cancel" accepts a message."""
_SHOWN = 2


def status(using: str | None, exact: bool) -> int:
    """Print the number of messages in each state.

    :param exact: Whether to count more than :data:`.COUNTED`.
    """
    queue = current_queue()
    if not queue.store.begun:
        # The app creates the store, as its own system user.
        click.echo(f"The queue in {queue.store} has never been used.")
        return 0
    up_to = None if exact or using is not None else COUNTED
    stats = queue.stats(up_to=up_to)
    counts = stats.counts if using is None else queue.store.counts(using)
    click.echo(f"The queue in {queue.store}:\n")
    states = dict.fromkeys((*RowState, *counts))
    print_table([(str(state), count_text(counts.get(state, 0), up_to)) for state in states])
    for state in states:
        if why := about_unknown(state):
            click.echo(f"\n{visible(why)}")
    if stats.lag:
        click.echo(f"\nThe oldest due message is overdue by {span(stats.lag)}.")
    for account, why in stats.paused.items():
        left = span(queue.store.pause(account).until - time.time())
        click.echo(f"\nThe account {account!r} is paused for another {left}:")
        print_table([(why,)])
    for account, why in stats.down.items():
        click.echo(
            f"\nThe account {account!r} is down, and others send its mail while they are up:"
        )
        print_table([(why,)])
    return 0


def list_rows(choice: Choice, to: str | None, limit: int, as_json: bool) -> int:
    """Print messages, one on a line, or all as a JSON array.

    :param to: The address of a recipient.
    :raises ClickException: if it is not an address.
    """
    found = choice.listed(to, limit)
    if as_json:
        from ..pages.queue.queued_message import read_row  # the same object as the page's API

        # In ASCII, so that a subject cannot control the terminal.
        click.echo(json.dumps([read_row(row).as_json() for row in found], indent=2))
    elif found:
        print_table([_line(row) for row in found])
    else:
        click.echo("No messages.")
    return 0


def _line(row: Row) -> tuple[str, ...]:
    """Return the number, state, time, account, recipients and subject."""
    moment = row.due if row.state is RowState.WAITING else row.changed
    state = str(row.state)
    try:
        recipients = outcomes.from_json(row.recipients, to_show=True)
        state = _state(row, recipients)
        names = [str(item.recipient) for item in recipients]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        what = f"{', '.join(names[:_SHOWN])}{more}  {read_options(row).get('subject', '')}"
    except DamagedRowError as error:
        what = f"{error.word}: {error}"
    return str(row.id), state, _moment(moment), row.account, what


def _state(row: Row, recipients: Sequence[Settled]) -> str:
    """Return the state, and how many recipients were accepted if that is not all of them."""
    accepted = outcomes.accepted(recipients)
    if row.state is not RowState.SENT or accepted == len(recipients):
        return str(row.state)
    return f"sent {accepted}/{len(recipients)}"


def show(number: int, as_json: bool) -> int:
    """Print everything about a message except its content."""
    row = current_queue().get(number)
    if row is None:
        raise click.ClickException(f"There is no message {number} in the queue.")
    if as_json:
        from ..pages.queue.queued_message import read_row  # the same object as the page's API

        click.echo(json.dumps(read_row(row).whole_as_json(), indent=2))
        return 0
    try:
        recipients = outcomes.from_json(row.recipients, to_show=True)
    except DamagedRowError as error:
        print_table([("state", str(row.state)), *_facts(row)])
        raise click.ClickException(error.sentence) from error
    print_table([("state", _state(row, recipients)), *_facts(row)])
    click.echo()
    print_table(
        [
            (
                str(item.state or "not tried"),
                recipient_via(item.recipient, item.account),
                " ".join(filter(None, (str(item.code or ""), item.enhanced_code, item.text))),
            )
            for item in recipients
        ]
    )
    if events := current_queue().events(row):
        click.echo("\nWhat became of it:\n")
        print_table([_event(event) for event in events])
    return 0


def _event(event: Event) -> tuple[str, ...]:
    """Return the time, the kind, the recipient and what the server said."""
    time = "" if event.time is None else _moment(event.time.timestamp())
    said = (str(event.code or ""), event.status, event.reason, event.list_name)
    kind = f"{event.kind} ({event.severity})" if event.severity else str(event.kind)
    verified = "verified" if event.verified else "not verified"
    recipient = str(event.recipient or "a recipient")
    return time, kind, recipient, verified, " ".join(filter(None, said))


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    yield "message id", row.message_id
    yield "account", row.account
    if row.key is not None:
        yield "key", row.key
    yield "priority", priority_name(row.priority)
    for name in ("created", "due", "expires", "changed"):
        yield name, _moment(getattr(row, name))
    yield "attempts", str(row.attempts)
    yield "octets", str(row.size)
    from ..pages.queue.queued_message import read_row

    shown = read_row(row)
    if shown.tags:
        yield "tags", ", ".join(shown.tags)
    for name, text in shown.origin:
        yield name.lower(), text
    if row.error:
        yield "error", row.error
    if shown.damaged not in ("", row.error):
        yield "note", shown.damaged


def retry(choice: Choice) -> int:
    """Queue messages to be sent again."""
    others = choice.others(SENDABLE)
    number = current_queue().retry(choice.ids())
    return _changed(number, "queued again", others)


def cancel(choice: Choice) -> int:
    """Cancel messages."""
    others = choice.others(STOPPABLE)
    number = current_queue().cancel(choice.ids())
    return _changed(number, "cancelled", others)


def purge(choice: Choice, yes: bool) -> int:
    """Delete messages. Without an age, ask the user first.

    :raises ClickException: for a state in which a message is not finished, or if there is no
        terminal to ask on.
    """
    queue: MailQueue = current_queue()
    if not (yes or choice.older_than):
        _ask_before_purging(choice)
    try:
        number = queue.purge(
            state=choice.state, using=choice.using, older_than=choice.age, tag=choice.tag
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    return _changed(number, "deleted")


def _ask_before_purging(choice: Choice) -> None:
    store = current_queue().store
    counts = store.counts(choice.using, choice.tag) if store.begun else {}
    states = PURGEABLE & {RowState(choice.state)} if choice.state else FINISHED
    number = sum(counts.get(state, 0) for state in states)
    if not number:
        return
    kind = choice.state or "finished"
    what = f"1 {kind} message and its key"
    if number > 1:
        what = f"{number} {kind} messages and their keys"
    if not interactive():
        raise click.ClickException(
            f"This would delete {what}. Messages with these keys could then be queued again. Give"
            " --older-than, or --yes."
        )
    click.confirm(
        f"Delete {what}? Messages with these keys could then be queued again.", abort=True, err=True
    )


def _changed(number: int, done: str, others: Sequence[str] = ()) -> int:
    """Print how many messages were changed, and why the others were not.

    :return: 1 if the user named messages and none was changed.
    """
    click.echo(f"{number} message{'' if number == 1 else 's'} {done}.")
    for why in others:
        print_error(why)
    return 1 if others and not number else 0


def _moment(seconds: float) -> str:
    from ..pages.queue.queued_message import moment

    return f"{moment(seconds).astimezone():%Y-%m-%d %H:%M:%S}"
