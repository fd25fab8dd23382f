"""The spans of one message, made when its report is there."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from collections.abc import Sequence

from ...phase import Phase
from . import api
from .attributes import ACCEPTED
from .attributes import ERROR
from .attributes import failure
from .attributes import MESSAGE_ID
from .attributes import of_outcomes
from .attributes import OWN_ID
from .attributes import PHASE_TIMES
from .attributes import SENDER
from .timeline import SESSION
from .timeline import steps
from .timeline import TRANSACTION

if t.TYPE_CHECKING:
    from ...report import Report
    from .api import Context
    from .api import Link
    from .api import Span
    from .api import Tracer
    from .attributes import Attributes
    from .attributes import Sending
    from .timeline import Step
    from .timeline import Timeline

_CLIENT = api.SpanKind.CLIENT
_MAIL = PHASE_TIMES[Phase.MAIL]


class Spans:
    """Makes the spans of the messages that a handler sends for an account.

    :param sending: What is the same for each of them.
    """

    def __init__(self, tracer: Tracer, account: str, sending: Sending) -> None:
        self._tracer = tracer
        self._account = account
        self._sending = sending
        self._name = f"send {account}"

    def begin(self, timeline: Timeline, links: Sequence[Link] = ()) -> Span:
        """Begin the span of a message, at the time at which the message began."""
        return self._tracer.start_span(
            self._name, timeline.context, _CLIENT, self._sending.span, links, timeline.began
        )

    def refuse(self, timeline: Timeline, error: Exception, end: int) -> None:
        """Make the span of a message that cannot be sent as it is."""
        span = self.begin(timeline)
        if span.is_recording():
            span.set_attribute(ERROR, failure(error))
            span.set_status(api.Status(api.StatusCode.ERROR, "not prepared"))
        span.end(end)

    def fill(
        self,
        span: Span,
        timeline: Timeline,
        report: Report,
        numbers: Mapping[str, int],
        more: Attributes,
        end: int,
    ) -> Context:
        """Say in the span of a message what its report says, and make its children.

        :return: The context within the span.
        """
        found: Attributes = {**more}
        if OWN_ID.match(report.message_id):
            found[MESSAGE_ID] = report.message_id
        if report.account and report.account != self._account:
            found[SENDER] = report.account
        of_outcomes(report, numbers, found)
        failed = ""
        if numbers and ACCEPTED not in numbers:
            found[ERROR] = failed = failure(report.error)
            span.set_status(_status(report))
        span.set_attributes(found)
        within = api.trace.set_span_in_context(span)
        if timeline.prepared is not None:
            self._child("prepare", within, timeline.began, timeline.prepared, None)
        done = steps(timeline, end)
        for step in done:
            self._step(within, step, failed if step is done[-1] else "")
        return within

    def _step(self, within: Context, step: Step, failed: str) -> None:
        """Make the span of a connection that was opened, or of a transaction over it."""
        about: Attributes = {**step.times}
        name = TRANSACTION if _MAIL in about else self._sending.transaction
        if step.name == SESSION:
            name = SESSION
            about |= self._sending.server
        if failed:
            about[ERROR] = failed
        self._child(
            name, within, step.began, step.ended, about, f"at {step.last}" if failed else ""
        )

    def _child(
        self,
        name: str,
        within: Context,
        began: int,
        ended: int,
        about: Attributes | None,
        failed: str = "",
    ) -> None:
        span = self._tracer.start_span(
            f"{name} {self._account}", within, attributes=about, start_time=began
        )
        if failed:
            span.set_status(api.Status(api.StatusCode.ERROR, failed))
        span.end(ended)


def _status(report: Report) -> api.Status:
    """Return the status of a message that no recipient has accepted, without a server's words."""
    states = "/".join(sorted({outcome.state.value for outcome in report.outcomes}))
    phase = None if report.error is None else report.error.phase
    where = "" if phase is None else f" at {phase}"
    return api.Status(api.StatusCode.ERROR, states + where)
