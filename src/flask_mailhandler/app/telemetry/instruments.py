"""The instruments, and what they read when the metrics are collected.

The SDK calls only the callbacks of the first observable instrument of a name, and drops those of a
second one without a word. A process may have several apps, and a test suite makes one after the
other. So the callbacks of any app read all apps of the process that have the same provider.
"""

from __future__ import annotations

import typing as t
import weakref
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping

from . import api
from .attributes import ACCOUNT
from .attributes import ERROR
from .attributes import EVENT
from .attributes import PHASE
from .attributes import RECIPIENTS
from .attributes import ROW_STATE
from .attributes import STATE
from .tally import PHASE_COUNT
from .tally import PHASE_TIME
from .tally import Tally

if t.TYPE_CHECKING:
    from .api import CallbackOptions
    from .api import Histogram
    from .api import MeterProvider
    from .api import Observation
    from .guard import Guard

APP = "mailhandler.app"
ATTEMPTS = "mailhandler.queue.attempts"
PAUSES = "mailhandler.queue.pauses"
EVENTS = "mailhandler.events"
DEPTH = "mailhandler.queue.messages"
AGE = "mailhandler.queue.oldest.age"
DURATION = "messaging.client.operation.duration"

_COUNTERS = {
    RECIPIENTS: ("{recipient}", "Recipients of sent messages, by outcome.", (ACCOUNT, STATE)),
    PHASE_TIME: ("s", "Time spent in each phase of a message.", (ACCOUNT, PHASE)),
    PHASE_COUNT: ("{phase}", "How often each phase was begun.", (ACCOUNT, PHASE)),
    ATTEMPTS: ("{attempt}", "Attempts of the queue, by the state after.", (ACCOUNT, ROW_STATE)),
    PAUSES: ("{pause}", "Pauses of an account of the queue, by error.", (ACCOUNT, ERROR)),
    EVENTS: ("{event}", "Events heard of sent messages, by kind.", (EVENT,)),
}
_GAUGES = {
    DEPTH: ("{message}", "Unfinished messages of the queue.", (APP, ACCOUNT, ROW_STATE)),
    AGE: ("s", "How long the oldest due message has been due.", (APP, ACCOUNT)),
}
# What the conventions advise for this histogram, and a minute for the queue's worker.
_BOUNDARIES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)


class QueueFigures(t.Protocol):
    """What the gauges ask of a queue. Each call reads the store."""

    def depth(self) -> Mapping[tuple[str, str], int]:
        """Return the number of unfinished messages by account and state."""
        ...

    def ages(self) -> Mapping[str, float]:
        """Return for how many seconds the oldest message of each account has been due."""
        ...


class Sums:
    """What the instruments of one app read.

    :param provider: None is the global one.
    """

    def __init__(self, app: str, provider: MeterProvider | None, guard: Guard) -> None:
        self.app: str = app
        self.provider: MeterProvider | None = provider
        self.guard: Guard = guard
        self.tally: Tally = Tally()
        self.queue: QueueFigures | None = None
        """None if the app has no queue."""

    def read(self, name: str) -> Iterable[tuple[tuple[str, ...], float]]:
        """Return the values of the attributes of an instrument, and its number for them."""
        if name not in _GAUGES:
            found = self.tally.sums()
            return [(key[1:], number) for key, number in found.items() if key[0] == name]
        if self.queue is None:
            return []
        if name == DEPTH:
            return [((self.app, *key), number) for key, number in self.queue.depth().items()]
        return [((self.app, account), age) for account, age in self.queue.ages().items()]


# Lists of references, which two threads may read and extend at the same time.
_apps: list[weakref.ref[Sums]] = []


def make_instruments(sums: Sums) -> Histogram:
    """Make the instruments of an app, and return the one that each message is recorded in."""
    _apps.append(weakref.ref(sums, _apps.remove))
    meter = api.meter(sums.provider)
    for name, (unit, about, names) in _COUNTERS.items():
        reading = _reading(name, names, sums.provider)
        meter.create_observable_counter(name, [reading], unit, about)
    for name, (unit, about, names) in _GAUGES.items():
        reading = _reading(name, names, sums.provider)
        meter.create_observable_gauge(name, [reading], unit, about)
    return meter.create_histogram(
        DURATION,
        "s",
        "Time from the call to the report of a message.",
        explicit_bucket_boundaries_advisory=_BOUNDARIES,
    )


def _in_force(provider: MeterProvider | None) -> MeterProvider:
    """Return a provider. One app may name the global one, and another one leave it out."""
    return api.metrics.get_meter_provider() if provider is None else provider


def _reading(
    name: str, names: tuple[str, ...], provider: MeterProvider | None
) -> Callable[[CallbackOptions], Iterable[Observation]]:
    """Return a callback that reads all apps. It holds none of them."""

    def read(options: CallbackOptions) -> Iterable[Observation]:
        found: dict[tuple[str, ...], float] = {}
        for known in [*_apps]:
            sums = known()
            if sums is None or _in_force(sums.provider) is not _in_force(provider):
                continue
            try:
                values = sums.read(name)
            except Exception as error:  # a store that is away keeps no other app from reporting
                sums.guard.note(sums.read, error)
                continue
            for key, number in values:
                # An app that was made twice has one queue, and counts for itself.
                found[key] = number if name in _GAUGES else found.get(key, 0) + number
        return [
            api.Observation(number, dict(zip(names, key, strict=True)))
            for key, number in found.items()
        ]

    return read
