"""Error mail of processes that fork, end, or are stopped by a web server."""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
import typing as t

import pytest

from error_shop import error_shop
from forking import in_child
from local_http import ask
from queueing import url_of
from servers.waiting import until

if t.TYPE_CHECKING:
    from pathlib import Path

    from sending import Scripted

_SCRIPT = """
import sys, time
from flask import Flask
from flask_mailhandler import Mail
from flask_mailhandler.extension.error_mail import courier

courier.DRAIN = float(sys.argv[2])

def create_app():
    app = Flask("script")
    app.config.update(MAIL_URL=sys.argv[1], MAIL_DEFAULT_FROM="shop@example.com")
    if len(sys.argv) > 3:
        app.config["MAIL_QUEUE"] = sys.argv[3]
    mail = Mail(app)
    app.logger.addHandler(mail.error_handler(to="ops@example.com"))
    return app

def main():
    app = create_app()
    if len(sys.argv) > 4:
        app.logger.error("Tea is gone")
        with app.app_context():
            while not app.mail.queue.stats().counts.get("sent"):
                time.sleep(0.02)
    for _ in range(20):
        app.logger.error("Stock is gone")
    app.logger.error("And the till")

main()
"""


def run_script(folder: Path, *arguments: str) -> str:
    """Run a script that logs 21 errors of two kinds and ends. Return what it wrote to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def subjects(contents: t.Iterable[bytes]) -> list[str]:
    return [
        line.removeprefix("Subject: ")
        for content in contents
        for line in content.decode().splitlines()
        if line.startswith("Subject: ")
    ]


def test_the_end_of_a_script(tmp_path: Path, scripted: Scripted) -> None:
    """A script that ends mails what waits, in two mails at most, although its app is dropped."""
    server = scripted()
    run_script(tmp_path, url_of(server), "60")

    found = [accepted.content for accepted in server.accepted]
    assert 1 <= len(found) <= 2
    text = b"".join(found).decode()
    assert "Stock is gone" in text
    assert "And the till" in text


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("later",)], ids=["at once", "later"])
def test_the_end_of_a_script_with_a_queue(
    more: tuple[str, ...], tmp_path: Path, scripted: Scripted
) -> None:
    """With a queue, the last digest is queued and sent before the process ends, even if the hook of
    the queue has run before."""
    server = scripted()
    said = run_script(tmp_path, url_of(server), "60", str(tmp_path / "queue.sqlite"), *more)

    text = b"".join(accepted.content for accepted in server.accepted).decode()
    assert "And the till" in text, said


def test_what_is_lost_at_the_end(tmp_path: Path) -> None:
    """If the mail cannot be sent, stderr says how many errors are lost, and which."""
    said = run_script(tmp_path, "smtp://127.0.0.1:1", "60")

    assert "the process ends, and 21 errors were not mailed" in said
    assert "Stock is gone; And the till" in said


def test_a_signal_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler may log while the first error starts the thread."""
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if thread.name == "error-mail" and threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGUSR1)
        start(thread)

    with error_shop(tmp_path, {"MAIL_URL": "smtp://127.0.0.1:1"}) as shop:
        before = signal.signal(signal.SIGUSR1, lambda *_: shop.app.logger.error("Stopped"))
        monkeypatch.setattr(threading.Thread, "start", interrupted)
        # Otherwise it would hang, and nothing could end it.
        faulthandler.dump_traceback_later(300, exit=True)
        try:
            shop.log_error()
        finally:
            faulthandler.cancel_dump_traceback_later()
            monkeypatch.undo()
            signal.signal(signal.SIGUSR1, before)
        assert sum(thread.name == "error-mail" for thread in threading.enumerate()) == 1


def test_a_fork(tmp_path: Path, scripted: Scripted) -> None:
    """A child has its own thread and its own counts. What waits in the parent is mailed there."""
    server = scripted()
    with error_shop(tmp_path, {"MAIL_URL": url_of(server)}) as shop:
        shop.log_error()
        until(lambda: len(server.accepted) == 1, 60, "the first mail")
        shop.log_error()
        desk = next(iter(shop.handler._desks))
        desk.counts._lock.acquire()
        try:
            assert in_child(lambda: _in_child(shop)) == 0
        finally:
            desk.counts._lock.release()
        until(lambda: len(server.accepted) == 2, 60, "the mail of the child")
        assert desk.counts.left().count == 1
    assert len(server.accepted) == 3


def _in_child(shop: t.Any) -> int:
    shop.app.logger.error("In the child")
    shop.handler.flush()
    (desk,) = shop.handler._desks
    return int(desk.counts.left().count)


_APP = """
import os
from flask import Flask
from flask_mailhandler import Mail

app = Flask("preloaded")
app.config.update(MAIL_URL=os.environ["MAIL_URL"], MAIL_DEFAULT_FROM="shop@example.com")
mail = Mail(app)
app.logger.addHandler(mail.error_handler(to="ops@example.com"))
# The thread runs in the process that forks.
app.logger.error("while it is loaded")

@app.get("/")
def pid():
    return {"pid": os.getpid()}

@app.get("/fail")
def fail():
    return {"pid": 1 // 0}
"""


@pytest.mark.services
@pytest.mark.slow
def test_gunicorn(tmp_path: Path, scripted: Scripted) -> None:
    """Under gunicorn with a loaded app, each worker mails the first error of a kind, and, when the
    server is stopped, its digest. Nothing is lost."""
    server = scripted()
    (tmp_path / "preloaded.py").write_text(_APP, encoding="utf-8")
    listens_at = tmp_path / "http"
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--bind", f"unix:{listens_at}", "--preload"),
            *("--workers", "2", "--threads", "4", "--graceful-timeout", "90", "preloaded:app"),
        ],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "XDG_RUNTIME_DIR": str(tmp_path),
            "MAIL_URL": url_of(server),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:

        def answers() -> bool:
            assert process.poll() is None
            try:
                return ask(listens_at, "GET", "/")[0] == 200
            except OSError:
                return False

        until(answers, 60, "gunicorn")
        for _ in range(40):
            assert ask(listens_at, "GET", "/fail")[0] == 500
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)

    found = [accepted.content.decode() for accepted in server.accepted]
    assert 2 <= len(found) <= 5  # one of the loaded app, and at most two of each worker
    failed = [text for text in found if "ZeroDivisionError" in text]
    assert sum(_count(text) for text in failed) == 40


def _count(text: str) -> int:
    """How many errors a mail tells of."""
    for line in text.splitlines():
        if line.startswith("Subject:") and " times: " in line:
            return int(line.partition(" times: ")[0].rsplit(" ", 1)[1])
        if " times since " in line.lower():
            return int(line.lower().partition(" times since ")[0].rsplit(" ", 1)[-1])
    return 1
