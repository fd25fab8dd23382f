"""Engines that tell a broker, and the lookout beside them. What a kill does is tested elsewhere."""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import threading
import time
import typing as t
import warnings
import weakref

import pytest
from flask import Flask

from flask_mailhandler import ConfigurationError
from flask_mailhandler.queue import worker
from flask_mailhandler.queue.engines import lookout
from flask_mailhandler.queue.engines.base import Engine
from flask_mailhandler.queue.engines.broker import BrokerEngine
from flask_mailhandler.queue.engines.broker import TASK
from flask_mailhandler.queue.store import Lease
from flask_mailhandler.queue.store import Pause
from queueing import Shop
from queueing import shop
from queueing import url_of
from sending import letter
from sending import letters
from sending import Scripted
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Sequence
    from pathlib import Path

    from celery import Celery
    from dramatiq import Broker


class Noting(BrokerEngine):
    """Has a broker that writes down what it is told, or is gone."""

    def __init__(self, queue: t.Any) -> None:
        super().__init__(queue)
        self.told: list[tuple[list[int], float]] = []
        self.gone = False

    def tell(self, ids: Sequence[int], delay: float) -> None:
        if self.gone:
            raise ConnectionRefusedError("the broker is gone")
        self.told.append(([*ids], delay))


@contextlib.contextmanager
def noting_shop(folder: Path, **keys: t.Any) -> Iterator[tuple[Shop, Noting]]:
    with shop(folder, None, MAIL_QUEUE_ENGINE=Noting, **keys) as here:
        yield here, t.cast(Noting, here.queue.engine)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookouts look without a rest, and a bell is late at once."""
    monkeypatch.setattr(lookout, "EVERY", 0.01)
    monkeypatch.setattr(lookout, "LATE", 0.0)


@pytest.fixture
def no_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lookouts find nothing, so that what is sent was sent by who was told."""
    monkeypatch.setattr(lookout, "LATE", float("inf"))


def a_few_looks(here: Shop) -> None:
    """Wait until the lookout has looked, by what it asks the store first."""
    looked = threading.Semaphore(0)
    asked = here.queue.store.lost

    def lost(now: float, longest: float) -> t.Any:
        looked.release()
        return asked(now, longest)

    here.queue.store.lost = lost  # type: ignore[method-assign]
    for _ in range(3):
        assert looked.acquire(timeout=60)
    here.queue.store.lost = asked  # type: ignore[method-assign]


# Ringing


@pytest.mark.usefixtures("no_leaks", "no_looks")
def test_few_rows_at_a_time(tmp_path: Path) -> None:
    """A broker is told of few rows at a time, so that several workers share many; the thread that
    looks out ends with the queue."""
    with noting_shop(tmp_path) as (here, engine):
        tickets = [*here.mail.send_later_each(letters(50))]
        engine.close()

        assert [len(ids) for ids, _ in engine.told] == [20, 20, 10]
        assert [one for ids, _ in engine.told for one in ids] == [one.id for one in tickets]


@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize(("delay", "told"), [(0, True), (60, True), (3600, False)])
def test_a_delay(delay: float, told: bool, tmp_path: Path) -> None:
    """A broker is asked to hold a ring back for a while, not for long."""
    with noting_shop(tmp_path) as (here, engine):
        before = time.time()
        here.mail.send_later(letter(), delay=delay)
        late = time.time() - before
        engine.close()

        assert len(engine.told) == told
        assert all(delay - late <= given <= delay for _, given in engine.told)


def test_a_broker_that_is_gone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the broker is gone mail is taken in all the same and it is logged, once; the broker is
    left alone for a while."""
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
    """Who sends mail never waits for a broker."""
    answering = threading.Event()

    class Silent(BrokerEngine):
        def tell(self, ids: Sequence[int], delay: float) -> None:
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

        until(lambda: ([], 0.0) in engine.told, 60, "the lookout")


def test_a_ring_that_comes_twice(tmp_path: Path, scripted: Scripted) -> None:
    """A ring that comes twice, or of a row that is gone, is no error, and sends nothing twice."""
    server = scripted()
    url = url_of(server)
    with noting_shop(tmp_path, MAIL_URL=url) as (here, engine):
        ticket = here.mail.send_later(letter())
        engine.answer([ticket.id, 4711])
        engine.answer([ticket.id])

        assert here.states == ["sent"]
        assert len(server.accepted) == 1


# Looking out


@pytest.mark.usefixtures("looks")
def test_what_is_not_neglected(tmp_path: Path) -> None:
    """The lookout does not tell of mail that is due later, waits for a pause to be over, is in a
    living worker's hand, or is finished."""
    with noting_shop(tmp_path, MAIL_ACCOUNTS={"news": {}}) as (here, engine):
        engine.gone = True  # only the ring of taking in; see below
        here.queue.store.alter_pause(
            "news", lambda before: Pause(time.time() + 3600, 1, "no session")
        )
        here.mail.send_later(letter(), delay=3600)
        here.mail.send_later(letter(), using="news")
        claimed = here.mail.send_later(letter())
        cancelled = here.mail.send_later(letter())
        here.queue.store.claim_these([claimed.id], Lease("me", time.time() + 100), time.time())
        here.queue.cancel([cancelled.id])
        engine.close()
        engine.gone = False
        engine.wake()
        a_few_looks(here)

        assert engine.told == []


