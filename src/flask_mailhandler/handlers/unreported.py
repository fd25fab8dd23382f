"""What is known of messages whose delivery ends before it is reported."""

from __future__ import annotations

import collections
from collections.abc import Callable

from ..address import Address
from ..phase import Phase
from ..phase import State
from ..report import About
from ..report import conclude
from ..report import Job
from ..report import Observe
from ..report import Outcome
from ..report import Report
from .prepare import Prepared


class Watch:
    """Follows one delivery, so that no message is forgotten that a server may have.

    :param observe: Told each phase too.
    :param passed: What was drawn and is not reported yet, the oldest first.
    :param left: Told what cannot be reported, or None if nobody wants to know.
    """

    def __init__(
        self,
        observe: Observe,
        passed: collections.deque[Prepared],
        left: Callable[[Report], None] | None,
    ) -> None:
        self._observe = observe
        self._passed = passed
        self._left = left
        # To whom an end of data has been announced, by the ids of messages not yet reported.
        self._ending: dict[str, set[Address]] = {}

    def __call__(self, phase: Phase, job: Job) -> None:
        if phase is Phase.END_OF_DATA:
            self._ending.setdefault(job.message_id, set()).update(job.envelope.recipients)
        self._observe(phase, job)

    def reported(self, item: Prepared) -> None:
        """Forget a message whose report the caller gets."""
        self._ending.pop(item.message_id, None)

    def leave(self, report: Report) -> None:
        """Pass on a report of a handler that cannot yield it, unless nothing was taken."""
        items = (item for item in self._passed if item.message_id == report.message_id)
        item = next((item for item in items if item.job is not None), None)
        if item is not None:
            self._passed.remove(item)
            self.reported(item)
            if self._left is not None and (report.accepted or report.unknown):
                self._left(with_withheld(item, report))

    def end(self) -> None:
        """Pass on what is known of messages whose end of data was announced, and that their handler
        has not reported. What it was told of them before is lost with it."""
        while self._left is not None and self._passed:
            item = self._passed.popleft()
            unknown = self._ending.pop(item.message_id, None)
            if item.job is None or unknown is None:
                continue
            outcomes = [
                Outcome(
                    recipient,
                    State.UNKNOWN if recipient in unknown else State.DEFERRED,
                    text="sending was interrupted",
                    about=About.ACCOUNT,
                )
                for recipient in item.job.envelope.recipients
            ]
            self._left(with_withheld(item, conclude(item.job, outcomes)))


def with_withheld(item: Prepared, report: Report) -> Report:
    """Put whom the staging guard has withheld back into the order of the envelope."""
    if not item.withheld:
        return report
    assert item.job is not None
    outcomes = {outcome.recipient: outcome for outcome in (*report.outcomes, *item.withheld)}
    ordered = [outcomes[recipient] for recipient in item.recipients if recipient in outcomes]
    return conclude(item.job, ordered, report.error, safe_until=report.safe_until)
