"""The threads of a queue: what keeps them alive, which context they have, how they end, and which
mail a process leaves alone."""

from __future__ import annotations

import contextvars
import json
import os
import stat
import subprocess
import sys
import threading
import typing as t

import pytest

from flask_mailhandler import message_sent
from flask_mailhandler.queue import threads
from queueing import Shop
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters
from sending import Scripted
from servers.actions import Delay
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers import ScriptedServer

HEAD = """
import json, logging, sys
from flask import Flask
from flask_mailhandler import Mail, Message

def create_app():
    app = Flask("shop", instance_path=sys.argv[1])
    app.config.update(MAIL_DEFAULT_FROM="shop@example.com", MAIL_URL=sys.argv[2])
    app.config.update(json.loads(sys.argv[3]))
    app.get("/")(lambda: "up")
    Mail(app)
    return app

def letter(number):
    return Message(subject=str(number), text="Hello", to=f"r{number}@example.com")
"""


def script(
    program: str, folder: Path, server: ScriptedServer, **keys: t.Any
) -> subprocess.CompletedProcess[str]:
    """Run a program as a user would write it, to its end."""
    keys = {"MAIL_QUEUE": "mail-queue.sqlite", **keys}  # where it is by default, but named
    arguments = [str(folder), url_of(server), json.dumps(keys)]
    return subprocess.run(
        [sys.executable, "-c", HEAD + program, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


FORGETFUL = {
    "a function": """
def main():
    app = create_app()
    with app.app_context():
        app.mail.send_later(letter(1))
main()
""",
    "a with block": """
with create_app().app_context():
    from flask import current_app
    current_app.mail.send_later(letter(1))
""",
    "twice": """
def main(number):
    app = create_app()
    with app.app_context():
        for ticket in app.mail.send_later_each([letter(number)]):
            pass
main(1)
import gc; gc.collect()
main(2)
""",
    "in a moment": """
def main():
    app = create_app()
    with app.app_context():
        app.mail.send_later(letter(1), delay=0.5)
main()
import gc, time
gc.collect()
deadline = time.monotonic() + 60
import sqlite3
while not sqlite3.connect(sys.argv[1] + "/mail-queue.sqlite").execute(
    "SELECT 1 FROM mail_queue WHERE state = 'sent'"
).fetchall() and time.monotonic() < deadline:
    time.sleep(0.05)
""",
}


@pytest.mark.parametrize("program", FORGETFUL.values(), ids=FORGETFUL)
def test_an_app_that_is_forgotten(program: str, tmp_path: Path, scripted: Scripted) -> None:
    """A script may create its app in a function and drop it: the mail that it has queued is sent
    all the same."""
    server = scripted()
    done = script(program, tmp_path, server)

    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.accepted) == (program.count("\nmain(") or 1)
    with shop(tmp_path, server) as here:
        assert {*here.states} == {"sent"}


@pytest.mark.parametrize("queue", ["sqlite", "sqlite:///app.sqlite"])
def test_an_exit_closes_the_store_last(queue: str, tmp_path: Path, scripted: Scripted) -> None:
    """A process whose first request wakes the queue sends the mail of an earlier process before its
    connection to the store is closed, whichever of the two was opened first."""
    server = scripted(on={"end of data": Delay(0.05, "250 2.0.0 ok")})
    with shop(tmp_path, server, MAIL_QUEUE=queue) as before:
        assert len([*before.mail.send_later_each(letters(20))]) == 20
    request = "app = create_app()\napp.test_client().get('/')\n"
    done = script(request, tmp_path, server, MAIL_QUEUE=queue)

    assert (done.returncode, done.stderr) == (0, "")
    with shop(tmp_path, server, MAIL_QUEUE=queue) as here:
        assert here.states == ["sent"] * 20
    assert len(server.accepted) == 20


@pytest.mark.parametrize("requests", [1, 3])
def test_another_process_queues_the_first_mail(
    requests: int, tmp_path: Path, scripted: Scripted
) -> None:
    """A process that handled requests before the queue's file existed sends the mail that another
    process leaves there."""
    server = scripted()
    leave = "app = create_app()\nwith app.app_context():\n    app.mail.send_later(letter(1))\n"
    with shop(tmp_path, server, MAIL_QUEUE_ENGINE="thread") as here:
        client = here.app.test_client()
        for _ in range(requests):
            client.get("/")
        done = script(leave, tmp_path, server, MAIL_QUEUE_ENGINE="none")
        client.get("/")
        until(lambda: here.states == ["sent"], 60, "the mail to be sent")

    assert (done.returncode, done.stderr) == (0, "")
    assert len(server.accepted) == 1


@pytest.mark.parametrize("way", ["exit", "once"])
def test_an_end_under_a_rate_limit(way: str, tmp_path: Path, scripted: Scripted) -> None:
    """A process that ends, and a worker that must end, wait for a rate limit that allows more mail
    in time."""
    server = scripted()
    keys = {"MAIL_RATE_LIMIT": "10/s"}
    if way == "exit":
        queue = "app = create_app()\nwith app.app_context():\n"
        queue += "    list(app.mail.send_later_each(letter(n) for n in range(25)))\n"
        done = script(queue, tmp_path, server, **keys)
        assert (done.returncode, done.stderr) == (0, "")
    with shop(tmp_path, server, **keys) as here:
        if way == "once":
            assert len([*here.mail.send_later_each(letters(25))]) == 25
            worker = here.queue.worker()
            worker.bell.finish()
            worker.run()
        assert here.states == ["sent"] * 25
    assert len(server.accepted) == 25


@pytest.mark.parametrize(
    ("number", "wait", "them"), [(150, "145 messages wait", "them"), (6, "1 message waits", "it")]
)
def test_what_waits_for_long_is_told(
    number: int, wait: str, them: str, tmp_path: Path, scripted: Scripted
) -> None:
    """Messages that a process cannot send before its end are counted in one log line, which says
    which process sends them."""
    server = scripted()
    queue = "app = create_app()\nwith app.app_context():\n"
    queue += f"    list(app.mail.send_later_each(letter(n) for n in range({number})))\n"
    done = script(queue, tmp_path, server, MAIL_RATE_LIMIT="5/h")

    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert f"{wait} in {tmp_path}/mail-queue.sqlite." in lines[0]
    assert lines[0].endswith(f"The next process of the app sends {them}, or 'flask mail worker'.")


# What a thread carries

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("REQUEST", default="none")


def test_the_thread_has_a_context_of_its_own(tmp_path: Path, scripted: Scripted) -> None:
    """A request's context may hold a trace or a user. A thread that outlives the request does not
    get that context."""
    seen: list[str] = []

    def receive(sender: object, **facts: object) -> None:
        seen.append(REQUEST.get())

    with shop(tmp_path, scripted(), MAIL_QUEUE_ENGINE="thread") as here:
        message_sent.connect(receive, here.app)
        for order in ("first", "second"):
            token = REQUEST.set(order)
            here.mail.send_later(letter())
            REQUEST.reset(token)
        until(lambda: len(seen) == 2, 60.0, "the signals")

    assert seen == ["none", "none"]


def test_a_library_that_hands_the_context_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing libraries run every thread in the context of the thread that starts it. They find an
    empty one."""
    start: Callable[[threading.Thread], None] = threading.Thread.start

    def traced(self: threading.Thread) -> None:
        context, run = contextvars.copy_context(), self.run
        self.run = lambda: context.run(run)  # type: ignore[method-assign]
        start(self)

    monkeypatch.setattr(threading.Thread, "start", traced)
    REQUEST.set("mine")
    seen: list[str] = []
    thread = threads.start(lambda: seen.append(REQUEST.get()), "test")
    assert thread is not None
    thread.join(60)

    assert seen == ["none"]


# A process that sends nothing


@pytest.mark.parametrize("handler", ["memory", "console", "mailbox"])
def test_a_process_that_sends_nothing(handler: str, tmp_path: Path, scripted: Scripted) -> None:
    """A forgotten server in debug mode on the database of production takes none of production's
    mail, and still handles the mail that it has queued itself."""
    server = scripted()
    with shop(tmp_path, server) as production, shop(tmp_path, MAIL_HANDLER=handler) as debug:
        with production.app.app_context():
            production.mail.send_later(letter())
        assert debug.queue.run_once() == 0
        assert debug.states == ["waiting"]
        debug.mail.send_later(letter("me@example.com"))
        assert debug.queue.run_once() == 1
        assert debug.states == ["waiting", "sent"]
        assert production.queue.run_once() == 1
        assert [one.recipients for one in server.accepted] == [("b@example.com",)]


def test_a_process_that_sends_nothing_any_more(tmp_path: Path, scripted: Scripted) -> None:
    """Mail that was queued by an app that sent nothing is sent when the app is configured to
    send."""
    with shop(tmp_path, MAIL_HANDLER="memory") as debug:
        debug.mail.send_later(letter())
    server = scripted()
    with shop(tmp_path, server) as here:
        here.queue.run_once()
        assert here.states == ["sent"]
    assert len(server.accepted) == 1


# The file


@pytest.mark.parametrize(("mode", "then"), [(0o644, 0o600), (0o664, 0o660), (0o666, 0o660)])
def test_a_file_that_others_can_read(mode: int, then: int, tmp_path: Path) -> None:
    """An existing file of the queue, and the files next to it, are made private. If its group may
    write it, it is shared with the group on purpose."""
    with shop(tmp_path) as here:
        here.mail.send_later(letter())
    files = [tmp_path / "mail-queue.sqlite"]
    keeping = Shop(tmp_path)
    with keeping.app.app_context():
        keeping.queue.get(1)  # with its WAL
        files += [path for path in tmp_path.iterdir() if path.name.startswith("mail-queue.sqlite-")]
        for path in files:
            os.chmod(path, mode)
        with shop(tmp_path) as here:
            here.mail.send_later(letter())
            assert len(files) == 3
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {then}
        keeping.queue.close()
