"""What one app reports."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable
from collections.abc import Sequence

from . import api
from .attributes import failure
from .batch import Batch
from .batch import Row
from .channel import Channel
from .guard import Guard
from .instruments import EVENTS
from .instruments import make_instruments
from .instruments import PAUSES
from .instruments import Sums
from .watch import Watch

if t.TYPE_CHECKING:
    from ...handlers.base import EmailHandler
    from ...handlers.prepare import Prepared
    from ...report import Observe
    from ...report import Report
    from .api import Histogram
    from .api import Tracer
    from .keys import Providers

    Prepare: t.TypeAlias = Callable[[t.Any], Prepared]
    Tell: t.TypeAlias = Callable[[Report], None]


class Telemetry:
    """The traces and metrics of one app.

    :param app: The name of the app.
    """

    def __init__(self, app: str, providers: Providers) -> None:
        self._providers = providers
        self._is_heard = False
        self.guard: Guard = Guard()
        self.tracer: Tracer = api.tracer(providers.tracer_provider)
        self.sums: Sums = Sums(app, providers.meter_provider, self.guard)
        self.duration: Histogram = make_instruments(self.sums)

    @property
    def is_heard(self) -> bool:
        """Whether anything is reported. Until the app sets up an SDK, nothing is noted either."""
        # A provider is never taken away again.
        if not self._is_heard:
            given = self._providers
            self._is_heard = api.are_heard(given.tracer_provider, given.meter_provider)
        return self._is_heard

    def around_call(
        self,
        account: str,
        handler: EmailHandler,
        prepare: Prepare,
        observe: Observe | None,
        tell: Tell,
    ) -> tuple[Prepare, Observe, Tell]:
        """Return the three functions of a send call, which also report its messages."""
        watch = Watch(self.channel(account, handler), observe)

        def told(report: Report) -> None:
            now = watch.now()  # a receiver of the signal may take long
            try:
                tell(report)
            finally:
                watch.ended(report, now)

        return functools.partial(watch.prepare, prepare), watch.observe, told

    def batch(
        self, account: str, handler: EmailHandler, rows: Sequence[Row], observe: Observe
    ) -> Batch:
        """Report the rows that a worker sends together."""
        channel = self.channel(account, handler)
        return Batch(channel, self.tracer, self.sums.tally, rows, observe)

    def channel(self, account: str, handler: EmailHandler) -> Channel:
        """Return what reports the messages of an account. It is kept in the handler."""
        kept: Channel | None = vars(handler).get("_telemetry")
        if kept is None or kept.account != account:
            tally, duration = self.sums.tally, self.duration
            kept = Channel(account, handler, self.tracer, tally, duration, self.guard)
            vars(handler)["_telemetry"] = kept
        return kept

    def carried(self) -> dict[str, str]:
        """Return the current span, to be stored with a message that is sent later."""
        found: dict[str, str] = {}
        self.guard.run(lambda: found.update(api.carried()))
        return found

    def paused(self, account: str, error: BaseException) -> None:
        """Count that the queue has paused an account."""
        self.sums.tally.add(PAUSES, account, failure(error))

    def event(self, kind: str) -> None:
        """Count an event that was heard of a sent message."""
        self.sums.tally.add(EVENTS, str(kind))

    def flush(self) -> None:
        """Export what was reported, in a process that ends without an exit hook."""
        tracer = self._providers.tracer_provider or api.trace.get_tracer_provider()
        meter = self._providers.meter_provider or api.metrics.get_meter_provider()
        for provider in (tracer, meter):
            self.guard.run(api.flush, provider)
