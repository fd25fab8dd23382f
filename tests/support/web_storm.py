"""Fifty requests at once to a web server that is stopped in the middle, and what became of them.

::

    send-0, later-0, send-1 ...  50 requests, each in a thread
    the stop signal              after 15 responses
    the mail server              accepts no mail of later-... until the last response is there
    the last process ends        what is in the queue now is "left"
    run_once                     as the next process of the app does
"""

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
from servers.dead_ends import free_port
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import ScriptedServer
    from servers.actions import Action
    from web_servers import WebServer

REQUESTS = 50
STOP_AFTER = 15
# Some servers keep connections waiting that they no longer accept, until their last process ends.
_LAST_RESPONSE = 3.0
_REPLY = 0.02

_SHOP = """
import os

from flask import Flask
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.queue import lease
from flask_mailhandler.queue.engines import thread

# The next process must find what is left by other means than the end of the lease.
lease.LEASE = 110.0
thread.DRAIN = float(os.environ["DRAIN"])

app = Flask("shop", instance_path=os.environ["FOLDER"])
app.config.update(MAIL_DEFAULT_FROM="shop@example.com", MAIL_URL=os.environ["MAIL_URL"])
mail = Mail(app)


def create_app():
    return app


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


@dataclasses.dataclass
class Result:
    """What became of the requests and their mail."""

    answered: int = 0
    """Requests with a response of 2xx."""
    cut: int = 0
    """Requests without a response."""
    errors: int = 0
    """Requests with another response."""
    seconds: float = 0.0
    """From the signal to the end of the last process."""
    left: int = 0
    """Queued messages that were not sent when the last process had ended."""
    held: int = 0
    """Messages that are held, because it is unknown whether they were sent."""
    waiting: int = 0
    """Queued messages that the next process did not send either."""
    lost: list[str] = dataclasses.field(default_factory=list)
    """Messages of answered requests that have not arrived."""
    doubled: list[str] = dataclasses.field(default_factory=list)
    """Messages that have arrived more than once."""


class Running:
    """A web server that serves the app."""

    def __init__(self, web: WebServer, folder: Path, server: ScriptedServer, drain: float) -> None:
        command = " ".join([*web.command, *web.files.values()])
        self._port = free_port() if "{port}" in command else 0
        self._socket = folder / "http"
        places = {"socket": self._socket, "port": self._port, "folder": folder}
        (folder / "shop.py").write_text(_SHOP, encoding="utf-8")
        for name, text in web.files.items():
            text = text.format(**places) if name.endswith(".conf") else text
            (folder / name).write_text(text, encoding="utf-8")
        if self._port:
            folder.chmod(0o777)  # Apache runs the app as another user
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [part.format(**places) for part in web.command],
                cwd=folder,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
                    "XDG_RUNTIME_DIR": str(folder),  # where gunicorn makes its control socket
                    "FOLDER": str(folder),
                    "MAIL_URL": url_of(server),
                    "DRAIN": str(drain),
                },
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        """Whether it answers.

        :raises RuntimeError: if it has ended by itself.
        """
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.process.args!r} has ended by itself.")
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.ask("GET", "/") == 200
        return False

    def ask(self, method: str, path: str) -> int:
        """Make a request, and return the status of its response."""
        if not self._port:
            return ask(self._socket, method, path)[0]
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, 60)) as client:
            client.request(method, path)
            response = client.getresponse()
            response.read()
            return response.status

    def wait(self) -> None:
        """Wait for the end of the last process."""
        self.process.wait(120)
        until(lambda: not self._processes(), 120, "the other processes of the server")

    def _processes(self) -> list[int]:
        """Its processes that are alive, which have a session of their own."""
        found = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                facts = path.read_bytes().rpartition(b")")[2].split()
                if int(facts[3]) == self.process.pid and facts[0] not in (b"Z", b"X"):
                    found.append(int(path.parent.name))
        return found

    def kill(self) -> None:
        """Kill what is left of it."""
        for number in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def running(
    web: WebServer, folder: Path, server: ScriptedServer, drain: float
) -> Iterator[Running]:
    """Run a web server."""
    started = Running(web, folder, server, drain)
    try:
        until(started.is_ready, 60, "the first response")
        yield started
    finally:
        started.kill()


class _Requests:
    """The requests, each in a thread."""

    def __init__(self, web: Running) -> None:
        self._web = web
        #: The status by name; 0 if there was no response.
        self.statuses: dict[str, int] = {}
        self._change = threading.Condition()
        for number in range(REQUESTS // 2):
            for kind in ("send", "later"):
                threading.Thread(target=self._ask, args=(kind, f"{kind}-{number}")).start()

    def _ask(self, kind: str, name: str) -> None:
        try:
            status = self._web.ask("POST", f"/{kind}/{name}")
        except (OSError, http.client.HTTPException):
            status = 0
        with self._change:
            self.statuses[name] = status
            self._change.notify_all()

    def wait_for(self, number: int, seconds: float) -> bool:
        """Wait until so many requests have ended."""
        with self._change:
            return self._change.wait_for(lambda: len(self.statuses) >= number, seconds)


def storm(web: WebServer, folder: Path, server: ScriptedServer, drain: float = 10.0) -> Result:
    """Make the requests, stop the server after some responses, and let the next process send.

    :param drain: Seconds for which a process sends due mail at its end.
    """
    over = threading.Event()

    def later(line: str, connection: object) -> Action:
        over.wait(60)
        return "250 2.1.5 ok"

    slow = Delay(_REPLY, "250 2.0.0 ok")
    server.script = Script({"RCPT TO:<later": later, "end of data": slow})
    try:
        with running(web, folder, server, drain) as started:
            requests = _Requests(started)
            assert requests.wait_for(STOP_AFTER, 60)
            began = time.monotonic()
            started.process.send_signal(web.stop)
            requests.wait_for(REQUESTS, _LAST_RESPONSE)
            over.set()
            started.wait()
            seconds = time.monotonic() - began
        assert requests.wait_for(REQUESTS, 60)
    finally:
        over.set()
    return dataclasses.replace(_result(requests.statuses, folder, server), seconds=seconds)


def _result(statuses: dict[str, int], folder: Path, server: ScriptedServer) -> Result:
    answered = {name for name, status in statuses.items() if 200 <= status < 300}
    cut = [*statuses.values()].count(0)
    with shop(folder, server) as here:
        left = len(here.rows) - here.states.count("sent")
        here.queue.run_once()
        states = {str(row.key): str(row.state) for row in here.rows}
    server.stop()
    arrived = collections.Counter(one.recipients[0].partition("@")[0] for one in server.received)
    held = {name for name, state in states.items() if state == "held"}
    return Result(
        answered=len(answered),
        cut=cut,
        errors=len(statuses) - len(answered) - cut,
        left=left,
        held=len(held),
        waiting=len(states) - len(held) - [*states.values()].count("sent"),
        lost=sorted(answered - {*arrived} - held),
        doubled=sorted(name for name, number in arrived.items() if number > 1),
    )
