"""The one file that imports OpenTelemetry: what the other files use of it.

Without providers in ``MAIL_TELEMETRY`` these are the global ones. They may be set later, in each
process of a web server: until then, what is made here stands in for what they will make.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from importlib import metadata

from opentelemetry import context as context
from opentelemetry import metrics as metrics
from opentelemetry import trace as trace
from opentelemetry.context import Context as Context
from opentelemetry.metrics import CallbackOptions as CallbackOptions
from opentelemetry.metrics import Histogram as Histogram
from opentelemetry.metrics import Meter as Meter
from opentelemetry.metrics import MeterProvider as MeterProvider
from opentelemetry.metrics import Observation as Observation
from opentelemetry.trace import Link as Link
from opentelemetry.trace import Span as Span
from opentelemetry.trace import SpanKind as SpanKind
from opentelemetry.trace import Status as Status
from opentelemetry.trace import StatusCode as StatusCode
from opentelemetry.trace import Tracer as Tracer
from opentelemetry.trace import TracerProvider as TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

current: Callable[[], Context] = context.get_current
NAME = "flask_mailhandler"
SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the semantic conventions whose names are used."""
_CARRIER = TraceContextTextMapPropagator()
_LONGEST = 1000
_NO_OP = (trace.NoOpTracerProvider, metrics.NoOpMeterProvider)
_OF_THE_API = ("opentelemetry.trace", "opentelemetry.metrics")
_LONGEST_FLUSH = 5000
"""Milliseconds for an exporter whose server hangs."""


def tracer(provider: TracerProvider | None) -> Tracer:
    """Return the tracer of this package."""
    return trace.get_tracer(NAME, _version(), provider, SCHEMA)


def meter(provider: MeterProvider | None) -> Meter:
    """Return the meter of this package."""
    return metrics.get_meter(NAME, _version(), provider, SCHEMA)


def are_heard(traces: TracerProvider | None, numbers: MeterProvider | None) -> bool:
    """Whether one of the providers reports anything now. None is the global one."""
    return _is_heard(traces, trace.get_tracer_provider) or _is_heard(
        numbers, metrics.get_meter_provider
    )


def _is_heard(given: object, globally: Callable[[], object]) -> bool:
    if given is not None:
        return not isinstance(given, _NO_OP)
    # Until the app sets a global one, the API returns one of its own.
    return not type(globally()).__module__.startswith(_OF_THE_API)


def flush(provider: object) -> None:
    """Export what a provider holds. Those of the API alone, without an SDK, hold nothing."""
    if (force_flush := getattr(provider, "force_flush", None)) is not None:
        force_flush(_LONGEST_FLUSH)


def _version() -> str:
    return metadata.version("Flask-MailHandler")


def carried() -> dict[str, str]:
    """Return the current span as W3C Trace Context writes it; empty if there is none. The baggage
    is left out, because it may hold anything."""
    carrier: dict[str, str] = {}
    _CARRIER.inject(carrier)
    return {name: value for name, value in carrier.items() if len(value) <= _LONGEST}


def link_to(carrier: object) -> Link | None:
    """Return a link to the span that :func:`carried` has written; None if it is not valid."""
    if not isinstance(carrier, Mapping):
        return None
    texts = {str(name): value for name, value in carrier.items() if isinstance(value, str)}
    found = trace.get_current_span(_CARRIER.extract(t.cast("t.Any", texts), Context()))
    spoken = found.get_span_context()
    return Link(spoken) if spoken.is_valid else None
