#!/usr/bin/env bash
# Two apps of one process, or two tests one after the other, each create an observable gauge of the same name with a
# callback of their own, and each with its own attributes. One guesses that both are read, or that the second is refused
# or logged. But opentelemetry-sdk 1.45.2 returns the first gauge again and drops the second callback without a word, even
# if the first app is gone. The same holds for an observable counter. Two counters that are not observable both count.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'opentelemetry-sdk==1.45.2'
venv/bin/python - <<'PYTHON'
import io
import logging
from importlib.metadata import version

from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

said = io.StringIO()
logging.basicConfig(stream=said, level=logging.DEBUG)
reader = InMemoryMetricReader()
provider = MeterProvider(metric_readers=[reader])

for app in ("one", "two"):
    meter = provider.get_meter("shop")
    meter.create_observable_gauge(
        "queue.messages", [lambda options, app=app: [Observation(1, {"app": app})]]
    )
    meter.create_counter("messages").add(1, {"app": app})

found = {
    metric.name: sorted(point.attributes["app"] for point in metric.data.data_points)
    for resource in reader.get_metrics_data().resource_metrics
    for scope in resource.scope_metrics
    for metric in scope.metrics
}
print(f"opentelemetry-sdk {version('opentelemetry-sdk')}: {found}, logged: {said.getvalue()!r}")
assert found == {"queue.messages": ["one"], "messages": ["one", "two"]}
assert said.getvalue() == ""
PYTHON
