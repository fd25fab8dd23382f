"""The set-up and the Prometheus page of docs/telemetry.rst, in a gunicorn with several workers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from code_blocks import captioned
from code_blocks import code_blocks
from local_http import ask
from queueing import url_of
from sending import Scripted
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import ScriptedServer

PAGE = Path(__file__).parents[2] / "docs" / "telemetry.rst"
FILES = {**captioned(PAGE), **{one.file: one.code for one in code_blocks(PAGE) if one.file}}
# Sends, queues, and says which worker did.
_VIEWS = """

from flask_mailhandler import DeliveryError
from flask_mailhandler import Message

def letter(name):
    return Message(subject="Hi", text="Hello", to=f"{name}@example.com")

@app.post("/now/<name>")
def now(name):
    try:
        mail.send(letter(name))
    except DeliveryError:
        pass
    return str(os.getpid())

@app.post("/later/<name>")
def later(name):
    TRACED
        mail.send_later(letter(name))
    return str(os.getpid())

@app.get("/")
def pid():
    return str(os.getpid())
"""
# Stands in for the exporters of OTLP, which need a collector.
_EXPORTER = """
import os
from pathlib import Path
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

def write(kind, text):
    with Path(f"{kind}.{os.getpid()}").open("a") as file:
        file.write(text.replace("\\n", "") + "\\n")

class OTLPSpanExporter(SpanExporter):
    def export(self, spans):
        for span in spans:
            write("spans", span.to_json())
        return SpanExportResult.SUCCESS

class OTLPMetricExporter(MetricExporter):
    def export(self, metrics_data, timeout_millis=10_000, **more):
        write("metrics", metrics_data.to_json())
        return MetricExportResult.SUCCESS
    def force_flush(self, timeout_millis=10_000):
        return True
    def shutdown(self, timeout_millis=30_000, **more):
        pass
