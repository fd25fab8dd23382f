"""One handler in many processes and greenlets: fork, gunicorn with ``--preload``, gevent."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from flask_mailhandler import Report
from forking import in_child
from local_http import ask
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from servers import Delay
from servers import SILENCE
from servers.waiting import until

if t.TYPE_CHECKING:
    from pathlib import Path

    from servers import ScriptedServer
    from servers.actions import Action
    from servers.certificates import Certificates
    from servers.connection import Connection

MODES = pytest.mark.parametrize("mode", ["plain", "starttls", "tls"])


def secured(
    scripted: Scripted, certificates: Certificates, mode: str, **declared: t.Any
) -> tuple[ScriptedServer, dict[str, t.Any]]:
    """A server, and the options of a handler for it."""
    if mode == "plain":
        return scripted(**declared), {}
    server = scripted(**{mode: certificates.valid}, require_tls=True, **declared)
    return server, {"security": mode, "tls_ca_file": str(certificates.ca_file)}


@MODES
@pytest.mark.parametrize("closes", [True, False])
def test_fork(scripted: Scripted, certificates: Certificates, mode: str, closes: bool) -> None:
    """F-95: a child has a connection of its own; its parent's is neither used nor closed, not even
    by ``close()``."""
    server, options = secured(scripted, certificates, mode)
    handler = smtp(server, pool_idle=60, **options)

    def child() -> list[Report]:
        reports = handler.send(letters(2))
        if closes:
            handler.close()
        return reports

    first = handler.send([letter()])
    forked = in_child(child)
    last = handler.send([letter()])

    assert all(report.ok for report in [*first, *forked, *last])
    assert [accepted.connection for accepted in server.accepted] == [0, 1, 1, 0]


def test_fork_twice(scripted: Scripted) -> None:
    """F-95: a child of a child has its own again."""
    server = scripted()
    handler = smtp(server, pool_idle=60)

    def child() -> bool:
        (mine,) = handler.send([letter()])
        (others,) = in_child(lambda: handler.send([letter()]))
        (again,) = handler.send([letter()])
        return mine.ok and others.ok and again.ok

    handler.send([letter()])

    assert in_child(child)
    assert [accepted.connection for accepted in server.accepted] == [0, 1, 2, 1]


def test_fork_without_sending(scripted: Scripted) -> None:
    """F-95: a child that only releases the handler sends nothing."""
    server = scripted()
    handlers = [smtp(server, pool_idle=60)]
    server.clients.clear()

    def child() -> bool:
        handlers.clear()
        return True

    handlers[0].send([letter()])
    assert in_child(child)
    (report,) = handlers[0].send([letter()])
    handlers[0].close()

    assert report.ok
    assert [accepted.connection for accepted in server.accepted] == [0, 0]
    assert server.commands.count("QUIT") <= 1


# gunicorn

APP = """
import os

from flask import Flask
from flask_mailhandler import Mail

app = Flask(__name__)
app.config.from_prefixed_env()
mail = Mail(app)


@app.post("/<number>")
def send(number):
    mail.send("Hello.", subject=number, to=[f"{number}@example.com"])
    return str(os.getpid())


def send_from_master(name):
    with app.app_context():
        mail.send("Hello.", subject=name, to=[f"{name}@example.com"])


send_from_master("before")
"""
CONFIGURATION = """
preload_app = True
workers = 2
# A worker ends after some requests, and another is forked.
max_requests = 3


def on_exit(server):
    import app

    app.send_from_master("after")
