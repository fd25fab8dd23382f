"""The pool after a sending that is interrupted, abandoned, forked or over."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import types
import typing as t
import weakref

import pytest

from flask_mailhandler import ConnectError
from flask_mailhandler import DeferredError
from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler.net.slots import Turn
from forking import in_child
from pooling import app_for
from pooling import Call
from pooling import Hold
from pooling import Interrupt
from pooling import one
from pooling import state
from pooling import used
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from servers import DROP
from servers.plan import clients

if t.TYPE_CHECKING:
    from collections.abc import Generator
    from collections.abc import Iterator

    from flask import Flask

    from flask_mailhandler import Report
    from flask_mailhandler.handlers.smtp import SMTPEmailHandler
    from servers import ScriptedServer
    from servers.certificates import Certificates


def begin(handler: SMTPEmailHandler, number: int = 3) -> Generator[Report, None, None]:
    """A sending after its first report, with more to come."""
    prepared = (handler.prepare(message) for message in letters(number))
    reports = t.cast(
        "Generator[Report, None, None]", handler.dispatch(prepared, ready=lambda: True)
    )
    assert next(reports).ok
    return reports


# Interrupted


def test_interrupted_in_line(scripted: Scripted, no_leaks: None) -> None:
    """F-80: an interrupt while waiting for a connection gives up the place in line."""
    hold = Hold()
    server = scripted(on={"end of data": [hold]})
    handler = smtp(server, pool_size=1)
    first = Call(lambda: one(handler))
    hold.reached()

    interrupting = Interrupt(Turn.wait)
    with interrupting.handled():
        hasty = Call(interrupting)
        with pytest.raises(KeyboardInterrupt):
            one(handler)
    hasty.result()

    assert state(handler) == "0 idle, 1 in use, 0 waiting"
    hold.let_go()
    assert first.result().ok and one(handler).ok
    assert len(server.accepted) == 2


# Given up


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
def test_given_up(scripted: Scripted, extensions: list[str], no_leaks: None) -> None:
    """F-79: an abandoned sending returns its connection if nothing of the next message was sent;
    otherwise it is closed before the content."""
    server = scripted(extensions=extensions)
    handler = smtp(server, pool_size=1)

    reports = begin(handler)
    assert state(handler) == "0 idle, 1 in use, 0 waiting"
    reports.close()

    kept = 0 if extensions else 1
    assert state(handler) == f"{kept} idle, 0 in use, 0 waiting"
    assert one(handler).ok
    assert used(server) == [0, 1 - kept]
    handler.close()


def test_collected(scripted: Scripted, monkeypatch: pytest.MonkeyPatch, no_leaks: None) -> None:
    """F-79, F-80: the garbage collector returns the connection of an abandoned sending, whatever
    its thread is doing, even inside the pool."""
    server = scripted()
    handler = smtp(server, pool_idle=60)
    cycle: list[object] = [begin(handler)]
    cycle.append(cycle)

    def collect() -> float:
        gc.collect()
        return time.monotonic()

    def send() -> Report:
        monkeypatch.setattr(
            "flask_mailhandler.net.slots.time", types.SimpleNamespace(monotonic=collect)
        )
        return one(handler)

    cycle = []

    assert Call(send).result().ok
    assert state(handler).endswith("0 in use, 0 waiting")
    handler.close()


@pytest.mark.parametrize("options", [{}, {"one_flight": True}])
@pytest.mark.parametrize(
    "on", [{}, {"RCPT": ["250 ok", "550 5.1.1 no"]}, {"end of data": ["250 ok", "451 4.3.0 no"]}]
)
def test_no_message_is_kept(
    scripted: Scripted, on: dict[str, t.Any], options: dict[str, t.Any]
) -> None:
    """An idle connection holds nothing of the messages sent over it."""
    server = scripted(extensions=["PIPELINING", "CHUNKING"], on=on)
    handler = smtp(server, **options)
    messages = letters(3)
    kept = [weakref.ref(report.message) for report in handler.send(messages)]

    messages.clear()
    gc.collect()

    assert "1 idle" in state(handler)
    assert [ref() for ref in kept] == [None] * 3


# Within a sending


def test_nested(scripted: Scripted) -> None:
    """A receiver of the signal may send, even if there is only one connection."""
    server = scripted()
    app, mail = app_for(server, pool_size=1)

    def receiver(sender: Flask, message: Message, **facts: t.Any) -> None:
        if message.subject != "Copy":
            mail.send("Copy", subject="Copy", to="copy@example.com")

    with app.app_context(), message_sent.connected_to(receiver, app):
        mail.send(letter())
        mail.send(letters(2))

    assert len(server.accepted) == 6
    assert set(used(server)) == {0}


@pytest.mark.parametrize("size", [1, 2])
def test_nested_in_a_list(scripted: Scripted, size: int) -> None:
    """Sending while the reports of send_each are iterated needs one connection more, and the error
    says so in time."""
    server = scripted()
    app, mail = app_for(server, pool_size=size)
    found: list[object] = []

    with app.app_context():
        for report in mail.send_each(letters(2)):
            assert report.ok
            try:
                found.append(mail.send(letter(), timeout=0.5 if size == 1 else None).ok)
            except ConnectError as error:
                found.append("MAIL_POOL_SIZE" in str(error))

    assert found == [True, True]
    assert len(server.accepted) == 2 * size


@pytest.mark.parametrize("connections", [1, 2])
def test_error_of_the_list(scripted: Scripted, connections: int, no_leaks: None) -> None:
    """An error in the iterable of messages is raised after the messages before it are reported,
    even if it is a DeliveryError."""
    server = scripted()
    app, mail = app_for(server)

    def newsletter() -> Iterator[Message]:
        yield from letters(2)
        raise DeferredError("mine")

    reports: list[Report] = []
    with app.app_context():
        with pytest.raises(DeferredError, match="mine"):
            reports.extend(mail.send_each(newsletter(), connections=connections))
        mail.handler.close()

    assert [report.ok for report in reports] == [True, True]
    assert len(server.accepted) == 2


# Forked


def test_fork_while_lent(scripted: Scripted, certificates: Certificates) -> None:
    """F-95: a child forked in the middle of a sending abandons it without QUIT, and its parent
    continues."""
    server = scripted(tls=certificates.valid)
    handler = smtp(server, security="tls", tls_context=certificates.client(), pool_size=1)
    reports = begin(handler, 4)

    def child() -> bool:
        reports.close()
        return one(handler).ok and state(handler) == "1 idle, 0 in use, 0 waiting"

    assert in_child(child)
    assert [report.ok for report in reports] == [True, True, True]
    assert used(server) == [0, 1, 0, 0, 0]
    assert state(handler) == "1 idle, 0 in use, 0 waiting"


@pytest.mark.parametrize("lent", [True, False])
def test_fork_closes(scripted: Scripted, lent: bool) -> None:
    """F-95: a child closes the descriptors that it has inherited, so the connections end when its
    parent closes them."""
    server = scripted()
    handler = smtp(server, pool_idle=60)
    reports = begin(handler)
    if not lent:
        reports.close()

    assert in_child(lambda: (one(handler).ok, clients(server.port))) == (True, 1)
    reports.close()


def test_fork_at_work(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-96: a fork while another thread is inside the pool: the child does not wait for it."""
    server = scripted()
    handler = smtp(server, pool_idle=60)
    one(handler)
    there, go_on = threading.Event(), threading.Event()
    working: list[threading.Thread] = []

    def work() -> Report:
        working.append(threading.current_thread())
        return one(handler)

    def monotonic() -> float:
        # Others come here too: in any thread the pool of an earlier test may be collected.
        if threading.current_thread() in working:
            there.set()
            assert go_on.wait(60)
        return time.monotonic()

    monkeypatch.setattr(
        "flask_mailhandler.net.slots.time", types.SimpleNamespace(monotonic=monotonic)
    )
    other = Call(work)
    assert there.wait(60)

    assert in_child(lambda: one(handler).ok)
    go_on.set()
    assert other.result().ok
    assert used(server) == [0, 1, 0]


