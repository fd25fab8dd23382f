"""The messages of one call: what is noted of each, and what is reported at its end."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Sequence
from time import monotonic_ns
from time import time_ns

from .api import current
from .timeline import Timeline

if t.TYPE_CHECKING:
    from ...handlers.prepare import Prepared
    from ...phase import Phase
    from ...report import Job
    from ...report import Observe
    from ...report import Report
    from .api import Context
    from .api import Link
    from .attributes import Attributes
    from .channel import Channel


class Watch:
    """Notes when each phase of a message begins. Noting takes a third of a microsecond, and calls
    nothing of OpenTelemetry.

    :param channel: The account and the handler that the messages are sent by.
    :param observe: The app's own observers, if it has any.
    :param context: The span that the messages belong to. None is the current one, as each message
        is prepared.
    """

    def __init__(
        self, channel: Channel, observe: Observe | None, context: Context | None = None
    ) -> None:
        self._channel = channel
        self._then = observe
        self._context = context
        self._timelines: dict[str, Timeline] = {}
        # Someone may set the clock meanwhile, and no phase takes less than no time.
        self._since = time_ns() - monotonic_ns()

    def now(self) -> int:
        """Return the time in nanoseconds since 1970, by a clock that is never set."""
        return monotonic_ns() + self._since

    def prepare(self, prepare: Callable[[t.Any], Prepared], message: t.Any) -> Prepared:
        """Prepare a message, and note how long that takes."""
        began = self.now()
        try:
            prepared = prepare(message)
        except Exception as error:
            timeline = Timeline(began, None)
            self._channel.guard.run(self._channel.refuse, timeline, error, self.now())
            raise
        self._timelines[prepared.message_id] = Timeline(began, current(), self.now())
        return prepared

    def observe(self, phase: Phase, job: Job) -> None:
        """Note that a phase of a message begins."""
        now = monotonic_ns() + self._since
        timeline = self._timelines.get(job.message_id)
        if timeline is None:
            timeline = self._timelines[job.message_id] = Timeline(now, self._context)
        timeline.phases.append((phase, now))
        if self._then is not None:
            self._then(phase, job)

    def ended(
        self,
        report: Report,
        now: int,
        links: Sequence[Link] = (),
        more: Attributes | None = None,
    ) -> None:
        """Report a message that was settled by *now*."""
        timeline = self._timelines.pop(report.message_id, None) or Timeline(now, self._context)
        try:
            self._channel.report(timeline, now, report, links, more or {})
        except Exception as error:
            self._channel.guard.note(self._channel.report, error)
