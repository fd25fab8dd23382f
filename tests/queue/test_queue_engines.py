"""Engines that tell a broker, and their lookout. Kills are tested elsewhere."""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import sys
import threading
import time
import typing as t
import warnings
import weakref

import pytest
from flask import Flask

from flask_mailhandler import ConfigurationError
from flask_mailhandler.queue.engines import broker
from flask_mailhandler.queue.engines import lookout
from flask_mailhandler.queue.engines.base import Engine
from flask_mailhandler.queue.engines.broker import BrokerEngine
from flask_mailhandler.queue.engines.broker import TASK
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.sending import upkeep
from flask_mailhandler.queue.stores.base import Pause
from pooling import Hold
from queueing import Shop
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters
from sending import Scripted
from servers.actions import Delay
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from celery import Celery
    from dramatiq import Broker

    from servers import ScriptedServer


class Noting(BrokerEngine):
    """An engine whose broker records what it is told, or is down."""

    def __init__(self, queue: t.Any) -> None:
        super().__init__(queue)
        self.told: list[str] = []
        self.gone = False

    def tell(self, account: str) -> None:
        if self.gone:
            raise ConnectionRefusedError("the broker is gone")
        self.told.append(account)


@contextlib.contextmanager
def noting_shop(
    folder: Path, server: ScriptedServer | None = None, **keys: t.Any
) -> Iterator[tuple[Shop, Noting]]:
    with shop(folder, server, MAIL_QUEUE_ENGINE=Noting, **keys) as here:
        yield here, t.cast(Noting, here.queue.engine)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookouts search without a rest, and a ring without an answer is lost at once."""
    monkeypatch.setattr(lookout, "EVERY", 0.01)
    monkeypatch.setattr(lookout, "UNDER_WAY", 0.01)


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookouts search when they begin and when mail is queued, and never by themselves. No ring is
    considered lost."""
    monkeypatch.setattr(lookout, "EVERY", 3000.0)
    monkeypatch.setattr(lookout, "UNDER_WAY", 3000.0)


@pytest.fixture
def hanging() -> Iterator[Hold]:
    """The action of a server that hangs, until the end at the latest."""
    hold = Hold()
    yield hold
    hold.let_go()


def a_few_looks(here: Shop) -> None:
    """Wait until the lookout has searched the store a few times."""
    looked = threading.Semaphore(0)
    asked = here.queue.store.owners

    def owners() -> set[str]:
        looked.release()
        return asked()

    here.queue.store.owners = owners  # type: ignore[method-assign]
    for _ in range(3):
        assert looked.acquire(timeout=60)
    here.queue.store.owners = asked  # type: ignore[method-assign]


# Ringing


