"""Recover the rows of dead workers: send them again, or hold them after their end of data."""

from __future__ import annotations

import dataclasses
import typing as t

from .. import outcomes
from .. import transition
from ..lease import LEASE
from ..process import is_dead
from ..row import Row
from ..row import RowState
from ..unreadable import DamagedRowError

if t.TYPE_CHECKING:
    from ..stores.base import Store

_LONGEST = 2 * LEASE


def lost(store: Store, now: float) -> list[Row]:
    """Return the claimed rows of dead workers.

    A worker is dead if its lease is over, or if its process has ended on this machine.

    :raises QueueError: if the store cannot be used.
    """
    owners = store.owners()
    if not owners:
        return []
    return store.lost(now, _LONGEST, [owner for owner in owners if is_dead(mark_of(owner))])


def mark_of(owner: str) -> str:
    """Return the mark of an owner's process: see :meth:`.Store.new_owner`."""
    parts = owner.split(".")
    return parts[1] if len(parts) > 2 else ""


def recover(store: Store, *, retry_unknown: bool) -> list[Row]:
    """Let the rows of dead workers be sent again, or hold them if the end of data was announced.

    :return: The changed rows.
    :raises QueueError: if the store cannot be used.
    """
    now = store.now()
    found = {row.id: row for row in lost(store, now)}
    if not found:
        return []
    remembered = {
        owner: store.remembers(owner) for row in found.values() if (owner := row.lease_owner)
    }

    def change(row: Row) -> Row | None:
        # The worker may be alive after all. If it has renewed its lease meanwhile it keeps the row,
        # and an end of data that it has announced meanwhile counts.
        seen = found[row.id]
        if (row.lease_owner, row.lease_until) != (seen.lease_owner, seen.lease_until):
            return None
        known = remembered.get(row.lease_owner or "", True)
        after = _interrupted(row, now, known, retry_unknown=retry_unknown)
        # If the worker is alive after all, its result still counts: see Store.settle.
        if after.state is RowState.HELD:
            after = dataclasses.replace(after, lease_owner=row.lease_owner)
        return after

    return store.alter([*found], [RowState.CLAIMED], change)


def _interrupted(row: Row, now: float, remembered: bool, *, retry_unknown: bool) -> Row:
    try:
        recipients = outcomes.from_json(row.recipients)
        announced, until, known_to = outcomes.note_from_json(row.ended)
    except DamagedRowError as error:
        return transition.damaged(row, error, now)
    why = "Its worker ended before the result was stored."
    if not remembered:
        announced = [str.__str__(item.recipient) for item in recipients]
        why = "Its worker's machine went down before the result was stored."
    return transition.interrupted(
        row,
        recipients,
        announced,
        why,
        now,
        retry_unknown=retry_unknown,
        at_once=True,
        safe_until=until,
        known_to=known_to,
    )
