"""Fifty requests at once to a web server that is stopped in the middle, and what became of them."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import http.client
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

from local_http import ask
from queueing import shop
from queueing import url_of
from servers import Delay
from servers.actions import Script
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import ScriptedServer
    from servers.actions import Action
    from web_servers import WebServer

_APP = """
import os

from flask import Flask
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.queue import lease
from flask_mailhandler.queue.engines import thread

# What a process leaves must be found by other means than the end of its lease.
lease.LEASE = 110.0
thread.DRAIN = float(os.environ["DRAIN"])

app = Flask("shop", instance_path=os.environ["FOLDER"])
app.config.update(MAIL_DEFAULT_FROM="shop@example.com", MAIL_URL=os.environ["MAIL_URL"])
mail = Mail(app)


def message(name):
    return Message(subject=name, text="Hello.", to=f"{name}@example.com")


@app.post("/send/<name>")
def send(name):
    mail.send(message(name))
    return "", 200


@app.post("/later/<name>")
def later(name):
    mail.send_later(message(name), key=name)
    return "", 202


@app.get("/")
def ready():
    return "ready"
"""
REQUESTS = 50
STOP_AFTER = 15
# Some servers accept no connection any more, and close them only when the last process ends.
_LAST_RESPONSES = 3.0


@dataclasses.dataclass
class Outcome:
    """What became of the requests and their mail."""

    answered: int = 0
    """Requests with a response of 2xx."""
    cut: int = 0
    """Requests without a response."""
    errors: int = 0
    """Requests with a response of 5xx."""
    seconds: float = 0.0
    """From the signal to the end of the last process."""
    left: int = 0
    """Queued messages that were not sent when the server had ended."""
    held: int = 0
    """Queued messages of which nobody knows whether they were sent."""
    lost: list[str] = dataclasses.field(default_factory=list)
    """Messages of answered requests that never arrived, except those that are held."""
    doubled: list[str] = dataclasses.field(default_factory=list)
    """Messages that arrived more than once."""


class Running:
    """A web server that serves the shop."""

    def __init__(
        self, web: WebServer, folder: Path, server: ScriptedServer, *, grace: float, drain: float
    ) -> None:
        self._web = web
        self._socket = folder / "http"
        (folder / "shop.py").write_text(_APP + web.end, encoding="utf-8")
        for name, text in web.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [part.format(socket=self._socket, grace=round(grace)) for part in web.command],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
                    "XDG_RUNTIME_DIR": str(folder),  # where gunicorn makes its control socket
                    "FOLDER": str(folder),
                    "SOCKET": str(self._socket),
                    "MAIL_URL": url_of(server),
                    "DRAIN": str(drain),
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Wait for the first response."""
        until(self._is_ready, 60, self._web.name)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, f"{self._web} ended by itself"
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/") == 200
        return False

    def ask(self, method: str, path: str) -> int:
        """Make a request, and return the status of its response."""
        return ask(self._socket, method, path)[0]

    def wait_until_ended(self) -> None:
        """Wait for the end of all its processes."""
        self.process.wait(120)
        until(lambda: not self._others(), 120, f"the processes of {self._web}")

    def _others(self) -> list[int]:
        """The processes of the server's session that are not dead yet."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                facts = path.read_bytes().rpartition(b")")[2].split()
                if int(facts[3]) == self.process.pid and facts[0] not in (b"Z", b"X"):
                    found.append(int(path.parent.name))
        return found

    def kill(self) -> None:
        """Kill what is left of it."""
        for number in [*self._others(), *([self.process.pid] if self.process.poll() is None else [])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(
    web: WebServer, folder: Path, server: ScriptedServer, *, grace: float, drain: float
) -> Iterator[Running]:
    """Run a web server."""
    started = Running(web, folder, server, grace=grace, drain=drain)
    try:
        started.wait_until_ready()
        yield started
    finally:
        started.kill()


class _Storm:
    """Requests at once, each in a thread."""

    def __init__(self, web: Running) -> None:
        self._web = web
        self.statuses: dict[str, int] = {}
        self._one_more = threading.Condition()
        kinds = ("send", "later")
        self._threads = [
            threading.Thread(target=self._ask, args=(kind, f"{kind}-{number}"))
            for number in range(REQUESTS // 2)
            for kind in kinds
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait_for(self, number: int) -> None:
        with self._one_more:
            assert self._one_more.wait_for(lambda: len(self.statuses) >= number, 60)

    def join(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _ask(self, kind: str, name: str) -> None:
        try:
            status = self._web.ask("POST", f"/{kind}/{name}")
        except (OSError, http.client.HTTPException):
            status = 0
        with self._one_more:
            self.statuses[name] = status
            self._one_more.notify_all()


def storm(
    web: WebServer, folder: Path, server: ScriptedServer, *, grace: float = 30, drain: float = 10
) -> Outcome:
    """Make the requests, stop the server after some responses, and let another process send what
    is left.

    :param grace: Seconds that the server allows its processes at the end.
    :param drain: Seconds that a process takes to send due mail at its end.
    """
    outcome = Outcome()
    over = threading.Event()

    def reply(line: str, connection: object) -> Action:
        # Nothing that was queued is sent before the server has served its last request.
        over.wait(60)
        return Delay(0.02, "250 2.1.5 OK")

    server.script = Script({"RCPT TO:<later": reply, "end of data": Delay(0.02, "250 2.0.0 OK")})
    with running(web, folder, server, grace=grace, drain=drain) as started:
        requests = _Storm(started)
        requests.start()
        requests.wait_for(STOP_AFTER)
        began = time.monotonic()
        started.process.send_signal(web.stop)
        requests.join(_LAST_RESPONSES)
        over.set()
        started.wait_until_ended()
        outcome.seconds = time.monotonic() - began
    requests.join(60)
    statuses = requests.statuses
    outcome.answered = sum(200 <= status < 300 for status in statuses.values())
    outcome.cut = [*statuses.values()].count(0)
    outcome.errors = REQUESTS - outcome.answered - outcome.cut
    with shop(folder, server) as here:
        outcome.left = len(here.rows) - here.states.count("sent")
        here.queue.run_once()
        states = {str(row.key): str(row.state) for row in here.rows}
    server.stop()
    outcome.held = [*states.values()].count("held")
    arrived = collections.Counter(one.recipients[0].partition("@")[0] for one in server.received)
    answered = {name for name, status in statuses.items() if 200 <= status < 300}
    outcome.lost = sorted(
        name for name in answered if not arrived[name] and states.get(name) != "held"
    )
    outcome.doubled = sorted(name for name, number in arrived.items() if number > 1)
    return outcome
