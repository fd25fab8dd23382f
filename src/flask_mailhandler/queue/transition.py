"""What becomes of a row: pure functions from the row as it was to the row as it is written."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

from . import outcomes
from .outcomes import Settled
from .retry import next_step
from .row import Row
from .row import RowState

_CRASHES = 5


def _free(row: Row, now: float, state: RowState, **changes: t.Any) -> Row:
    return dataclasses.replace(
        row,
        **{"state": state, "changed": now, "lease_owner": None, "lease_until": None, **changes},
    )


def tried(
    row: Row, recipients: Sequence[Settled], error: str, now: float, *, retry_unknown: bool
) -> Row:
    """The row after an attempt that has come to its end."""
    step = next_step(recipients, row.attempts, now, row.expires, retry_unknown=retry_unknown)
    return _free(
        row,
        now,
        step.state,
        due=step.due if step.state is RowState.WAITING else row.due,
        ended=None,
        recipients=outcomes.to_json(recipients),
        error=error,
    )


def not_tried(
    row: Row, recipients: Sequence[Settled], error: str, now: float, *, retry_unknown: bool
) -> Row:
    """The row after an attempt for which no session could be had. It is not the row's fault: it
    waits, as its account does. What an earlier session has settled counts."""
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
) -> Row:
    """The row after an attempt of which nobody will tell the end. Nobody knows about those whose
    end of data was announced; all others have not got it.

    :param at_once: Whether to try again without waiting: most often a process was stopped, and
        only what stops one again and again has to wait. A worker claims many rows at once, so a
        few times say nothing about one of them.
    """
    known = outcomes.with_unknown(recipients, announced, why)
    after = tried(row, known, why, now, retry_unknown=retry_unknown)
    if after.state is RowState.WAITING and row.attempts <= _CRASHES and at_once:
        return dataclasses.replace(after, due=row.due)
    return after


def expired(row: Row, now: float) -> Row:
    """The row when its time is over before it was tried, or tried again."""
    return _free(row, now, RowState.EXPIRED, error=row.error or "Its time was over.")


def damaged(row: Row, why: str, now: float) -> Row:
    """The row when it cannot be read."""
    return _free(row, now, RowState.FAILED, error=f"The row is damaged: {why}.")


def again(row: Row, recipients: Sequence[Settled], now: float, max_age: float) -> Row:
    """The row when a person wants it to be tried again: everybody who has not accepted it. One that
    waits anyway is only tried earlier: of whom nobody knows there, nobody was asked about yet."""
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
    """The row when a person does not want it to be sent any more."""
    return _free(row, now, RowState.CANCELLED)