@pytest.mark.usefixtures("no_leaks", "no_looks")
@pytest.mark.parametrize("way", ["one by one", "as a list"])
def test_one_ring_under_way(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E7: however many messages are queued, a broker has one ring of their account until it is
    answered. The lookout's thread ends with the queue."""
    monkeypatch.setattr(broker, "TURN", 60.0)
    accounts: dict[str, object] = {"news": {}}
    with noting_shop(tmp_path, MAIL_HANDLER="memory", MAIL_ACCOUNTS=accounts) as (here, engine):

        def queue(number: int) -> None:
            for account in ("default", "news"):
                if way == "as a list":
                    assert len([*here.mail.send_later_each(letters(number), using=account)])
                for message in letters(number) if way == "one by one" else ():
                    here.mail.send_later(message, using=account)

        queue(30)
        until(lambda: len(engine.told) == 2, 60, "both rings")
        queue(5)
        engine.close()
        assert sorted(engine.told) == ["default", "news"]
        engine.answer("default")
        assert here.states == ["sent"] * 70
        queue(2)
        engine.close()
        # That of the other account is still under way, and its worker would find this too.
        assert sorted(engine.told) == ["default", "default", "news"]


@pytest.mark.usefixtures("looks")
def test_a_ring_that_is_lost(tmp_path: Path) -> None:
    """A ring without an answer is sent again after a while."""
    with noting_shop(tmp_path) as (here, engine):
        here.mail.send_later(letter())

        until(lambda: len(engine.told) >= 3, 60, "the third ring")


@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize("delay", [60, 3600])
def test_a_delay(delay: float, tmp_path: Path) -> None:
    """A broker is not told of mail that is due later, because it might delay that badly."""
    with noting_shop(tmp_path) as (here, engine):
        here.mail.send_later(letter(), delay=delay)
        engine.close()

        assert engine.told == []


@pytest.mark.usefixtures("no_looks")
def test_a_short_delay(tmp_path: Path) -> None:
    """A broker is told of delayed mail when it becomes due, without another search."""
    with noting_shop(tmp_path) as (here, engine):
        here.mail.send_later(letter(), delay=0.3)
        due = here.rows[0].due
        until(lambda: engine.told, 60, "the ring")

        assert time.time() >= due


@pytest.mark.usefixtures("no_looks")
def test_a_broker_that_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the broker is down, mail is queued all the same and one line is logged. The broker is left
    alone for a while."""
    monkeypatch.setattr(lookout, "QUIET", 3600.0)
    with noting_shop(tmp_path) as (here, engine):
        engine.gone = True
        here.mail.send_later(letter())
        until(lambda: "the broker is gone" in caplog.text, 60, "the log")
        engine.gone = False
        here.mail.send_later(letter())
        engine.close()
        assert (here.states, engine.told) == (["waiting"] * 2, [])
        assert caplog.text.count("the broker is gone") == 1


def test_a_broker_that_does_not_answer(tmp_path: Path) -> None:
    """A caller of send_later never waits for a broker."""
    answering = threading.Event()

    class Silent(BrokerEngine):
        def tell(self, account: str) -> None:
            answering.wait()

    with shop(tmp_path, None, MAIL_QUEUE_ENGINE=Silent) as here:
        for _ in range(3):
            here.mail.send_later(letter())
        assert here.states == ["waiting"] * 3
        answering.set()


def test_a_broker_that_is_back(
    looks: None, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the broker is back it is told that mail waits."""
    monkeypatch.setattr(lookout, "QUIET", 0.01)
    with noting_shop(tmp_path) as (here, engine):
        engine.gone = True
        here.mail.send_later(letter())
        until(lambda: "could not be told" in caplog.text, 60, "the log")
        engine.gone = False

        until(lambda: "default" in engine.told, 60, "the lookout")


# Answering


@pytest.mark.parametrize("account", ["default", "gone"])
def test_a_ring_that_comes_twice(account: str, tmp_path: Path, scripted: Scripted) -> None:
    """A ring that comes twice, or for an account that no longer exists, is not an error, and sends
    nothing twice."""
    server = scripted()
    with noting_shop(tmp_path, server) as (here, engine):
        here.mail.send_later(letter())
        engine.answer(account)
        engine.answer(account)

        assert here.states == ["sent"]
        assert len(server.accepted) == 1


@pytest.mark.usefixtures("no_looks")
def test_a_turn(tmp_path: Path, scripted: Scripted) -> None:
    """E3: a job is a turn of a second, and tells the broker again of the mail that is left."""
    server = scripted(on={"end of data": Delay(0.1, "250 2.0.0 ok")})
    with noting_shop(tmp_path, server) as (here, engine):
        tickets = [*here.mail.send_later_each(letters(50))]
        until(lambda: engine.told, 60, "the ring")
        engine.answer("default")

        assert 0 < len(server.accepted) < len(tickets)
        assert "claimed" not in here.states
        assert engine.told == ["default", "default"]
        while "waiting" in here.states:
            engine.answer("default")
        assert len(server.accepted) == 50


@pytest.mark.usefixtures("no_looks")
def test_a_turn_sends_what_is_most_urgent(tmp_path: Path, scripted: Scripted) -> None:
    """E2: whatever account a job was told of, it sends the most urgent mail."""
    server = scripted()
    accounts: dict[str, object] = {"news": {}}
    with noting_shop(tmp_path, server, MAIL_ACCOUNTS=accounts, MAIL_QUEUE_THREADS=1) as found:
        here, engine = found
        assert len([*here.mail.send_later_each(letters(100), using="news")]) == 100
        here.mail.send_later(letter("ann@example.com"), priority="high")
        engine.answer("news")

        assert server.accepted[0].recipients == ("ann@example.com",)


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize("limit", ["3/h", "3/d"])
def test_a_limit_that_is_reached_for_long(
    limit: str, tmp_path: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """E1: if a rate limit makes an account wait for long, the broker is told after that time."""
    # On a busy machine, a turn of the usual length may end before it reaches the limit.
    monkeypatch.setattr(broker, "TURN", 60.0)
    with noting_shop(tmp_path, scripted(), MAIL_RATE_LIMIT=limit) as (here, engine):
        assert len([*here.mail.send_later_each(letters(5))]) == 5
        engine.answer("default")
        assert here.states == ["sent"] * 3 + ["waiting"] * 2
        # One ring may have been given before.
        engine.close()
        told = len(engine.told)
        engine.wake()
        a_few_looks(here)

        assert len(engine.told) == told


@pytest.mark.usefixtures("no_looks")
def test_a_limit_that_is_over_soon(tmp_path: Path, scripted: Scripted) -> None:
    """E1: if a rate limit makes an account wait for a moment, jobs go on by themselves and need no
    lookout."""
    server = scripted()
    with noting_shop(tmp_path, server, MAIL_RATE_LIMIT="5/s") as (here, engine):
        assert len([*here.mail.send_later_each(letters(15))]) == 15
        until(lambda: engine.told, 60, "the ring")
        jobs = 0
        while len(engine.told) > jobs:
            engine.answer("default")
            jobs += 1

        assert here.states == ["sent"] * 15
        # Each waits for the limit, and none goes away at once.
        assert jobs <= 15


@pytest.mark.usefixtures("no_looks")
def test_a_server_that_hangs(tmp_path: Path, scripted: Scripted, hanging: Hold) -> None:
    """R2: a job leaves a server that hangs. The next job sends another account's mail and does not
    wait for that server either. When the server goes on, its mail is sent."""
    server, stuck = scripted(), scripted(on={"MAIL": hanging})
    accounts = {"news": {"url": url_of(stuck)}}
    with noting_shop(tmp_path, server, MAIL_ACCOUNTS=accounts) as (here, engine):
        here.mail.send_later(letter(), using="news")
        engine.answer("news")
        hanging.reached()
        assert here.states == ["claimed"]
        for number in range(1, 4):
            here.mail.send_later(letter())
            engine.answer("default")
            assert here.states == ["claimed"] + ["sent"] * number
        hanging.let_go()
        until(lambda: here.states[0] == "sent", 60, "the result")


@pytest.mark.usefixtures("no_looks")
def test_a_turn_that_can_do_nothing(tmp_path: Path, scripted: Scripted, hanging: Hold) -> None:
    """A job that finds the threads of its process stuck does not tell the broker again at once,
    because jobs would follow each other without a rest. The next search tells it."""
    server, stuck = scripted(), scripted(on={"MAIL": hanging})
    keys = {"MAIL_ACCOUNTS": {"news": {"url": url_of(stuck)}}, "MAIL_QUEUE_THREADS": 1}
    with noting_shop(tmp_path, server, **keys) as (here, engine):
        here.mail.send_later(letter(), using="news")
        until(lambda: engine.told == ["news"], 60, "the ring")
        engine.answer("news")
        here.mail.send_later(letter())
        until(lambda: engine.told == ["news", "default"], 60, "the other ring")
        engine.answer("default")
        assert engine.told == ["news", "default"]
        assert here.states == ["claimed", "waiting"]
        hanging.let_go()
        until(lambda: here.states[0] == "sent", 60, "the result")
        engine.ring("default", 0.0)
        until(lambda: engine.told == ["news", "default", "default"], 60, "the lookout")
        engine.answer("default")

        assert here.states == ["sent", "sent"]


@pytest.mark.usefixtures("no_looks")
def test_jobs_of_one_process(tmp_path: Path, scripted: Scripted, hanging: Hold) -> None:
    """E3: in one process at most one thread works on mail, however many jobs it gets and however
    long a message takes. The other threads run other jobs."""
    server = scripted(on={"MAIL": ["250 2.1.0 ok", hanging, "250 2.1.0 ok"]})
    with noting_shop(tmp_path, server) as (here, engine):
        engine.stay = float("inf")  # the worst case
        for message in letters(5):
            here.mail.send_later(message)
        threads = [threading.Thread(target=engine.answer, args=("default",)) for _ in range(8)]
        threads[0].start()
        hanging.reached()
        for thread in threads[1:]:
            thread.start()
        until(lambda: [one.is_alive() for one in threads].count(True) == 1, 60, "all but one")
        hanging.let_go()
        for thread in threads:
            thread.join(60)

        engine.answer("default")
        assert here.states == ["sent"] * 5


def test_a_worker_that_is_shut_down(tmp_path: Path, scripted: Scripted, hanging: Hold) -> None:
    """E3: an engine that is stopped finishes the message that it is sending, even if no job waits
    for it, and begins no other."""
    stuck = scripted(on={"end of data": hanging})
    with noting_shop(tmp_path, stuck) as (here, engine):
        for message in letters(3):
            here.mail.send_later(message)
        engine.answer("default")
        hanging.reached()
        stopping = threading.Thread(target=engine.stop)
        stopping.start()
        hanging.let_go()
        stopping.join(60)

        assert here.states == ["sent", "waiting", "waiting"]


# Looking out


@pytest.mark.usefixtures("looks")
def test_what_is_not_neglected(tmp_path: Path) -> None:
    """The lookout does not tell the broker of mail that is due later, waits for the end of a pause,
    is being sent by a living worker, or is finished."""
    with noting_shop(tmp_path, MAIL_ACCOUNTS={"news": {}}) as (here, engine):
        engine.gone = True  # only the ring of taking in; see below
        here.queue.store.alter_pause(
            "news", lambda before: Pause(time.time() + 600, 1, "no session")
        )
        here.mail.send_later(letter())
        cancelled = here.mail.send_later(letter())
        here.queue.cancel([cancelled.id])
        here.queue.store.claim("default", Lease("me", time.time() + 100), time.time(), 1)
        here.mail.send_later(letter(), delay=3600)
        here.mail.send_later(letter(), using="news")
        engine.close()
        engine.gone = False
        engine.wake()
        a_few_looks(here)

        assert engine.told == []


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize("neglect", ["waiting", "claimed"])
def test_what_is_neglected(neglect: str, tmp_path: Path, scripted: Scripted) -> None:
    """The lookout tells the broker of due mail that waits, and of mail whose worker is dead. The
    job then sends it."""
    with shop(tmp_path) as before:
        before.mail.send_later(letter())
        if neglect == "claimed":
            dead = Lease(before.queue.store.new_owner(), time.time() - 1)
            assert before.queue.store.claim("default", dead, time.time(), 1)
    with noting_shop(tmp_path, scripted()) as (here, engine):
        engine.wake()
        until(lambda: engine.told, 60, "the lookout")
        engine.answer("default")

        assert here.states == ["sent"]


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize("ringing", [False, True])
def test_what_is_kept_long_enough(
    ringing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lookout deletes old finished rows, because no worker lives long enough to do it, even if
    the bell rings all the time."""
    monkeypatch.setattr(upkeep, "EVERY", 0.0)
    monkeypatch.setattr(upkeep, "_SWEEP", 0.0)
    with noting_shop(tmp_path, MAIL_HANDLER="memory", MAIL_QUEUE_KEEP=0.001) as (here, engine):
        here.mail.send_later(letter())
        here.queue.engine.close()
        here.queue.run_once()

        def gone() -> bool:
            if ringing:
                engine.ring("default", 0.0)
            return here.states == []

        if not ringing:
            engine.wake()
        until(gone, 60, "the row to go")


def test_a_lookout_survives(
    looks: None, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-101: an error of the store is logged, and the lookout goes on."""
    with noting_shop(tmp_path) as (here, engine):
        with here.queue.store.file.read() as connection:  # type: ignore[attr-defined]
            connection.execute("ALTER TABLE mail_queue RENAME TO elsewhere")
        here.queue.engine.wake()
        until(lambda: "no such table" in caplog.text, 60, "the log")
        with here.queue.store.file.read() as connection:  # type: ignore[attr-defined]
            connection.execute("ALTER TABLE elsewhere RENAME TO mail_queue")
        here.mail.send_later(letter())

        until(lambda: engine.told, 60, "the lookout")


def test_an_app_that_is_dropped(looks: None, tmp_path: Path) -> None:
    """A lookout does not keep its app alive, and ends with it."""
    before = {*threading.enumerate()}
    app, threads = _used_and_dropped(tmp_path)
    (mine,) = threads - before

    def dropped() -> bool:
        gc.collect()
        return app() is None

    until(dropped, 60, "the app to be dropped")
    mine.join(60)
    assert not mine.is_alive()
    gc.collect()


def _used_and_dropped(folder: Path) -> tuple[weakref.ref[Flask], set[threading.Thread]]:
    here = Shop(folder, None, MAIL_QUEUE_ENGINE=Noting)
    with here.app.app_context():
        here.mail.send_later(letter())
        # As long as there is the app.
        threads = {*threading.enumerate()}
    return weakref.ref(here.app), threads


def test_nothing_to_look_at(tmp_path: Path) -> None:
    """A queue that was never used has no lookout, and no file."""
    with noting_shop(tmp_path) as (here, _):
        before = {*threading.enumerate()}
        here.app.test_client().get("/")

        assert {*threading.enumerate()} <= before
        assert not here.queue.store.begun


@pytest.mark.usefixtures("looks")
def test_a_worker_before_the_first_mail(tmp_path: Path) -> None:
    """E5: a worker process that starts before there is any mail, or any file, runs a lookout."""
    with noting_shop(tmp_path) as (here, engine):
        engine.boot()
        assert not here.queue.store.begun
        with shop(tmp_path) as other:
            other.mail.send_later(letter())

        until(lambda: engine.told, 60, "the lookout")


# Celery


@pytest.fixture(autouse=True)
def boots_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Celery worker that starts in this process must not start the engines that earlier tests
    have left to the garbage collector, which would search their stores again."""
    from celery.signals import worker_process_init

    monkeypatch.setattr(worker_process_init, "receivers", [])


@pytest.fixture
def celery_app() -> Iterator[Celery]:
    """A Celery app with a broker in memory, whose tasks know nothing of Flask. Its worker in this
    process leaves logging as it is."""
    from celery import Celery
    from celery.signals import setup_logging

    def keep(**_: object) -> None:
        """Receivers of this signal do it instead of Celery."""

    setup_logging.connect(keep)
    try:
        yield Celery("shop", broker="memory://", set_as_current=False)
    finally:
        setup_logging.disconnect(keep)


def with_flask_tasks(celery: Celery, app: Flask) -> None:
    """Set up tasks as in Flask's documentation."""

    class FlaskTask(celery.Task):  # type: ignore[misc]
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery.Task = FlaskTask
    app.extensions["celery"] = celery


@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize("delay", [0, 0.5])
def test_celery(delay: float, celery_app: Celery, tmp_path: Path, scripted: Scripted) -> None:
    """A Celery worker sends a message when it is due, without another search."""
    from celery.contrib.testing.worker import start_worker

    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE_ENGINE="celery") as here:
        with_flask_tasks(celery_app, here.app)
        options = {"pool": "solo", "perform_ping_check": False, "shutdown_timeout": 60.0}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Celery's own
            with start_worker(celery_app, **options):
                here.mail.send_later(letter(), delay=delay)
                due = here.rows[0].due
                until(lambda: here.states == ["sent"], 60, "the worker")

        assert time.time() >= due
        assert len(server.accepted) == 1


def test_no_celery_app(tmp_path: Path) -> None:
    """Without a Celery app a message is not queued, and the error says what to write."""
    with shop(tmp_path, None, MAIL_QUEUE_ENGINE="celery") as here:
        with pytest.raises(ConfigurationError, match="celery_init_app"):
            here.mail.send_later(letter())
        assert here.rows == []


def test_celery_without_a_context(celery_app: Celery) -> None:
    """A Celery app whose tasks run without an app context gets an error that says what to write."""
    importlib.import_module("flask_mailhandler.queue.engines.celery")

    with pytest.raises(ConfigurationError, match="FlaskTask"):
        celery_app.tasks[TASK]("default")


# RQ


def test_no_rq(tmp_path: Path) -> None:
    """Without Flask-RQ a message is not queued, and the error says what to write."""
    with shop(tmp_path, None, MAIL_QUEUE_ENGINE="rq") as here:
        with pytest.raises(ConfigurationError, match=r"write RQ\(app\)"):
            here.mail.send_later(letter())
        assert here.rows == []


@pytest.mark.services
@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize("queues", [["default"], ["mail", "default"]])
def test_rq(queues: list[str], redis: t.Any, tmp_path: Path, scripted: Scripted) -> None:
    """A ring goes into the queue "mail", or "default" if there is no such queue. Mail that is due
    later is left to the lookout."""
    from flask_rq import RQ

    keys = {"RQ_CONNECTION": redis.url, "RQ_QUEUES": queues}
    with shop(tmp_path, scripted(), MAIL_QUEUE_ENGINE="rq", **keys) as here:
        rq = RQ(here.app)
        # What workers of other tests have not heard.
        rq.get_queue(queues[0]).empty()  # type: ignore[no-untyped-call]
        here.mail.send_later(letter())
        here.mail.send_later(letter(), delay=60)
        here.queue.engine.close()

        (job,) = rq.get_queue(queues[0]).jobs
        job.perform()
        assert here.states == ["sent", "waiting"]
        for queue in rq.queues.values():
            queue.connection.close()


@pytest.mark.services
@pytest.mark.usefixtures("no_looks")
def test_rq_exports_with_each_job(redis: t.Any, tmp_path: Path, scripted: Scripted) -> None:
    """Spans and metrics of a job are exported before it ends, because RQ ends its process without
    an exit hook."""
    from flask_rq import RQ
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, metrics = InMemorySpanExporter(), io.StringIO()
    tracer_provider = TracerProvider()
    tracer_provider.add_span_processor(BatchSpanProcessor(spans, schedule_delay_millis=3_600_000))
    reader = PeriodicExportingMetricReader(ConsoleMetricExporter(metrics), 3_600_000)
    meter_provider = MeterProvider([reader])
    telemetry = {"tracer_provider": tracer_provider, "meter_provider": meter_provider}
    keys = {"RQ_CONNECTION": redis.url, "MAIL_TELEMETRY": telemetry}
    with shop(tmp_path, scripted(), MAIL_QUEUE_ENGINE="rq", **keys) as here:
        queue = RQ(here.app).get_queue("default")
        queue.empty()  # type: ignore[no-untyped-call]
        here.mail.send_later(letter())
        here.queue.engine.close()

        queue.jobs[0].perform()
        names = [span.name for span in spans.get_finished_spans()]
        assert "send default" in names
        assert "messaging.client.operation.duration" in metrics.getvalue()
        queue.connection.close()
    tracer_provider.shutdown()
    meter_provider.shutdown()


# Dramatiq


@pytest.fixture
def stub() -> Iterator[Broker]:
    """Dramatiq's broker for tests, with a worker, as the global broker."""
    import dramatiq
    from dramatiq import broker as module
    from dramatiq.brokers.stub import StubBroker

    before = module.global_broker
    broker = StubBroker()
    dramatiq.set_broker(broker)
    broker.emit_after("process_boot")
    working = dramatiq.Worker(broker, worker_threads=1)
    working.start()
    yield broker
    working.stop()
    broker.close()
    module.global_broker = before


@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize("delay", [0, 0.5])
def test_dramatiq(delay: float, stub: Broker, tmp_path: Path, scripted: Scripted) -> None:
    """A Dramatiq worker sends a message when it is due, without another search."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE_ENGINE="dramatiq") as here:
        here.mail.send_later(letter(), delay=delay)
        due = here.rows[0].due
        until(lambda: here.states == ["sent"], 60, "the worker")

        assert time.time() >= due
        assert len(server.accepted) == 1


def test_dramatiq_in_an_app_of_the_same_name(stub: Broker, tmp_path: Path) -> None:
    """An app may be created twice in a process. The last one answers."""
    keys = {"MAIL_QUEUE_ENGINE": "dramatiq", "MAIL_HANDLER": "memory"}
    with shop(tmp_path / "a", None, **keys), shop(tmp_path / "b", None, **keys) as here:
        here.mail.send_later(letter())

        until(lambda: here.states == ["sent"], 60, "the worker")


def test_another_broker_later(stub: Broker, tmp_path: Path) -> None:
    """A broker that is set after the app was created is an error that says so."""
    import dramatiq
    from dramatiq.brokers.stub import StubBroker

    with shop(tmp_path, None, MAIL_QUEUE_ENGINE="dramatiq") as here:
        dramatiq.set_broker(StubBroker())
        with pytest.raises(ConfigurationError, match="set_broker"):
            here.mail.send_later(letter())
        assert here.rows == []


# What is not installed


@pytest.mark.parametrize("name", ["celery", "dramatiq"])
def test_not_installed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose library is not installed is an error in init_app that says what to do."""
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"flask_mailhandler.queue.engines.{name}", raising=False)
    with (
        pytest.raises(ConfigurationError, match=rf"pip install 'Flask-MailHandler\[{name}\]'"),
        shop(tmp_path, None, MAIL_QUEUE_ENGINE=name),
    ):
        raise AssertionError("It was registered.")


# In the processes of workers


@pytest.mark.usefixtures("looks")
def test_celery_looks_out(tmp_path: Path) -> None:
    """A process of Celery's workers runs a lookout from its start."""
    from celery.signals import worker_process_init

    from flask_mailhandler.queue.engines.celery import CeleryEngine

    told = threading.Event()

    class Watched(CeleryEngine):
        def check(self) -> None:
            """There is no Celery app."""

        def tell(self, account: str) -> None:
            told.set()

    with shop(tmp_path, None, MAIL_QUEUE_ENGINE=Watched) as here:
        here.mail.send_later(letter())
        here.queue.engine.close()
        told.clear()
        worker_process_init.send(sender=None)
        assert told.wait(60)


@pytest.mark.usefixtures("looks")
def test_dramatiq_looks_out(stub: Broker, tmp_path: Path) -> None:
    """A process of Dramatiq's workers runs a lookout from its start."""
    from flask_mailhandler.queue.engines.dramatiq import DramatiqEngine

    told = threading.Event()

    class Watched(DramatiqEngine):
        def tell(self, account: str) -> None:
            told.set()

    with shop(tmp_path, None, MAIL_QUEUE_ENGINE=Watched) as here:
        here.mail.send_later(letter())
        here.queue.engine.close()
        told.clear()
        stub.emit_after("process_boot")
        assert told.wait(60)


@pytest.mark.parametrize(("base", "method"), [(Engine, "ring"), (BrokerEngine, "tell")])
def test_an_engine_that_is_not_written(
    base: type[Engine], method: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """If an engine does not implement its one method, the log says so, and the mail is in the
    queue."""
    with shop(tmp_path, None, MAIL_QUEUE_ENGINE=type("Bare", (base,), {})) as here:
        here.mail.send_later(letter())
        here.queue.engine.close()

        assert f"Bare must implement {method}()" in caplog.text
        assert here.states == ["waiting"]
