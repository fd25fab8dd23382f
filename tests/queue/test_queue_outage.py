"""What the threads of the queue log while the store, or a broker, is away."""

from __future__ import annotations

import contextlib
import logging
import threading
import typing as t

import pytest

from flask_mailhandler import QueueError
from flask_mailhandler.queue import outage
from flask_mailhandler.queue import worker
from flask_mailhandler.queue.bell import Bell
from flask_mailhandler.queue.engines import lookout
from flask_mailhandler.queue.engines.broker import BrokerEngine
from flask_mailhandler.queue.outage import Outage
from flask_mailhandler.queue.sending import upkeep
from queueing import shop
from sending import letter
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from queueing import Shop

AWAY = "the disk is full"
AGAIN = "The queue works again, after "


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test sets."""
    now = [1000.0]
    monkeypatch.setattr(outage, "time", type("Clock", (), {"monotonic": lambda: now[0]}))
    return now


def levels(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(one.levelno, one.getMessage()) for one in caplog.records]


def test_the_times(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """An error is logged at once, then after times that double, and at most every five minutes."""
    mine, logged = Outage("over after %s"), list[float]()
    for _ in range(300):
        mine.note(QueueError(AWAY))
        if len(caplog.records) > len(logged):
            logged.append(clock[0] - 1000)
        clock[0] += 5
    mine.end()
    mine.end()

    assert logged == [0, 10, 30, 70, 150, 310, 610, 910, 1210]
    assert levels(caplog)[-2:] == [(logging.ERROR, AWAY), (logging.WARNING, "over after 25 min")]
    assert len(caplog.records) == len(logged) + 1


def test_another_error(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    """Another error is logged at once, and one that is not of the store with its traceback. After
    its end, the next outage begins anew."""
    mine = Outage("over after %s")
    for error in (QueueError("a"), QueueError("a"), QueueError("b"), KeyError("c"), KeyError("c")):
        mine.note(error)
    mine.end()
    mine.note(QueueError("a"))
    mine.note(ConnectionError("gone"), "The broker is away")

    assert [text for _, text in levels(caplog)] == [
        *("a", "b", "Unexpected error in a queue worker; it continues."),
        *("over after 0 s", "a", "The broker is away: gone"),
    ]
    assert [bool(one.exc_info) for one in caplog.records] == [False, False, True] + [False] * 3


class _Away:
    """Makes a method of a store fail while it is away, and counts the calls that failed."""

    def __init__(self, here: Shop, name: str) -> None:
        self.failed = threading.Semaphore(0)
        self.away = True
        self._call = getattr(here.queue.store, name)
        setattr(here.queue.store, name, self)

    def __call__(self, *arguments: t.Any) -> t.Any:
        if self.away:
            self.failed.release()
            raise QueueError(AWAY)
        return self._call(*arguments)

    def wait(self) -> None:
        """Wait until some calls have failed."""
        for _ in range(4):
            assert self.failed.acquire(timeout=60)


@pytest.mark.parametrize("name", ["claim", "owners", "due"])
def test_a_worker(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker logs an outage once at its beginning and once at its end, also if the store can be
    read and not be written."""
    monkeypatch.setattr(worker, "POLL", 0.01)
    monkeypatch.setattr(upkeep, "EVERY", 0.0)
    with shop(tmp_path, MAIL_HANDLER="memory") as here:
        here.mail.send_later(letter())
        store, bell = _Away(here, name), Bell()
        thread = threading.Thread(target=here.queue.worker(bell).run)
        thread.start()
        store.wait()
        store.away = False
        until(lambda: AGAIN in caplog.text, 60, "the end of the outage")
        bell.stop()
        thread.join(60)

        assert here.states == ["sent"]
    assert caplog.text.count(AWAY) == caplog.text.count(AGAIN) == 1


class Told(BrokerEngine):
    """An engine with a broker that is away."""

    away = True

    def tell(self, account: str) -> None:
        if Told.away:
            _failed.release()
            raise ConnectionRefusedError("the broker is gone")


_failed = threading.Semaphore(0)


@contextlib.contextmanager
def looking_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop whose lookout searches without a rest."""
    for name in ("EVERY", "POLL", "UNDER_WAY", "QUIET", "LONGEST_QUIET"):
        monkeypatch.setattr(lookout, name, 0.01)
    with shop(folder, MAIL_HANDLER="memory", MAIL_QUEUE_ENGINE=Told) as here:
        yield here


def test_a_lookout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The lookout logs an outage of the store as a worker does."""
    monkeypatch.setattr(Told, "away", False)
    with looking_out(tmp_path, monkeypatch) as here:
        store = _Away(here, "ring")
        here.mail.send_later(letter())
        store.wait()
        store.away = False
        until(lambda: AGAIN in caplog.text, 60, "the end of the outage")

    assert caplog.text.count(AWAY) == caplog.text.count(AGAIN) == 1


def test_a_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """So it does for an outage of the broker."""
    monkeypatch.setattr(Told, "away", True)
    with looking_out(tmp_path, monkeypatch) as here:
        here.mail.send_later(letter())
        for _ in range(4):
            assert _failed.acquire(timeout=60)
        Told.away = False
        until(lambda: "can be told again, after" in caplog.text, 60, "the end of the outage")

    assert caplog.text.count("could not be told: the broker is gone") == 1
    assert caplog.text.count("can be told again") == 1