"""


@contextlib.contextmanager
def gunicorn(
    folder: Path, server: ScriptedServer, *options: str, **environment: str
) -> Iterator[Path]:
    """Run ``shop:app`` in gunicorn, and yield the socket at which it listens."""
    socket = folder / "http"
    log = (folder / "log").open("wb")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--bind", f"unix:{socket}", *options),
            *("--timeout", "120", "--graceful-timeout", "90", "shop:app"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
            "XDG_RUNTIME_DIR": str(folder),
            "FLASK_MAIL_URL": url_of(server),
            "FLASK_MAIL_DEFAULT_FROM": "shop@example.com",
            "FLASK_MAIL_QUEUE": str(folder / "queue.sqlite"),
            **environment,
        },
        stdout=subprocess.DEVNULL,
        stderr=log,
        start_new_session=True,
    )

    def answers() -> bool:
        assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        with contextlib.suppress(OSError):
            return ask(socket, "GET", "/")[0] == 200
        return False

    try:
        until(answers, 60, "gunicorn")
        yield socket
    finally:
        process.terminate()
        process.wait(120)
        log.close()


def post(socket: Path, path: str) -> str:
    """Post, and return the worker that answered."""
    status, said = ask(socket, "POST", path)
    assert status == 200, said
    return said


def post_to_all(socket: Path, path: str, workers: int) -> tuple[int, set[str]]:
    """Post until each worker has answered twice. Return the number of requests, and the workers."""
    answered: dict[str, int] = {}
    while len(answered) < workers or min(answered.values()) < 2:
        pid = post(socket, path)
        answered[pid] = answered.get(pid, 0) + 1
        assert sum(answered.values()) < 2000
    return sum(answered.values()), {*answered}


def _lives(socket: Path, workers: set[str]) -> bool:
    """Whether a worker answers that is not one of these."""
    # A worker that is killed may have taken the connection.
    with contextlib.suppress(OSError, http.client.HTTPException):
        return ask(socket, "GET", "/")[1] not in workers
    return False


@pytest.mark.services
@pytest.mark.slow
def test_the_prometheus_page(tmp_path: Path, scripted: Scripted) -> None:
    """Each worker answers for all of them, also for one that was killed. The page shows what was
    sent if the queue cannot be read."""
    server = scripted(on={"RCPT TO:<bad": "550 5.1.1 no"})
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    (numbers / "counter_1.db").write_bytes(b"of an earlier run")
    for name in ("mail_metrics.py", "prometheus.conf.py"):
        (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    views = f"import os\n{_VIEWS}".replace("TRACED", "if True:")
    (tmp_path / "shop.py").write_text(f"{FILES['shop.py']}\n{views}", encoding="utf-8")
    given = {"PROMETHEUS_MULTIPROC_DIR": str(numbers), "FLASK_MAIL_QUEUE_ENGINE": "none"}

    with gunicorn(tmp_path, server, "--config", "prometheus.conf.py", **given) as socket:
        good, workers = post_to_all(socket, "/now/ann", 3)
        bad, _ = post_to_all(socket, "/now/bad", 3)
        post(socket, "/later/bob")
        pages = [ask(socket, "GET", "/metrics")[1] for _ in range(6)]
        os.kill(int(min(workers)), 9)
        until(lambda: _lives(socket, workers), 60, "another worker")
        for file in tmp_path.glob("queue.sqlite*"):
            file.write_bytes(b"damaged" * 1000)
        after = ask(socket, "GET", "/metrics")[1]

    for page in [*pages, after]:
        assert f'mail_recipients_total{{state="accepted"}} {good}.0' in page
        assert f'mail_recipients_total{{state="refused"}} {bad}.0' in page
    assert all('mail_queue_messages{state="waiting"} 1.0' in page for page in pages)
    assert "mail_queue_messages" not in after
    assert len(server.accepted) == good


@pytest.mark.services
@pytest.mark.slow
def test_the_set_up(tmp_path: Path, scripted: Scripted) -> None:
    """With the providers of post_fork, each worker reports its own messages, although the app was
    loaded before the fork, and mail from the queue is linked to its request."""
    server = scripted()
    exporters = tmp_path / "opentelemetry" / "exporter" / "otlp" / "proto" / "http"
    exporters.mkdir(parents=True)
    for name in ("metric_exporter.py", "trace_exporter.py"):
        (exporters / name).write_text(_EXPORTER, encoding="utf-8")
    (tmp_path / "gunicorn.conf.py").write_text(FILES["gunicorn.conf.py"], encoding="utf-8")
    app = FILES["shop.py"].replace("import mail_metrics\n", "").replace("app.register", "# ")
    tracer = "with trace.get_tracer('shop').start_as_current_span('POST /later'):"
    views = f"import os\nfrom opentelemetry import trace\n{_VIEWS}".replace("TRACED", tracer)
    (tmp_path / "shop.py").write_text(f"{app}\n{views}", encoding="utf-8")

    with gunicorn(tmp_path, server, "--preload", FLASK_MAIL_TELEMETRY="true") as socket:
        now, workers = post_to_all(socket, "/now/ann", 2)
        later, _ = post_to_all(socket, "/later/bob", 2)
        until(lambda: len(server.accepted) == now + later, 60, "the queue")

    spans = [json.loads(line) for line in lines(tmp_path, "spans")]
    sent = [span for span in spans if span["name"] == "send default"]
    requests = {one["context"]["span_id"] for one in spans if one["name"] == "POST /later"}
    linked = {link["context"]["span_id"] for span in sent for link in span["links"]}
    assert len(sent) == now + later
    assert {file.suffix[1:] for file in tmp_path.glob("spans.*")} == workers
    assert linked == requests
    assert len(requests) == later
    instances = {span["resource"]["attributes"]["service.instance.id"] for span in sent}
    assert len(instances) == 2
    # The last export of each worker, at its end, has all that it counted.
    last = [[*lines(tmp_path, file.name)][-1] for file in tmp_path.glob("metrics.*")]
    assert sum(accepted(json.loads(line)) for line in last) == now + later
    assert re.search("Traceback|Telemetry", (tmp_path / "log").read_text(encoding="utf-8")) is None


def lines(folder: Path, kind: str) -> Iterator[str]:
    for file in folder.glob(f"{kind.partition('.')[0]}.*"):
        if file.name.startswith(kind):
            yield from file.read_text(encoding="utf-8").splitlines()


def accepted(metrics: dict[str, t.Any]) -> int:
    """Return how many recipients a worker has counted as accepted."""
    return sum(
        point["value"]
        for resource in metrics["resource_metrics"]
        for scope in resource["scope_metrics"]
        for metric in scope["metrics"]
        if metric["name"] == "mailhandler.recipients"
        for point in metric["data"]["data_points"]
        if point["attributes"]["mailhandler.state"] == "accepted"
    )