def test_fork_after_threads(scripted: Scripted) -> None:
    """F-97: a child of a fork after a sending over several connections has threads of its own."""
    server = scripted()
    app, mail = app_for(server, pool_idle=60)

    def send() -> bool:
        return all(report.ok for report in mail.send_each(letters(4), connections=2))

    with app.app_context():
        assert send()
        assert in_child(send)
        assert send()

    assert len(server.accepted) == 12
    before, childs, after = (set(used(server)[each : each + 4]) for each in (0, 4, 8))
    assert not childs & (before | after)


# At exit

BEGINNING = """
import sys, threading
from flask_mailhandler import Message, SMTPEmailHandler

handler = SMTPEmailHandler(host="127.0.0.1", port=int(sys.argv[1]), pool_idle=600, timeout=60)
def messages():
    for number in range(3):
        yield Message(subject="x", text="x", from_addr="a@example.com", to="b@example.com")
"""
SENT = "assert handler.send([*messages()])[0].ok\n"
BEGUN = "reports = handler.dispatch(map(handler.prepare, messages()))\nassert next(reports).ok\n"
LATER = f"import atexit\natexit.register(lambda: handler.send([*messages()]))\n{SENT}"
THREAD = """
given, never = threading.Event(), threading.Event()
def observe(phase, job):
    if str(phase) == "end of data" and not given.is_set():
        given.set()
        never.wait()
threading.Thread(target=lambda: handler.send([*messages()], observe=observe), daemon=True).start()
given.wait()
assert handler.send([*messages()])[0].ok
"""


def run(script: str, server: ScriptedServer) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGINNING + script, str(server.port)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    server.settle()


@pytest.mark.parametrize("script", [SENT, BEGUN, f"{SENT}del handler", f"{BEGUN}del handler"])
def test_exit(scripted: Scripted, script: str) -> None:
    """F-106: at the interpreter's exit the connections end with QUIT, without a warning; so does
    that of an abandoned sending."""
    server = scripted()

    run(script, server)

    assert [connection.closed_by for connection in server.connections] == ["QUIT"]


def test_exit_at_exit(scripted: Scripted) -> None:
    """F-106: sending at exit, even after the pool was closed, leaves nothing open."""
    server = scripted()

    run(LATER, server)

    assert len(server.accepted) == 6
    assert {connection.closed_by for connection in server.connections} == {"QUIT"}


def test_exit_beside_a_thread(scripted: Scripted) -> None:
    """F-106: a thread that does not outlive the program does not keep it from ending."""
    server = scripted()

    run(THREAD, server)

    assert server.connections[1].closed_by == "QUIT"
    assert len(server.accepted) == 3


def test_exit_when_the_server_is_gone(scripted: Scripted) -> None:
    """F-106: nor does a server that is gone."""
    server = scripted(on={"end of data": ["250 ok", "250 ok", DROP]})

    run("handler.send([*messages()])", server)

    assert len(server.accepted) == 2
