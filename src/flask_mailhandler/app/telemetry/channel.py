"""An account and its handler: what is the same for each message that goes this way."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

from .attributes import ACCEPTED
from .attributes import counts
from .attributes import ERROR
from .attributes import failure
from .attributes import sending
from .spans import Spans

if t.TYPE_CHECKING:
    from ...handlers.base import EmailHandler
    from ...report import Report
    from .api import Histogram
    from .api import Link
    from .api import Tracer
    from .attributes import Attributes
    from .guard import Guard
    from .tally import Tally
    from .timeline import Timeline


class Channel:
    """Reports the messages that a handler sends for an account."""

    def __init__(
        self,
        account: str,
        handler: EmailHandler,
        tracer: Tracer,
        tally: Tally,
        duration: Histogram,
        guard: Guard,
    ) -> None:
        self.account: str = account
        self.guard: Guard = guard
        self._tally = tally
        self._duration = duration
        found = sending(account, handler)
        self._spans = Spans(tracer, account, found)
        self._about: Attributes = found.metric

    def refuse(self, timeline: Timeline, error: Exception, now: int) -> None:
        """Report a message that cannot be sent as it is."""
        self._spans.refuse(timeline, error, now)

    def report(
        self,
        timeline: Timeline,
        now: int,
        report: Report,
        links: Sequence[Link],
        more: Attributes,
    ) -> None:
        """Report a message that is settled: its spans, its time, and its recipients."""
        end, numbers = timeline.ended(now), counts(report)
        self._tally.add_message(self.account, numbers, timeline, end)
        span = self._spans.begin(timeline, links)
        within = None
        if span.is_recording():
            within = self._spans.fill(span, timeline, report, numbers, more, end)
        span.end(end)
        if numbers:  # no before_send function has stopped it
            about = self._about
            if ACCEPTED not in numbers:
                about = {**about, ERROR: failure(report.error)}
            self._duration.record((end - timeline.began) / 1e9, about, within)
