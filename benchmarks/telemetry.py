"""The CPU time of one mail over an open connection, with and without MAIL_TELEMETRY.

The variants take turns, and each is compared with the app without the key in the same turn. The
server is our own sink, on the same machine, without encryption. Spans go to an exporter that drops
them, at once. Metrics are collected at the end. Two variants are off, and make the same calls of
the SDK after each mail themselves: what the SDK takes alone. The last row sends with an earlier
revision of the package, in a process of its own, and compares it with this one.
"""

from __future__ import annotations

import statistics
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

from .against import build
from .against import earlier
from .against import HERE
from .cases import BOTH
from .cases import Case
from .cases import to_json
from .peers import OURS
from .program import Program
from .senders import flask_mailhandler
from .senders import One
from .servers import certificates
from .servers import Missing
from .servers import Sink
from .table import microseconds
from .table import table
from .targets import Target

BEFORE = "32c526d"
"""The revision before there was any telemetry."""
OFF = "off"
_MAILS = 10
Calls: t.TypeAlias = Callable[[], None]


def run(rounds: int) -> list[Target]:
    """Measure, print the table, and return the targets.

    :param rounds: The number of turns of each variant.
    """
    with certificates() as made, Sink(made) as sink:
        site = sink.sites["none"]
        senders: dict[str, One] = {
            name: _then(flask_mailhandler(site, keys).one, call) for name, keys, call in _variants()
        }
        found = _measure({name: _cpu(send) for name, send in senders.items()}, rounds)
        before = _before(site.port, rounds)
    rows = [
        [name, microseconds(_quick(spent)), f"{_ratio(spent, found[OFF]):.2f}"]
        for name, spent in found.items()
    ]
    rows.append([f"off, compared with {BEFORE}", "", f"{before:.2f}"])
    print("\nCPU microseconds of one mail over an open connection, and of its time without:\n")
    print(table(["MAIL_TELEMETRY", "microseconds", "ratio"], rows))
    return [
        Target(f"{OURS}, telemetry off, {BEFORE}", before, "of its CPU", most=1.05),
        Target(
            f"{OURS}, telemetry without an SDK, off",
            _ratio(found["on, no SDK"], found[OFF]),
            "of its CPU",
            most=1.05,
        ),
    ]


def _variants() -> Iterator[tuple[str, Mapping[str, object], Calls]]:
    """Yield the name of each, the configuration, and what to call after each mail."""
    try:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export import SpanExporter
        from opentelemetry.sdk.trace.export import SpanExportResult
        from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        from opentelemetry.trace import NoOpTracerProvider
    except ModuleNotFoundError:
        raise Missing("no opentelemetry-sdk") from None

    class Dropping(SpanExporter):
        def export(self, spans: t.Any) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    def traces(*, sampled: bool) -> TracerProvider:
        made = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF)
        made.add_span_processor(SimpleSpanProcessor(Dropping()))
        return made

    def on(tracer_provider: object, meter_provider: object) -> Mapping[str, object]:
        providers = {"tracer_provider": tracer_provider, "meter_provider": meter_provider}
        return {"MAIL_TELEMETRY": providers}

    def metrics() -> MeterProvider:
        return MeterProvider(metric_readers=[InMemoryMetricReader()])

    none, sampled = NoOpTracerProvider(), traces(sampled=True)
    yield OFF, {}, _nothing
    yield "on, no SDK", {"MAIL_TELEMETRY": True}, _nothing
    yield "metrics", on(none, metrics()), _nothing
    yield "off, then the SDK's calls for metrics", {}, _calls(none, metrics())
    unsampled = on(traces(sampled=False), metrics())
    yield "metrics, and traces that are not sampled", unsampled, _nothing
    yield "metrics, and traces that are sampled", on(sampled, metrics()), _nothing
    yield "off, then those for metrics and a sampled trace", {}, _calls(sampled, metrics())


def _nothing() -> None:
    pass


def _calls(tracer_provider: t.Any, meter_provider: t.Any) -> Calls:
    """Return what calls the SDK as one mail does, with attributes that are the same each time."""
    from opentelemetry.trace import set_span_in_context
    from opentelemetry.trace import SpanKind

    tracer = tracer_provider.get_tracer("benchmarks")
    duration = meter_provider.get_meter("benchmarks").create_histogram("duration", "s")
    about: dict[str, object] = {f"messaging.attribute.{number}": "value" for number in range(3)}
    sent = {**about, **{f"mailhandler.attribute.{number}": "value" for number in range(6)}}
    phases = {f"mailhandler.phase.{number}.time": 0.0001 for number in range(5)}

    def call() -> None:
        span, within = tracer.start_span("send", kind=SpanKind.CLIENT, attributes=sent), None
        if span.is_recording():
            within = set_span_in_context(span)
            tracer.start_span("prepare", within).end()
            tracer.start_span("transaction", within, attributes=phases).end()
        span.end()
        duration.record(0.001, about, within)

    return call


def _then(send: One, call: Calls) -> One:
    """Return a sender that also calls something after each mail."""

    def one(case: Case, times: int) -> list[float]:
        found: list[float] = []
        for _ in range(times):
            found += send(case, 1)
            call()
        return found

    return one


def _cpu(send: One) -> Callable[[], float]:
    def act() -> float:
        send(BOTH, 2)  # opens a connection again, and fills caches
        start = time.process_time()
        send(BOTH, _MAILS)
        return (time.process_time() - start) / _MAILS

    return act


def _before(port: int, rounds: int) -> float:
    """Return the ratio of the CPU time of this build, without telemetry, and an earlier one's."""
    acts: dict[str, Callable[[], float]] = {}
    with earlier(BEFORE) as source, build(source) as before, build(HERE / "src") as now:
        for name, program in (("before", before), (OFF, now)):
            program.ask(["load", to_json(BOTH)])
            program.ask(["connect", port])
            acts[name] = _asks(program)
        found = _measure(acts, rounds)
    return _ratio(found[OFF], found["before"])


def _asks(program: Program) -> Callable[[], float]:
    def act() -> float:
        program.ask(["one", 2])
        return float(program.ask(["one", _MAILS])[1]) / _MAILS

    return act


def _measure(acts: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in acts}
    for turn in range(rounds + 1):
        for name, act in acts.items():
            spent = act()
            if turn:  # in the first, caches fill
                found[name].append(spent)
    return found


def _ratio(spent: list[float], compared: list[float]) -> float:
    """Return the ratio of what the quickest tenth of the turns took at most. Other load on the
    machine adds to a turn, and never takes away."""
    return _quick(spent) / _quick(compared)


def _quick(spent: list[float]) -> float:
    return statistics.quantiles(spent, n=10)[0]
