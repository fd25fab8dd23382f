"""Threads that share a store: none waits forever for another one that uses it all the time."""

from __future__ import annotations

import contextlib
import threading
import typing as t

import pytest

from flask_mailhandler.queue import build
from flask_mailhandler.queue.build import store_of
from flask_mailhandler.queue.fair_lock import FairLock
from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
from flask_mailhandler.queue.stores.sqlite.store import SqliteStore
from queueing import shop
from servers.waiting import until
from storing import Place

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flask import Flask

    from flask_mailhandler.app.queue_keys import QueueSettings
    from flask_mailhandler.queue.stores.base import Store


def in_thread(function: Callable[[], object]) -> threading.Thread:
    """Run a function in another thread."""
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def a_thread_waits(lock: FairLock) -> bool:
    """Whether another thread is the next one to get the lock."""
    free = lock._waiting.acquire(blocking=False)
    if free:
        lock._waiting.release()
    return not free


@pytest.mark.parametrize("named", ["queue.sqlite", "sqlite:///app.sqlite"])
def test_who_waits_comes_before_who_had_it(named: str, tmp_path: Path) -> None:
    """F-98: a worker that has written, and wants to write again at once, lets a waiting request go
    first. Otherwise the request would wait until nothing is left to send."""
    with contextlib.closing(Place(named, tmp_path)) as place:
        store, order = place.store(), list[str]()
        assert isinstance(store, SqliteStore | SqlalchemyStore)
        kept = store.file if isinstance(store, SqliteStore) else store.database

        def request() -> None:
            with kept.write():
                order.append("request")

        with kept.write():
            thread = in_thread(request)
            until(lambda: a_thread_waits(kept._lock), 60, "the request to wait")
        with kept.write():
            order.append("worker")
        thread.join()

    assert order == ["request", "worker"]


def test_a_turn_within_a_turn() -> None:
    """A thread that holds the lock may take it again, as a log handler that sends mail does, even
    while another thread waits."""
    lock = FairLock()

    def other() -> None:
        with lock:
            pass

    with lock:
        thread = in_thread(other)
        until(lambda: a_thread_waits(lock), 60, "the other to wait")
        with lock:
            assert repr(lock) == "<FairLock taken>"
        assert repr(lock) == "<FairLock taken>"
    thread.join()

    assert repr(lock) == "<FairLock free>"


def test_a_turn_that_does_not_come() -> None:
    """A thread that waits only for a while is told that it did not get the lock, and keeps no other
    thread waiting."""
    lock, came = FairLock(), list[bool]()
    with lock:
        in_thread(lambda: came.append(lock.acquire(0.01))).join()
    with lock:
        pass

    assert came == [False]
    assert repr(lock) == "<FairLock free>"


def test_threads_that_begin_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests may be the first of a process at the same time. They share one store, and one
    engine with its worker."""
    both, found = threading.Barrier(2), list[object]()

    def slowly(app: Flask, settings: QueueSettings) -> Store:
        both.wait(30)
        return store_of(app, settings)

    monkeypatch.setattr(build, "store_of", slowly)
    with shop(tmp_path) as here:
        queue = here.queue
        threads = [in_thread(lambda: found.append(queue.store)) for _ in range(2)]
        for thread in threads:
            thread.join()

        assert found == [queue.store, queue.store]
