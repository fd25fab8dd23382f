"""The queue under gunicorn, with an app that is loaded before the workers fork."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import typing as t

import pytest

from local_http import ask
from queueing import shop
from queueing import url_of
from sending import Scripted
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import ScriptedServer
    from storing import Place

_APP = """
import os
from pathlib import Path
from flask import request
from flask_mailhandler.queue import lease
from flask_mailhandler.queue import worker
from queueing import Shop
from sending import letter

lease.LEASE = 3.0
worker.POLL = 0.2
keys = {key: os.environ[key] for key in ("MAIL_URL", "MAIL_QUEUE")}
here = Shop(Path(os.environ["FOLDER"]), None, MAIL_QUEUE_ENGINE="thread", **keys)
app = here.app
# The file is open, and the thread runs, in the process that forks.
with app.app_context():
    here.mail.send_later(letter("preload@example.com"), key="preload")

@app.post("/<name>")
def send(name):
    return {"id": here.mail.send_later(letter(f"{name}@example.com"), key=name).id}

@app.get("/")
def pid():
    return {"pid": os.getpid()}
"""


class Gunicorn:
    """gunicorn with two workers that were forked from a loaded app."""

    def __init__(self, folder: Path, server: ScriptedServer, queue: str) -> None:
        (folder / "preloaded.py").write_text(_APP, encoding="utf-8")
        self._listens_at = folder / "http"
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--bind", f"unix:{self._listens_at}"),
                *("--workers", "2", "--threads", "2", "--preload"),
                # Who has connected may be slow to ask, and a worker to end.
                *("--keep-alive", "60", "--graceful-timeout", "90", "preloaded:app"),
            ],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                "FOLDER": str(folder),
                "XDG_RUNTIME_DIR": str(folder),  # of the socket by which gunicorn is controlled
                "MAIL_URL": url_of(server),
                "MAIL_QUEUE": queue,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        until(self._answers, 60, "gunicorn")

    def _answers(self) -> bool:
        assert self.process.poll() is None
        with contextlib.suppress(OSError):
            return self.ask("GET", "") > 0
        return False

    def ask(self, method: str, name: str) -> int:
        """Make a request, and return the number in its response."""
        status, said = ask(self._listens_at, method, f"/{name}")
        assert status == 200, said
        (number,) = json.loads(said).values()
        return int(number)

    def post(self, names: list[str]) -> list[str]:
        """Post until the server is gone. Return the messages that are left, of which the first may
        have been queued."""
        for place, name in enumerate(names):
            try:
                self.ask("POST", name)
            except (OSError, http.client.HTTPException):
                return names[place:]
        return []

    def kill(self) -> None:
        """Send SIGKILL to the whole server."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """Send SIGTERM, and wait."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(120)


@contextlib.contextmanager
def gunicorn(folder: Path, server: ScriptedServer, queue: str = "sqlite") -> Iterator[Gunicorn]:
    running = Gunicorn(folder, server, queue)
    try:
        yield running
    finally:
        running.stop()


@pytest.mark.services
@pytest.mark.usefixtures("untraced")
def test_the_whole_server_is_killed(tmp_path: Path, scripted: Scripted, place: Place) -> None:
    """F-95, F-97, F-100: no message that workers forked from a loaded app have queued is lost or
    sent twice, although the whole server is killed twice. The rest is sent after the next
    request."""
    server = scripted()
    names = [f"n{number}" for number in range(60)]
    for part in (names[:20], names[20:40]):
        with gunicorn(tmp_path, server, place.named) as running:
            for name in part:
                running.ask("POST", name)
            running.kill()
    with (
        gunicorn(tmp_path, server, place.named) as running,
        shop(tmp_path, server, MAIL_QUEUE=place.named) as here,
    ):
        for name in names[40:]:
            running.ask("POST", name)

        def over() -> bool:
            return {*here.states} <= {"sent", "held"}

        until(over, 60, "everything to be sent or held")
        states = dict(zip((row.key for row in here.rows), here.states, strict=True))

    assert {*states} == {"preload", *names}
    got = [one.recipients[0].partition("@")[0] for one in server.received]
    assert len(got) == len({*got})
    assert {name for name, state in states.items() if state == "sent"} <= {*got}
    assert list(states.values()).count("held") <= 6  # one of each thread that was killed


@pytest.mark.services
def test_the_server_ends_in_order(tmp_path: Path, scripted: Scripted, place: Place) -> None:
    """F-98: under gunicorn, SIGTERM lets the workers send due mail."""
    server = scripted()
    with gunicorn(tmp_path, server, place.named) as running:
        for number in range(30):
            running.ask("POST", f"n{number}")
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        assert {*here.states} == {"sent"}
        assert len(server.accepted) == 31
