"""Log what a queued message has become, and send the signal at its end."""

from __future__ import annotations

import dataclasses
import typing as t

from ..log import logger
from ..log import masked
from ..report import Outcome
from ..report import Report
from ..report import report_on
from ..signals import announce
from ..signals import message_expired
from . import outcomes
from .app_access import AppAccess
from .row import Row
from .row import RowState
from .stored_message import message_of
from .unreadable import DamagedRowError

if t.TYPE_CHECKING:
    from .stores.base import Store


def notify(app_access: AppAccess, store: Store, row: Row, report: Report | None) -> None:
    """Log the new state of a row.

    If it is the last one, send a signal with a report on all recipients.

    :param report: The report of the last attempt, if the attempt came to an end.
    """
    if row.state is RowState.WAITING:
        error = masked(row.error)
        logger.info("%s via %s waits for another attempt: %s", row.message_id, row.account, error)
        return
    try:
        whole = report_of(store, row, report)
    except DamagedRowError:
        logger.error("Row %d via %s: %s", row.id, row.account, row.error)
        return
    if row.state is RowState.EXPIRED:
        logger.error("%s via %s has expired: %s", row.message_id, row.account, masked(row.error))
        announce(message_expired, app_access.app, message=whole.message, report=whole)
    else:
        app_access.tell(whole, row.account)


def report_of(store: Store, row: Row, last: Report | None = None) -> Report:
    """Return the report on all recipients of a row, over all attempts.

    :param last: The report of the last attempt, if the caller has it.
    :raises DamagedRowError: if the row cannot be read.
    """
    settled = outcomes.from_json(row.recipients)
    account = row.account if last is None else last.account or row.account
    if last is None and len(by := {one.account or row.account for one in settled}) == 1:
        (account,) = by
    found = [_seen_from(account, one.account or row.account, one.outcome) for one in settled]
    until = outcomes.safe_until(settled)
    if last is None:
        message = message_of(row, store.content(row.id) or b"")
        return report_on(message, row.message_id, found, safe_until=until, account=account)
    # The error of the attempt says less if other recipients were tried before, and is wrong if the
    # queue knows that one of these may have been reached before.
    same = {(o.recipient, o.state) for o in found} == {
        (o.recipient, o.state) for o in last.outcomes
    }
    error = last.error if same else None
    return report_on(last.message, row.message_id, found, error, until, account)


def _seen_from(account: str, by: str, outcome: Outcome) -> Outcome:
    """Return an outcome that names its account if that is not the account of the report."""
    named = "" if by == account else by
    return outcome if outcome.account == named else dataclasses.replace(outcome, account=named)
