"""What is known of messages whose delivery ends before it is reported."""

from __future__ import annotations

import collections
from collections.abc import Callable

from ..report import About
from ..report import conclude
from ..report import Job
from ..report import Observe
from ..report import Outcome
from ..report import Phase
from ..report import Report
from ..report import State
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
        self._ending: Job | None = None
        """To whom an end of data has been announced, and nothing more."""

    def __call__(self, phase: Phase, job: Job) -> None:
        if phase is Phase.END_OF_DATA:
            self._ending = job
        elif phase is Phase.DONE or self._is_ending(job):  # others may be announced meanwhile
            self._ending = None
        self._observe(phase, job)

    def _is_ending(self, job: Job) -> bool:
        return self._ending is not None and self._ending.message_id == job.message_id

    def leave(self, report: Report) -> None:
        """Pass on the report of the oldest message that is not reported."""
        self._ending = None
        item = self._next()
        if item is not None and self._left is not None:
            self._left(with_withheld(item, report))

    def end(self) -> None:
        """Pass on what is known of the message whose end of data was announced, if its handler has
        not."""
        ending = self._ending
        if ending is None or self._left is None or not self._passed:
            return
        item = self._next()
        if item is None or item.job is None or not self._is_ending(item.job):
            return  # the one that ended is reported
        unknown = {*ending.envelope.recipients}
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

    def _next(self) -> Prepared | None:
        while self._passed:
            item = self._passed.popleft()
            if item.job is not None:
                return item
        return None


def with_withheld(item: Prepared, report: Report) -> Report:
    """Put whom the staging guard has withheld back into the order of the envelope."""
    if not item.withheld:
        return report
    assert item.job is not None
    outcomes = {outcome.recipient: outcome for outcome in (*report.outcomes, *item.withheld)}
    ordered = [outcomes[recipient] for recipient in item.recipients if recipient in outcomes]
    return conclude(item.job, ordered, report.error)
