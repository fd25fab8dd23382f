"""The state changes of a row: pure functions from the row before to the row after.

::

    tried        an attempt has ended              ─▶ sent, failed, held, expired, or waiting
    not_tried    no session with the server        ─▶ waiting; the attempt does not count
    interrupted  the worker died or was stopped    ─▶ waiting, or held after end of data
    expired      its time was over                 ─▶ expired
    damaged      it cannot be read                 ─▶ failed, or held for a newer release
    again        flask mail queue retry            ─▶ waiting
    cancelled    flask mail queue cancel           ─▶ cancelled
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

from . import outcomes
from .outcomes import Settled
from .retry import next_step
from .row import Row
from .row import RowState
from .unreadable import DamagedRowError
from .unreadable import NewerRowError

_CRASHES = 5


def _free(row: Row, now: float, state: RowState, **changes: t.Any) -> Row:
    return dataclasses.replace(
        row,
        **{"state": state, "changed": now, "lease_owner": None, "lease_until": None, **changes},
    )


def tried(
    row: Row, recipients: Sequence[Settled], error: str, now: float, *, retry_unknown: bool
) -> Row:
    """Return the row after an attempt that has ended.

    A recipient that may have been reached is tried again only while the server recognizes that.
    """
    step = next_step(recipients, row.attempts, now, row.expires, retry_unknown=retry_unknown)
    waits = step.state is RowState.WAITING
    recipients = outcomes.unsafe(recipients, lambda one: waits and is_recognized(one, step.due))
    step = next_step(recipients, row.attempts, now, row.expires, retry_unknown=retry_unknown)
    return _free(
        row,
        now,
        step.state,
        due=step.due if step.state is RowState.WAITING else row.due,
        ended=None,
        recipients=outcomes.to_json(recipients),
        error=outcomes.storable(error),
    )


def not_tried(
    row: Row, recipients: Sequence[Settled], error: str, now: float, *, retry_unknown: bool
) -> Row:
    """Return the row after an attempt without a session.

    That is not the row's fault, so it waits while its account is paused. Outcomes of an earlier
    session count.
    """
    after = tried(row, recipients, error, now, retry_unknown=retry_unknown)
    if after.state not in (RowState.WAITING, RowState.EXPIRED):
        return after
    return dataclasses.replace(
        after, state=RowState.WAITING, due=row.due, attempts=max(0, row.attempts - 1)
    )


def interrupted(
    row: Row,
    recipients: Sequence[Settled],
    announced: Iterable[str],
    why: str,
    now: float,
    *,
    retry_unknown: bool,
    at_once: bool = False,
    safe_until: datetime.datetime | None = None,
    known_to: str = "",
) -> Row:
    """Return the row after an attempt whose end is unknown.

    Recipients whose end of data was announced may have got the message; the others have not.

    :param at_once: Whether to try again without waiting. Most often a process was only stopped, so
        a row waits only if this happens to it again and again. A worker claims many rows at once,
        so a few interruptions say nothing about one of them.
    :param safe_until: The time until which the server recognizes a repeat.
    :param known_to: The server that recognizes it; see :meth:`.EmailHandler.known_by`.
    """
    known = outcomes.with_unknown(recipients, announced, why, safe_until, known_to)
    after = tried(row, known, why, now, retry_unknown=retry_unknown)
    if after.state is RowState.WAITING and row.attempts <= _CRASHES and at_once:
        return dataclasses.replace(after, due=row.due)
    return after


def expired(row: Row, now: float) -> Row:
    """Return the row after it expired before it was tried, or tried again.

    It is held if a recipient may have been reached.

    :raises DamagedRowError: if it cannot be read.
    """
    recipients = outcomes.from_json(row.recipients)
    known = outcomes.unsafe(recipients)
    state = RowState.EXPIRED if known == recipients else RowState.HELD
    error = row.error or "Its time was over."
    return _free(row, now, state, error=error, recipients=outcomes.to_json(known))


def is_recognized(one: Settled, at: float) -> bool:
    """Return whether the server still recognizes a repeat at this time."""
    return one.safe_until is not None and at < one.safe_until.timestamp()


def damaged(row: Row, why: DamagedRowError, now: float) -> Row:
    """Return the row if it cannot be read: held if a newer release can read it."""
    state = RowState.HELD if isinstance(why, NewerRowError) else RowState.FAILED
    return _free(row, now, state, error=why.sentence)


def again(row: Row, recipients: Sequence[Settled], now: float, max_age: float) -> Row:
    """Return the row that you want to be tried again, for every recipient that was not accepted.
    A row that waits anyway is only tried earlier: its unknown recipients stay unknown, because you
    were not asked about them yet."""
    if row.state is not RowState.WAITING:
        recipients = outcomes.not_accepted_again(recipients)
    return _free(
        row,
        now,
        RowState.WAITING,
        due=now,
        expires=max(row.expires, now + max_age),
        attempts=0,
        ended=None,
        recipients=outcomes.to_json(recipients),
    )


def cancelled(row: Row, now: float) -> Row:
    """Return the row that you no longer want to be sent."""
    return _free(row, now, RowState.CANCELLED)