"""


def listens(server: Path) -> bool:
    try:
        return bool(ask(server, "POST", "/"))
    except OSError:
        return False


@pytest.mark.services
@MODES
def test_gunicorn(
    scripted: Scripted, certificates: Certificates, tmp_path: Path, mode: str
) -> None:
    """F-95: with ``--preload`` the master sends before it forks. Workers send, end and are
    replaced; each message arrives once, and the master's connection is unchanged."""
    delay = {"end of data": Delay(0.02, "250 2.0.0 ok")}
    server, options = secured(scripted, certificates, mode, on=delay)
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "gunicorn.conf.py").write_text(CONFIGURATION)
    keys = {"security": "none"} | options
    keys |= {"host": server.host, "port": str(server.port), "pool_idle": "600"}
    keys |= {"default_from": "a@example.com", "timeout": "60", "connect_timeout": "60"}
    http_server = tmp_path / "http"
    gunicorn = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--bind", f"unix:{http_server}", "app:app"],
        cwd=tmp_path,
        env=os.environ
        # Where the socket is by which gunicorn is controlled.
        | {"XDG_RUNTIME_DIR": str(tmp_path)}
        | {f"FLASK_MAIL_{name.upper()}": value for name, value in keys.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until(lambda: gunicorn.poll() is not None or listens(http_server), 90, "gunicorn")
        with ThreadPoolExecutor(4) as threads:
            answers = [*threads.map(lambda each: ask(http_server, "POST", f"/{each}"), range(24))]
    finally:
        gunicorn.terminate()
        log, _ = gunicorn.communicate(timeout=90)

    assert gunicorn.returncode == 0, log
    assert {status for status, _ in answers} == {200}, log
    # Some have been replaced.
    assert len({process for _, process in answers}) > 2
    arrived = Counter(accepted.recipients[0].partition("@")[0] for accepted in server.accepted)
    assert arrived == Counter(["before", *map(str, range(24)), "after"])
    connections = [accepted.connection for accepted in server.accepted]
    assert connections[0] == connections[-1] == 0
    assert 0 not in connections[1:-1]


# gevent

GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys

import gevent
from flask_mailhandler import Message
from flask_mailhandler import SMTPEmailHandler

handler = SMTPEmailHandler(
    host="127.0.0.1",
    port=int(sys.argv[1]),
    pool_size=4,
    pool_idle=600,
    timeout=60,
    connect_timeout=60,
)


def send(number):
    messages = [
        Message(subject="x", text="x", from_addr="a@example.com", to=f"{number}.{each}@example.com")
        for each in range(3)
    ]
    return all(report.ok for report in handler.send(messages))


greenlets = [gevent.spawn(send, number) for number in range(16)]
gevent.joinall(greenlets, raise_error=True)
handler.close()
print([greenlet.value for greenlet in greenlets] == [True] * 16)
"""
KILLED = """
from gevent import monkey; monkey.patch_all()
import sys

import gevent
import gevent.event
from flask_mailhandler import Message
from flask_mailhandler import SMTPEmailHandler

handler = SMTPEmailHandler(
    host="127.0.0.1", port=int(sys.argv[1]), pool_size=1, timeout=60, connect_timeout=60
)
message = Message(subject="x", text="x", from_addr="a@example.com", to="b@example.com")
waiting = gevent.event.Event()


def observe(phase, job):
    if str(phase) == "end of data":
        waiting.set()


first = gevent.spawn(handler.send, [message], observe=observe)
waiting.wait()
first.kill()
(report,) = handler.send([message.replace(to="c@example.com")])
handler.close()
print(report.ok)
"""
ENCRYPTED = """
from gevent import monkey; monkey.patch_all()
import socket
import ssl
import sys

import gevent
from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.smtp.stream import Stream

SIZE = 4_000_000
ca_file, cert_file, key_file = sys.argv[1:]
here, there = socket.socketpair()


def read():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    left, stream = SIZE, context.wrap_socket(there, server_side=True)
    while left > 0:
        left -= len(stream.recv(65536))
    return left


reader = gevent.spawn(read)
stream = Stream(here, Deadline(60))
stream.start_tls(ssl.create_default_context(cafile=ca_file), "localhost")
stream.write(b"x" * SIZE)
print(reader.get() == 0)
"""


def run(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.services
def test_greenlets(scripted: Scripted) -> None:
    """F-94: sixteen greenlets share one handler and its four connections: each message once."""
    server = scripted(on={"end of data": Delay(0.01, "250 2.0.0 ok")})

    assert run(GREENLETS, server.port) == "True"
    arrived = Counter(accepted.recipients[0] for accepted in server.accepted)
    assert arrived == Counter(
        f"{number}.{each}@example.com" for number in range(16) for each in range(3)
    )
    # They wait for the server at the same time, and none for a thread.
    assert len(server.connections) == 4


@pytest.mark.services
def test_greenlet_killed(scripted: Scripted) -> None:
    """F-80: a greenlet is killed while it waits for a reply: its connection is closed, and its slot
    is free for the next one."""

    def silent_at_first(line: str, connection: Connection) -> Action:
        return SILENCE if connection.number == 0 else "250 2.0.0 ok"

    server = scripted(on={"end of data": silent_at_first})

    assert run(KILLED, server.port) == "True"
    server.settle()
    assert [accepted.recipients for accepted in server.accepted] == [("c@example.com",)]
    assert server.connections[0].left


@pytest.mark.services
def test_greenlet_that_encrypts(certificates: Certificates) -> None:
    """A write over TLS that the kernel cannot take yet lets the other greenlets run."""
    files = (certificates.ca_file, certificates.cert_file, certificates.key_file)

    assert run(ENCRYPTED, *files) == "True"