@pytest.mark.usefixtures("looks")
@pytest.mark.parametrize("neglect", ["waiting", "claimed"])
def test_what_is_neglected(neglect: str, tmp_path: Path) -> None:
    """The lookout tells of mail that waits though it is due, and of mail whose worker is dead; who
    is told then sends it."""
    with noting_shop(tmp_path, MAIL_HANDLER="memory") as (here, engine):
        ticket = here.mail.send_later(letter())
        if neglect == "claimed":
            dead = Lease(here.queue.store.new_owner(), time.time() - 1)
            here.queue.store.claim_these([ticket.id], dead, time.time())
        until(lambda: ([], 0.0) in engine.told, 60, "the lookout")
        engine.answer([])

        assert here.states == ["sent"]


@pytest.mark.usefixtures("looks")
def test_what_is_kept_long_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lookout deletes what has been kept long enough, for no worker lives long enough to."""
    monkeypatch.setattr(worker, "_SWEEP", 0.0)
    with noting_shop(tmp_path, MAIL_HANDLER="memory", MAIL_QUEUE_KEEP=0.001) as (here, _):
        here.mail.send_later(letter())
        here.queue.engine.close()
        here.queue.run_once()
        here.queue.engine.wake()

        until(lambda: here.states == [], 60, "the row to go")


def test_a_lookout_survives(
    looks: None, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-101: trouble with the store is logged, and the lookout goes on."""
    with noting_shop(tmp_path) as (here, engine):
        with here.queue.store.file.read() as connection:  # type: ignore[attr-defined]
            connection.execute("ALTER TABLE mail_queue RENAME TO elsewhere")
        here.queue.engine.wake()
        until(lambda: "no such table" in caplog.text, 60, "the log")
        with here.queue.store.file.read() as connection:  # type: ignore[attr-defined]
            connection.execute("ALTER TABLE elsewhere RENAME TO mail_queue")
        here.mail.send_later(letter())

        until(lambda: ([], 0.0) in engine.told, 60, "the lookout")


def test_an_app_that_is_dropped(looks: None, tmp_path: Path) -> None:
    """A lookout does not keep its app, and ends with it."""
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


def test_a_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks for itself does not go on for ever: what is left is told again."""
    with noting_shop(tmp_path, MAIL_HANDLER="memory") as (here, _):
        tickets = [*here.mail.send_later_each(letters(50))]

        assert len(tickets) == 50
        assert here.queue.run_once(seconds=0) == worker.BATCH
        assert here.queue.run_once() == 30


# Celery


@pytest.fixture(autouse=True)
def boots_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a worker of Celery begins in this process, it is no concern of the engines that earlier
    tests have left to the garbage collector: they would look into their stores again."""
    from celery.signals import worker_process_init

    monkeypatch.setattr(worker_process_init, "receivers", [])


@pytest.fixture
def celery_app() -> Iterator[Celery]:
    """A Celery app with a broker in memory, and without tasks that know of Flask. Its worker in
    this process leaves logging as it is."""
    from celery import Celery
    from celery.signals import setup_logging

    def keep(**_: object) -> None:
        """Who listens to this signal does it instead of Celery."""

    setup_logging.connect(keep)
    try:
        yield Celery("shop", broker="memory://", set_as_current=False)
    finally:
        setup_logging.disconnect(keep)


def with_flask_tasks(celery: Celery, app: Flask) -> None:
    """As in Flask's documentation."""

    class FlaskTask(celery.Task):  # type: ignore[misc]
        def __call__(self, *args: object, **kwargs: object) -> object:
            with app.app_context():
                return self.run(*args, **kwargs)

    celery.Task = FlaskTask
    app.extensions["celery"] = celery


@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize("delay", [0, 0.5])
def test_celery(delay: float, celery_app: Celery, tmp_path: Path, scripted: Scripted) -> None:
    """A worker of Celery sends a message when it is due, without any lookout."""
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
    """Without a Celery app a message is not taken in, and the error says what to write."""
    with shop(tmp_path, None, MAIL_QUEUE_ENGINE="celery") as here:
        with pytest.raises(ConfigurationError, match="celery_init_app"):
            here.mail.send_later(letter())
        assert here.rows == []


