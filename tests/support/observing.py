"""What an app with MAIL_TELEMETRY has reported, kept in memory."""

from __future__ import annotations

import typing as t

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if t.TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


class Observed:
    """The providers of one test, and what they have got."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.meter_provider = MeterProvider(metric_readers=[self._reader])
        self.key: dict[str, object] = {
            "tracer_provider": self.tracer_provider,
            "meter_provider": self.meter_provider,
        }
        """The value of MAIL_TELEMETRY."""

    def close(self) -> None:
        """End what the SDK has started."""
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown()

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """All spans that have ended, the first to end first."""
        return self._exporter.get_finished_spans()

    @property
    def names(self) -> list[str]:
        """Their names."""
        return [span.name for span in self.spans]

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the spans of this name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        """Return the only span of this name."""
        (span,) = self.named(name)
        return span

    def children(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """Return the children of a span, the first to begin first."""
        context = parent.get_span_context()
        assert context is not None
        found = [one for one in self.spans if one.parent and one.parent.span_id == context.span_id]
        return sorted(found, key=lambda span: span.start_time or 0)

    def points(self) -> dict[str, dict[tuple[object, ...], t.Any]]:
        """Return the points of each metric, by the values of their attributes in the order of their
        names. A point of a histogram is a number of measurements."""
        found: dict[str, dict[tuple[object, ...], t.Any]] = {}
        data = self._reader.get_metrics_data()
        if data is None:
            return found
        for resource in data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = {
                        tuple(value for _, value in sorted((point.attributes or {}).items())): (
                            getattr(point, "value", None)
                            if hasattr(point, "value")
                            else t.cast(t.Any, point).count
                        )
                        for point in metric.data.data_points
                    }
        return found

    def everything(self) -> str:
        """Return all that was exported, as one text."""
        data = self._reader.get_metrics_data()
        spans = [span.to_json() for span in self.spans]
        return "\n".join([*spans, "" if data is None else data.to_json()])
