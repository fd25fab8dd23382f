"""Messages that an account does not try: it cannot send them, or all accounts have failed."""

from __future__ import annotations

import dataclasses
import typing as t

from ...log import masked
from ...phase import State
from ...report import About
from ...report import conclude
from ...report import DeferredError
from ...report import Outcome
from ..unreported import with_withheld

if t.TYPE_CHECKING:
    from ...report import DeliveryError
    from ...report import Report
    from ..prepare import Prepared
    from .choice import Choice


def not_tried(item: Prepared, choice: Choice, error: DeliveryError) -> Report:
    """Report on a message that would fail as the one before it."""
    assert item.job is not None
    job = dataclasses.replace(item.job, account=choice.account)
    text = masked(str(error))  # it may name a recipient of the other message
    outcomes = [
        Outcome(recipient, State.DEFERRED, text=text, about=About.ACCOUNT)
        for recipient in job.envelope.recipients
    ]
    return with_withheld(item, conclude(job, outcomes, DeferredError(text)))


def deferred(item: Prepared, account: str, why: str) -> Prepared:
    """Return a message that an account cannot send, as one that needs no delivery. Another account
    may send it later, so it is deferred."""
    assert item.job is not None
    text, to = f"{account}: {why}", item.job.envelope.recipients
    mine = {one: Outcome(one, State.DEFERRED, text=text, about=About.SENDER) for one in to}
    all_of_them = mine | {one.recipient: one for one in item.withheld}
    order = item.recipients or to
    return item._replace(job=None, withheld=tuple(all_of_them[one] for one in order))
