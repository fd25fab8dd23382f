#!/usr/bin/env bash
# An app sends mail in jobs of RQ and reports spans to OpenTelemetry as its documentation shows: with BatchSpanProcessor,
# which exports in a thread every few seconds and at exit. One guesses that the spans of a job arrive a little late, as
# they do from a web server. But RQ's worker forks a process for each job and ends it with os._exit() as soon as the
# job is done, before the thread exports, and without the hook of atexit. The span of each job is lost, and the same
# holds for what a PeriodicExportingMetricReader has counted. There is no error: the worker's own spans arrive, and
# the jobs' are missing. With force_flush() at the end of the job they arrive, and with RQ's SimpleWorker, which does
# not fork.
#
# This script needs Debian's package redis-server (7.0 in Debian 12).
set -euo pipefail
folder=$(mktemp -d)
server=
tidy() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap tidy EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rq==3.0.0 redis==8.1.0 opentelemetry-sdk==1.45.2
redis-server --port 0 --unixsocket "$folder/redis" --save '' --dir "$folder" >/dev/null &
server=$!
cat >"$folder/jobs.py" <<'PYTHON'
import os
import pathlib

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

HERE = pathlib.Path(__file__).parent
EXPORTED = HERE / "exported"


class Exporter(SpanExporter):
    def export(self, spans):
        with EXPORTED.open("a") as file:
            file.writelines(f"{span.name}\n" for span in spans)
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(Exporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop")


def send(number, flush):
    with tracer.start_as_current_span(f"mail {number}"), (HERE / "sent").open("a") as file:
        file.write(f"mail {number}\n")
    if flush:
        provider.force_flush()
PYTHON
cd "$folder"
venv/bin/python - <<'PYTHON'
import importlib.metadata
import time

import jobs
import redis
import rq

connection = redis.Redis(unix_socket_path=str(jobs.HERE / "redis"))
for _ in range(300):
    try:
        connection.ping()
        break
    except redis.ConnectionError:
        time.sleep(0.1)
queue = rq.Queue(connection=connection)


def lines(name):
    file = jobs.HERE / name
    return file.read_text().splitlines() if file.exists() else []


def work(worker, flush):
    """Return the spans that were exported of five jobs, and of the worker."""
    for name in ("exported", "sent"):
        (jobs.HERE / name).unlink(missing_ok=True)
    for number in range(5):
        queue.enqueue(jobs.send, number, flush)
    jobs.tracer.start_span("worker").end()
    worker([queue], connection=connection).work(burst=True, logging_level="WARNING")
    jobs.provider.force_flush()  # as at the exit of the worker
    assert lines("sent") == [f"mail {number}" for number in range(5)], "not all jobs were done"
    return sorted(lines("exported"))


for name in ("rq", "redis", "opentelemetry-sdk"):
    print(name, importlib.metadata.version(name))
mails = [f"mail {number}" for number in range(5)]
forking = work(rq.Worker, False)
print("Worker:", forking)
flushed = work(rq.Worker, True)
print("Worker, with force_flush() in the job:", flushed)
simple = work(rq.SimpleWorker, False)
print("SimpleWorker:", simple)
assert set(simple) == {*mails, "worker"}, "the exporter does not work"
assert set(flushed) == {*mails, "worker"}, "force_flush() does not help"
assert forking == ["worker"], "the spans of the jobs are no longer lost"
PYTHON
