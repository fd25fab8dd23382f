"""The reports that ``deliver`` cannot make, or has not made: of a message that needs no delivery,
of recipients that the staging guard withholds, and of a delivery that ended too early."""

from __future__ import annotations

import collections
import copy
import typing as t
from collections.abc import Collection
from collections.abc import Iterator

from ..address import Address
from ..errors import MessageError
from ..phase import State
from ..report import About
from ..report import conclude
from ..report import DeliveryError
from ..report import Job
from ..report import Outcome
from ..report import Report
from ..report import report_on
from ..report import state_of

if t.TYPE_CHECKING:
    from .prepare import Prepared


def without_delivery(item: Prepared) -> Report:
    """Report on a message that needs no delivery, because it has no recipient left."""
    return report_on(item.message, item.message_id, item.withheld)


def with_withheld(item: Prepared, report: Report) -> Report:
    """Add the recipients that the staging guard withholds, in the order of the envelope."""
    if not item.withheld:
        return report
    assert item.job is not None
    outcomes = {outcome.recipient: outcome for outcome in (*report.outcomes, *item.withheld)}
    ordered = [outcomes[recipient] for recipient in item.recipients if recipient in outcomes]
    return conclude(item.job, ordered, report.error, safe_until=report.safe_until)


def refused(item: Prepared, job: Job, error: MessageError) -> Prepared:
    """Return the message as one that needs no delivery: its content was refused here."""
    mine = tuple(
        Outcome(recipient, State.REFUSED, text=str(error), about=About.CONTENT)
        for recipient in job.envelope.recipients
    )
    everybody = {outcome.recipient: outcome for outcome in (*mine, *item.withheld)}
    order = item.recipients or job.envelope.recipients
    return item._replace(job=None, withheld=tuple(everybody[one] for one in order))


def unreported(drawn: collections.deque[Prepared], error: DeliveryError) -> Iterator[Report]:
    """Report on every message that ``deliver`` should have reported on.

    :param drawn: The messages, which are removed.
    :param error: It says what became of them all.
    """
    state = state_of(error)
    while drawn:
        item = drawn.popleft()
        if item.job is None:
            yield without_delivery(item)
            continue
        # Each report has its own error, because the error holds the report.
        own = copy.copy(error)
        outcomes = [
            Outcome(a, state, text=str(error), about=About.ACCOUNT)
            for a in item.job.envelope.recipients
        ]
        yield with_withheld(item, conclude(item.job, outcomes, own))


def interrupted(item: Prepared, job: Job, announced: Collection[Address]) -> Report:
    """Report on a message whose end of data was announced before an exception ended the delivery.

    :param announced: The recipients that the end of data was announced for. The server may have
        accepted the message for them, and for no other.
    """
    outcomes = [
        Outcome(
            recipient,
            State.UNKNOWN if recipient in announced else State.DEFERRED,
            text="sending was interrupted",
            about=About.ACCOUNT,
        )
        for recipient in job.envelope.recipients
    ]
    return with_withheld(item, conclude(job, outcomes))
