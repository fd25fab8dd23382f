"""Seeing to rows whose worker is dead."""

from __future__ import annotations

import dataclasses
import typing as t

from . import outcomes
from . import transition
from .lane import LEASE
from .outcomes import DamagedRowError
from .process import is_dead
from .row import Row
from .row import RowState

if t.TYPE_CHECKING:
    from .mail_queue import MailQueue
    from .stores.base import Store

_LONGEST = 2 * LEASE


def lost(store: Store, now: float) -> list[Row]:
    """The rows that a worker has claimed which is dead: its lease is over, or its process has ended
    on this machine.

    :raises QueueError: if the store cannot be used.
    """
    owners = store.owners()
    if not owners:
        return []
    return store.lost(now, _LONGEST, [owner for owner in owners if is_dead(mark_of(owner))])


def mark_of(owner: str) -> str:
    """The mark of the process that an owner is in: see :meth:`.Store.new_owner`."""
    parts = owner.split(".")
    return parts[1] if len(parts) > 2 else ""


def recover(queue: MailQueue) -> list[Row]:
    """Have the rows of dead workers sent again, or held where the end of data was announced.

    :return: The rows as they are now.
    :raises QueueError: if the store cannot be used.
    """
    store, now = queue.store, queue.store.now()
    found = {row.id: row for row in lost(store, now)}
    if not found:
        return []
    remembered = {
        owner: store.remembers(owner) for row in found.values() if (owner := row.lease_owner)
    }

    def change(row: Row) -> Row | None:
        # Its worker may be alive: who has renewed its lease meanwhile keeps it, and what it has
        # announced since the row was found counts.
        seen = found[row.id]
        if (row.lease_owner, row.lease_until) != (seen.lease_owner, seen.lease_until):
            return None
        known = remembered.get(row.lease_owner or "", True)
        after = _interrupted(row, now, known, retry_unknown=queue.retry_unknown)
        # If its worker is alive after all, what it finds out counts still: see Store.settle.
        if after.state is RowState.HELD:
            after = dataclasses.replace(after, lease_owner=row.lease_owner)
        return after

    return store.alter([*found], [RowState.CLAIMED], change)


def _interrupted(row: Row, now: float, remembered: bool, *, retry_unknown: bool) -> Row:
    try:
        recipients = outcomes.from_json(row.recipients)
        announced = outcomes.names_from_json(row.ended)
    except DamagedRowError as error:
        return transition.damaged(row, str(error), now)
    why = "Its worker ended before it could tell what has become of it."
    if not remembered:
        announced = [str.__str__(item.recipient) for item in recipients]
        why = "The machine of its worker went down before that could tell what became of it."
    return transition.interrupted(
        row, recipients, announced, why, now, retry_unknown=retry_unknown, at_once=True
    )
