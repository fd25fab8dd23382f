"""Workers and engines: threads, forks, leases, limits, and the end of a process."""

from __future__ import annotations

import dataclasses
import gc
import json
import signal
import subprocess
import sys
import threading
import time
import typing as t
import weakref

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import EmailHandler
from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler import Phase
from flask_mailhandler import QueueError
from flask_mailhandler.handlers.base import accept
from flask_mailhandler.queue import outage
from flask_mailhandler.queue import worker
from flask_mailhandler.queue.bell import Bell
from flask_mailhandler.queue.engines.base import Engine
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.lease import Renewal
from queueing import Shop
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters
from sending import Scripted
from servers.actions import Delay
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from flask import Flask

    from flask_mailhandler import Job
    from flask_mailhandler import Report
    from flask_mailhandler.queue.row import Row
    from flask_mailhandler.report import Observe
    from servers import ScriptedServer
    from servers.certificates import Certificates
    from servers.connection import Connection


def script(program: str, folder: Path, server: ScriptedServer) -> subprocess.Popen[str]:
    """Run a program that has a ``here``, a shop with the engine "thread", and ``letters``."""
    head = (
        "import json, logging, os, sys, threading\n"
        "sys.path[:0] = json.loads(sys.argv[1])\n"
        "from pathlib import Path\n"
        "from queueing import Shop\n"
        "from sending import letter, letters\n"
        "from servers.waiting import until\n"
        "here = Shop(Path(sys.argv[2]), None, MAIL_QUEUE_ENGINE='thread', MAIL_URL=sys.argv[3])\n"
        "here.app.app_context().push()\n"
    )
    url = url_of(server)
    return subprocess.Popen(
        [sys.executable, "-c", head + program, json.dumps(sys.path), str(folder), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def accepted(server: ScriptedServer, number: int) -> bool:
    """Wait until the server has accepted so many messages."""
    return until(lambda: len(server.accepted) >= number, 60.0, f"{number} messages")


# The thread


@pytest.mark.usefixtures("no_leaks")
def test_the_thread_sends(tmp_path: Path, scripted: Scripted) -> None:
    """With the engine "thread" a message is sent without any other action. The thread starts with
    the first message, and ends with close()."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE_ENGINE="thread") as here:
        before = {*threading.enumerate()}
        assert here.queue.stats().counts == {}
        assert {*threading.enumerate()} <= before
        here.mail.send_later(letter())
        assert accepted(server, 1)
        here.mail.send_later(letter())
        assert accepted(server, 2)
        until(lambda: here.states == ["sent", "sent"], 60.0, "the second result")


def test_the_thread_waits_for_the_due_time(tmp_path: Path, scripted: Scripted) -> None:
    """A message that is due in a moment is sent then, without another ring."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE_ENGINE="thread") as here:
        here.mail.send_later(letter(subject="later"), delay=0.3)
        due = here.rows[0].due
        assert accepted(server, 1)

        assert time.time() >= due


def test_the_thread_survives(
    tmp_path: Path, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """F-101: an error of the store is logged, and the thread goes on."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE_ENGINE="thread") as here:
        with here.queue.store.file.read() as connection:  # type: ignore[attr-defined]
            connection.execute("ALTER TABLE mail_queue RENAME TO elsewhere")
        with pytest.raises(QueueError, match="mail_queue"):
            here.mail.send_later(letter())
        here.queue.components.ring("default", 0.0)
        until(lambda: "no such table" in caplog.text, 60.0, "the log")
        with here.queue.store.file.read() as connection:  # type: ignore[attr-defined]
            connection.execute("ALTER TABLE elsewhere RENAME TO mail_queue")
        here.mail.send_later(letter())

        assert accepted(server, 1)


def test_a_store_that_is_down_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While the store cannot be used, a worker tries it every five seconds, and logs the error at
    first, and then rarely. It does not try it more often to look for the rows of dead workers."""
    now, tried = [1000.0], list[float]()

    class Clock:
        monotonic = staticmethod(lambda: now[0])
        time = staticmethod(time.time)

    class Waiting(Bell):
        def wait(self, seconds: float) -> bool:
            now[0] += seconds
            if now[0] >= 1017:
                self.stop()
            return self.stopped

    def down(_: object) -> bool:
        tried.append(now[0])
        raise QueueError("the database is down")

    monkeypatch.setattr(worker, "time", Clock)
    monkeypatch.setattr(outage, "time", Clock)
    monkeypatch.setattr("flask_mailhandler.queue.sending.upkeep.Upkeep.run", down)
    with shop(tmp_path) as here:
        worker.Worker(here.queue, Waiting()).run()

    assert tried == [1000.0, 1005.0, 1010.0, 1015.0]
    assert caplog.text.count("the database is down") == 2


def test_an_app_that_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread does not keep its app alive, and ends with it."""
    monkeypatch.setattr(worker, "POLL", 0.01)
    before = {*threading.enumerate()}
    app, threads = _used_and_dropped(tmp_path)
    (mine,) = [one for one in threads - before if one.name == "mail-queue"]

    def dropped() -> bool:
        gc.collect()
        return app() is None

    until(dropped, 60.0, "the app to be dropped")
    mine.join(60)
    assert not mine.is_alive()
    gc.collect()


def _used_and_dropped(folder: Path) -> tuple[weakref.ref[Flask], set[threading.Thread]]:
    here = Shop(folder, None, MAIL_QUEUE_ENGINE="thread", MAIL_HANDLER="memory")
    with here.app.app_context():
        here.mail.send_later(letter())
        until(lambda: here.states == ["sent"], 60.0, "the result")
        # As long as there is the app.
        threads = {*threading.enumerate()}
    return weakref.ref(here.app), threads


def test_the_first_request_wakes_the_thread(tmp_path: Path, scripted: Scripted) -> None:
    """Mail of an earlier process is sent when the app serves a request. A process without such mail
    starts no thread."""
    server = scripted()
    with shop(tmp_path / "a", server) as before:
        before.mail.send_later(letter())
    with shop(tmp_path / "b", server, MAIL_QUEUE_ENGINE="thread") as other:
        threads = {*threading.enumerate()}
        other.app.test_client().get("/")
        assert {*threading.enumerate()} <= threads
        assert not other.queue.store.begun
    with shop(tmp_path / "a", server, MAIL_QUEUE_ENGINE="thread") as here:
        assert server.accepted == []
        here.app.test_client().get("/")
        here.app.test_client().get("/")
        assert accepted(server, 1)


def test_a_child_has_a_thread_of_its_own(tmp_path: Path, scripted: Scripted) -> None:
    """F-97: after a fork the child's queue has a running thread, the parent's goes on, and each
    message is sent once."""
    server = scripted()
    program = (
        "here.mail.send_later(letter('before@example.com'))\n"
        "child = os.fork()\n"
        "name = 'parent' if child else 'child'\n"
        "mine = [letter(f'{name}{n}@example.com') for n in range(5)]\n"
        "tickets = [*here.mail.send_later_each(mine)]\n"
        # The message that it is sending when it ends is held.
        "if child: os.waitpid(child, 0)\n"
        "else: until(lambda: {*here.states} == {'sent'}, 60, 'all'), os._exit(0)\n"
    )
    with script(program, tmp_path, server) as process:
        _, err = process.communicate(timeout=120)
        assert (process.returncode, err.count("Traceback")) == (0, 0), err
    with shop(tmp_path, server) as here:
        here.forget_workers()
        here.queue.run_once()

        got = sorted(one.recipients[0].partition("@")[0] for one in server.accepted)
        assert len(got) == len({*got}) == 11
        assert here.states == ["sent"] * 11


@pytest.mark.parametrize("queue", ["sqlite", "sqlite:///app.sqlite"])
def test_a_worker_loads_no_module(
    queue: str, tmp_path: Path, scripted: Scripted, certificates: Certificates
) -> None:
    """F-97: a thread that sends mail, encrypted and after a login, loads no module. The child of a
    fork at that moment would inherit a module's lock that no thread releases, and wait for it
    forever."""
    server = scripted(starttls=certificates.valid, users={"ann": "secret"}, require_tls=True)
    keys = {
        "MAIL_QUEUE": queue,
        "MAIL_QUEUE_ENGINE": "none",
        "MAIL_URL": f"smtp://ann:secret@{server.host}:{server.port}?security=starttls&connect_timeout=60",
        "MAIL_TLS_CA_FILE": str(certificates.ca_file),
        "MAIL_DEFAULT_FROM": "shop@example.com",
    }
    program = (  # without the modules of these tests, which load much themselves
        "import sys, flask, flask_mailhandler\n"
        f"app = flask.Flask('shop', instance_path={str(tmp_path)!r})\n"
        f"app.config.update({keys!r})\n"
        "mail = flask_mailhandler.Mail(app)\n"
        "app.app_context().push()\n"
        "message = flask_mailhandler.Message(subject='Hi', text='Hello', to='ann@example.com')\n"
        "ticket = mail.send_later(message)\n"
        "before = {*sys.modules}\n"
        "mail.queue.run_once()\n"
        "print(mail.queue.get(ticket.id).state, *{*sys.modules} - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120)

    assert done.stdout == b"sent\n", done.stderr


# The end of a process


def test_an_exit_drains(tmp_path: Path, scripted: Scripted) -> None:
    """F-98: when a program ends in order, the mail that it has queued is sent first."""
    server = scripted()
    with script("tickets = [*here.mail.send_later_each(letters(30))]", tmp_path, server) as process:
        _, err = process.communicate(timeout=120)

    assert (process.returncode, len(server.accepted)) == (0, 30), err


@pytest.mark.parametrize("last", [0.2, 0.0])
def test_an_exit_does_not_last(last: float, tmp_path: Path, scripted: Scripted) -> None:
    """F-98: draining is limited. The rest is logged, stays in the queue, and is sent by the next
    process, even if a thread that hangs has not given its rows back."""
    going = threading.Event()

    def wait(line: str, connection: Connection) -> str:
        going.wait()
        return "250 2.1.0 ok"

    server = scripted(on={"MAIL": wait})
    program = (
        "from flask_mailhandler.queue.engines import background, thread\n"
        f"thread.DRAIN, background._LAST = 0.2, {last}\n"
        "for ticket in here.mail.send_later_each(letters(3)): print(ticket.message_id)\n"
    )
    with script(program, tmp_path, server) as process:
        out, err = process.communicate(timeout=120)
    going.set()

    assert (process.returncode, len(out.split())) == (0, 3)
    assert "3 messages wait in" in err
    assert "'flask mail worker'" in err
    assert "example.com" not in err
    with shop(tmp_path, server) as here:
        assert len(here.rows) == 3
        here.forget_workers()
        here.queue.run_once()
        assert here.states == ["sent"] * 3


def test_sending_at_the_very_end(tmp_path: Path, scripted: Scripted) -> None:
    """F-99: a message that is queued while the interpreter ends is stored, without an error."""
    server = scripted()
    program = (
        "import atexit\natexit.register(lambda: print(here.mail.send_later(letter()).created))\n"
    )
    with script(program, tmp_path, server) as process:
        out, err = process.communicate(timeout=120)

    assert (process.returncode, out) == (0, "True\n"), err
    with shop(tmp_path, server) as here:
        here.forget_workers()
        here.queue.run_once()
        assert here.states in (["sent"], ["held"])


def test_sigterm_of_a_program(tmp_path: Path, scripted: Scripted) -> None:
    """F-98: SIGTERM ends a program at once. The mail that it had queued is sent by the next
    process."""
    server = scripted()
    program = (
        "here.queue.engine.ring = lambda account, due: None\n"
        "tickets = [*here.mail.send_later_each(letters(10))]\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "threading.Event().wait()\n"
    )
    with script(program, tmp_path, server) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
    with shop(tmp_path, server) as here:
        here.queue.run_once()

        assert here.states == ["sent"] * 10


# Workers


def test_stopping_finishes_the_message_in_hand(tmp_path: Path, scripted: Scripted) -> None:
    """A stopped worker finishes the message that it is sending, and gives back the others."""
    bell = Bell()

    def stop(line: str, connection: Connection) -> str:
        bell.stop()
        return "250 2.1.5 ok"

    server = scripted(on={"RCPT": stop})
    with shop(tmp_path, server) as here:
        for message in letters(5):
            here.mail.send_later(message)
        here.queue.worker(bell).run()

        assert here.states == ["sent"] + ["waiting"] * 4
        assert [row.attempts for row in here.rows] == [1, 0, 0, 0, 0]


def test_nobody_waits_for_a_worker(tmp_path: Path, scripted: Scripted) -> None:
    """C-17: a worker gives a server the time of RFC 5321 section 4.5.3.2, whatever MAIL_TIMEOUT
    says for views: ten minutes for the end of data alone."""
    server = scripted(on={"end of data": Delay(1.0, "250 2.0.0 ok")})
    with shop(tmp_path, server, MAIL_TIMEOUT=0.5) as here:
        here.mail.send_later(letter())
        here.queue.run_once()

        assert here.states == ["sent"]
        assert here.queue.settings.queue_timeout >= 600


def test_many_workers(tmp_path: Path, scripted: Scripted) -> None:
    """F-94: any number of workers send each message once."""
    server = scripted()
    with shop(tmp_path, server) as here:
        tickets = [*here.mail.send_later_each(letters(120))]
        bells = [Bell() for _ in range(6)]
        for bell in bells:
            bell.finish()
        threads = [threading.Thread(target=here.queue.worker(bell).run) for bell in bells]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

        assert len(server.accepted) == len(tickets) == 120
        assert {*here.states} == {"sent"}


def test_a_lease_that_was_lost(
    tmp_path: Path, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker that did not renew its lease in time does not send a row that another worker has
    claimed meanwhile."""
    taken: list[int] = []

    def steal(line: str, connection: Connection) -> str:
        if not taken:
            here.forget_workers()
            here.queue.worker().upkeep.recover()
            claimed = here.queue.store.claim("default", Lease("quick", 9e9), time.time(), 1)
            taken.extend(row.id for row in claimed)
        return "354 go ahead"

    server = scripted(on={"DATA": steal})
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        here.queue.run_once()

        assert (taken, server.received, here.states) == ([1], [], ["claimed"])
        assert here.rows[0].lease_owner == "quick"
    assert "another worker" in caplog.text


def test_a_late_result_counts(tmp_path: Path, scripted: Scripted) -> None:
    """If a worker was considered dead after its end of data and was not, the row that was held gets
    its result."""

    def doubt(line: str, connection: Connection) -> str:
        here.forget_workers()
        here.queue.worker().upkeep.recover()
        seen.append(here.states)
        return "250 2.0.0 accepted"

    seen: list[list[str]] = []
    server = scripted(on={"end of data": doubt})
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        here.queue.run_once()

        assert (seen, here.states) == ([["held"]], ["sent"])


def test_a_lease_is_renewed(tmp_path: Path) -> None:
    """While a message is being sent its lease is renewed."""
    with shop(tmp_path) as here:
        here.mail.send_later(letter())
        here.queue.store.claim("default", Lease("me", 1.0), time.time(), 1)
        with Renewal(lambda: here.queue.store.renew(Lease("me", 9e9)), 0.001):
            until(lambda: here.rows[0].lease_until == 9e9, 60.0, "the renewal")


def test_the_rate_of_an_account(tmp_path: Path, scripted: Scripted) -> None:
    """MAIL_RATE_LIMIT holds for all workers together. The other messages wait, and no attempt is
    counted."""
    server = scripted()
    with shop(tmp_path, server, MAIL_RATE_LIMIT="3/min") as here:
        for message in letters(5):
            here.mail.send_later(message)
        here.queue.run_once()
        here.queue.run_once()

        assert here.states == ["sent"] * 3 + ["waiting"] * 2
        assert [row.attempts for row in here.rows[3:]] == [0, 0]
        assert len(server.accepted) == 3


def test_old_rows_are_deleted(tmp_path: Path, scripted: Scripted) -> None:
    """Finished messages and their keys are kept for MAIL_QUEUE_KEEP. Held messages stay."""
    server = scripted(on={"end of data": ["250 2.0.0 ok", b""]})
    bell = Bell()
    bell.finish()
    with shop(tmp_path, server, MAIL_QUEUE_KEEP=1e-6) as here:
        here.mail.send_later(letter(), key="k")
        here.queue.worker(bell).run()

        assert here.rows == []
        assert here.mail.send_later(letter(), key="k").created


def test_a_clock_that_was_put_back(tmp_path: Path, scripted: Scripted) -> None:
    """F-104: mail that was queued while the clock was an hour ahead is sent when a worker
    starts."""
    server = scripted()
    bell = Bell()
    bell.finish()
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        with here.queue.store.file.write() as connection:  # type: ignore[attr-defined]
            connection.execute(
                "UPDATE mail_queue SET created = created + 3600, changed = changed + 3600,"
                " due = due + 3600, expires = expires + 3600"
            )
        here.queue.worker(bell).run()

        assert (here.states, len(server.accepted)) == (["sent"], 1)


def test_an_account_that_is_gone(
    tmp_path: Path, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """Mail of an account that is no longer configured waits, and the log of a worker says so."""
    server = scripted()
    bell = Bell()
    bell.finish()
    with shop(tmp_path, server, MAIL_ACCOUNTS={"news": {}}) as before:
        before.mail.send_later(letter(), using="news")
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        here.queue.worker(bell).run()

        assert here.states == ["waiting", "sent"]
    assert "the account 'news', which is not in MAIL_ACCOUNTS" in caplog.text


@pytest.mark.usefixtures("not_soon")
def test_a_configuration_that_cannot_be_used(tmp_path: Path, scripted: Scripted) -> None:
    """If the handler of an account cannot be built, or finds its options wrong, the account
    pauses, and its mail waits without an attempt."""
    server = scripted()
    news = {"handler": "no.such:Handler"}
    with shop(tmp_path, server) as before:
        before.mail.send_later(letter())
    with shop(tmp_path, server, MAIL_ACCOUNTS={"news": news}) as here:
        with here.queue.store.file.write() as connection:  # type: ignore[attr-defined]
            connection.execute("UPDATE mail_queue SET account = 'news'")
        here.queue.run_once()

        assert "no.such:Handler" in here.queue.stats().paused["news"]
        assert [(row.state, row.attempts) for row in here.rows] == [("waiting", 0)]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Unbuilt(EmailHandler):
    """Cannot be built, for an unknown reason."""

    def __post_init__(self) -> None:
        raise ZeroDivisionError("no reason")


@pytest.mark.usefixtures("not_soon")
def test_a_handler_that_cannot_be_built(tmp_path: Path) -> None:
    """F-101: whatever a handler raises when it is built pauses its account."""
    with shop(tmp_path) as before:
        before.mail.send_later(letter())
    with shop(tmp_path, MAIL_HANDLER=Unbuilt) as here:
        here.queue.run_once()

        assert here.queue.stats().paused == {"default": "ZeroDivisionError: no reason"}
        assert [(row.state, row.attempts) for row in here.rows] == [("waiting", 0)]


def test_the_worker_survives_everything(
    tmp_path: Path, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """F-101: a worker goes on after any unexpected error."""
    server = scripted()

    def progress(row: Row) -> None:
        if len(server.accepted) == 1:
            raise ZeroDivisionError("not thought of")

    bell = Bell()
    with shop(tmp_path, server) as here:
        for message in letters(2):
            here.mail.send_later(message)
        running = threading.Thread(target=here.queue.worker(bell, progress).run)
        running.start()
        until(lambda: "not thought of" in caplog.text, 60.0, "the log")
        until(lambda: "claimed" not in here.states, 60.0, "the other message to be given back")
        here.all_later()
        bell.ring()
        assert accepted(server, 2)
        bell.stop()
        running.join()

        assert here.states == ["sent", "sent"]


class Misled(EmailHandler):
    """Finds out while sending that its options are wrong, and makes jobs of its own."""

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            if job.message_id.startswith("<late"):
                observe(Phase.END_OF_DATA, job)
            if job.message_id.startswith(("<stop", "<late")):
                raise ConfigurationError("MAIL_SENDMAIL cannot be used.")
            copied = Message.from_mime(Message(text="x", from_addr="a@example.com").to_mime())
            observe(Phase.END_OF_DATA, dataclasses.replace(job, message=copied))
            yield accept(job)


@pytest.mark.usefixtures("not_soon")
def test_a_handler_of_ones_own(tmp_path: Path) -> None:
    """A handler may observe a job of its own with the same Message-ID. If it finds its
    configuration wrong, nothing is lost."""
    with shop(tmp_path, MAIL_HANDLER=Misled) as here:
        here.mail.send_later(letter())
        here.mail.send_later(letter().replace(message_id="<stop@example.com>"))
        here.mail.send_later(letter().replace(message_id="<late@example.com>"))
        here.queue.run_once()

        assert here.states == ["sent", "waiting", "waiting"]
        assert [row.attempts for row in here.rows] == [1, 0, 0]
        assert here.queue.stats().paused == {"default": "MAIL_SENDMAIL cannot be used."}
        here.queue.cancel([2])
        here.all_later()
        here.queue.run_once()
        assert here.states == ["sent", "cancelled", "held"]


def test_progress_and_signals_of_another_thread(tmp_path: Path, scripted: Scripted) -> None:
    """F-103: a worker sends in a context of the app, and receivers of signals have one."""
    names = []

    def receive(sender: t.Any, **facts: t.Any) -> None:
        from flask import current_app

        names.append(current_app.name)

    with shop(tmp_path, scripted(), MAIL_QUEUE_ENGINE="thread") as here:
        message_sent.connect(receive, here.app)
        here.mail.send_later(letter())
        until(lambda: names, 60.0, "the signal")

    assert names == ["shop"]


# Engines


class Board(Engine):
    """Records what it is told."""

    def __init__(self, queue: t.Any) -> None:
        super().__init__(queue)
        self.rings: list[tuple[str, float]] = []

    def ring(self, account: str, due: float) -> None:
        if account == "news":
            raise ConnectionError("the broker is gone")
        self.rings.append((account, due))


def test_an_engine_of_ones_own(
    tmp_path: Path, scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """An engine is told the account of new mail and when it is due. If it cannot be told, the mail
    is in the queue all the same."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE_ENGINE=Board, MAIL_ACCOUNTS={"news": {}}) as here:
        here.mail.send_later(letter(), key="k")
        here.mail.send_later(letter(), key="k")
        here.mail.send_later(letter(), delay=100)
        tickets = [*here.mail.send_later_each(letters(3), using="news")]

        engine = here.queue.engine
        assert isinstance(engine, Board)
        assert engine.rings == [("default", row.due) for row in here.rows[:2]]
        assert "the broker is gone" in caplog.text
        assert here.queue.run_once() == 1 + len(tickets)
        assert here.states == ["sent", "waiting", "sent", "sent", "sent"]


def test_the_base_of_engines(tmp_path: Path) -> None:
    """An engine implements ring(), and may leave out the rest."""
    with shop(tmp_path) as here:
        engine = Engine(here.queue)
        engine.wake()
        engine.close()
        with pytest.raises(NotImplementedError, match="Engine must implement ring"):
            engine.ring("default", 0.0)
