"""Telling the app what has become of a queued message: the log, and a signal at its end."""

from __future__ import annotations

import typing as t

from ..log import logger
from ..log import masked
from ..report import Report
from ..report import report_on
from ..signals import announce
from ..signals import message_expired
from . import outcomes
from .outcomes import DamagedRowError
from .row import Row
from .row import RowState
from .stored import message_of

if t.TYPE_CHECKING:
    from ..app.registration import Registration
    from .stores.base import Store


def tell(mine: Registration, store: Store, row: Row, report: Report | None) -> None:
    """Log what a row has become, and if it is at its end send one signal, with a report on all
    its recipients.

    :param report: Of the last attempt, if it came to an end.
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
        announce(message_expired, mine.app, message=whole.message, report=whole)
    else:
        mine.tell(whole, row.account)


def report_of(store: Store, row: Row, last: Report | None = None) -> Report:
    """The report on all recipients of a row, of whatever attempt.

    :param last: The report of the last attempt, if it is at hand.
    :raises DamagedRowError: if the row cannot be read.
    """
    settled = outcomes.from_json(row.recipients)
    found, until = [one.outcome for one in settled], outcomes.safe_until(settled)
    if last is None:
        message = message_of(row, store.content(row.id) or b"")
        return report_on(message, row.message_id, found, safe_until=until)
    whole = {outcome.recipient for outcome in found} == {o.recipient for o in last.outcomes}
    error = last.error if whole else None
    return report_on(last.message, row.message_id, found, error, safe_until=until)