def test_celery_without_a_context(celery_app: Celery) -> None:
    """A Celery app whose tasks run without an app context is told what to write."""
    importlib.import_module("flask_mailhandler.queue.engines.celery")

    with pytest.raises(ConfigurationError, match="FlaskTask"):
        celery_app.tasks[TASK]([1])


# RQ


def test_no_rq(tmp_path: Path) -> None:
    """Without Flask-RQ a message is not taken in, and the error says what to write."""
    with shop(tmp_path, None, MAIL_QUEUE_ENGINE="rq") as here:
        with pytest.raises(ConfigurationError, match=r"write RQ\(app\)"):
            here.mail.send_later(letter())
        assert here.rows == []


@pytest.mark.services
@pytest.mark.usefixtures("no_looks")
@pytest.mark.parametrize("queues", [["default"], ["mail", "default"]])
def test_rq(queues: list[str], redis: t.Any, tmp_path: Path, scripted: Scripted) -> None:
    """A ring goes into the queue "mail", or "default" where there is none, and a message that is
    due later is left to the lookout."""
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


# Dramatiq


@pytest.fixture
def stub() -> Iterator[Broker]:
    """Dramatiq's broker for tests, with a worker, as the global one."""
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
    """A worker of Dramatiq sends a message when it is due, without any lookout."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE_ENGINE="dramatiq") as here:
        here.mail.send_later(letter(), delay=delay)
        due = here.rows[0].due
        until(lambda: here.states == ["sent"], 60, "the worker")

        assert time.time() >= due
        assert len(server.accepted) == 1


def test_dramatiq_is_not_told_early(stub: Broker, tmp_path: Path) -> None:
    """Dramatiq counts milliseconds. Who was told one of them too early would find nothing due, and
    the message would wait for a lookout."""
    import dramatiq

    told: list[int] = []

    class Noticed(dramatiq.Middleware):
        def after_enqueue(self, broker: Broker, message: t.Any, delay: int | None) -> None:
            told.append(message.options["eta"])

    with shop(tmp_path, None, MAIL_QUEUE_ENGINE="dramatiq", MAIL_HANDLER="memory") as here:
        engine = t.cast(BrokerEngine, here.queue.engine)
        stub.add_middleware(Noticed())
        delays = [60 + number / 3000 for number in range(30)]
        due = []
        for delay in delays:
            due.append(time.time() + delay)
            engine.tell([], delay)

        assert len(told) == 30
        assert all(eta / 1000 >= moment for eta, moment in zip(told, due, strict=True))


def test_dramatiq_in_an_app_of_the_same_name(stub: Broker, tmp_path: Path) -> None:
    """An app may be made twice in a process; the last one answers."""
    keys = {"MAIL_QUEUE_ENGINE": "dramatiq", "MAIL_HANDLER": "memory"}
    with shop(tmp_path / "a", None, **keys), shop(tmp_path / "b", None, **keys) as here:
        here.mail.send_later(letter())

        until(lambda: here.states == ["sent"], 60, "the worker")


def test_another_broker_later(stub: Broker, tmp_path: Path) -> None:
    """A broker that is set when the app is there already is an error that says so."""
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
    """A process of Celery's workers looks out from its beginning."""
    from celery.signals import worker_process_init

    from flask_mailhandler.queue.engines.celery import CeleryEngine

    told = threading.Event()

    class Watched(CeleryEngine):
        def check(self) -> None:
            """There is no Celery app."""

        def tell(self, ids: Sequence[int], delay: float) -> None:
            told.set()

    with shop(tmp_path, None, MAIL_QUEUE_ENGINE=Watched) as here:
        here.mail.send_later(letter())
        here.queue.engine.close()
        told.clear()
        worker_process_init.send(sender=None)
        assert told.wait(60)


@pytest.mark.usefixtures("looks")
def test_dramatiq_looks_out(stub: Broker, tmp_path: Path) -> None:
    """A process of Dramatiq's workers looks out from its beginning."""
    from flask_mailhandler.queue.engines.dramatiq import DramatiqEngine

    told = threading.Event()

    class Watched(DramatiqEngine):
        def tell(self, ids: Sequence[int], delay: float) -> None:
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
    """An engine that lacks its one method is told of in the log; the mail is in the queue."""
    with shop(tmp_path, None, MAIL_QUEUE_ENGINE=type("Bare", (base,), {})) as here:
        here.mail.send_later(letter())
        here.queue.engine.close()

        assert f"Bare does not write {method}()" in caplog.text
        assert here.states == ["waiting"]
