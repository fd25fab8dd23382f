"""Stores whose users have different clocks, and a time that passes when a test says so."""

from __future__ import annotations

import contextlib
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from flask_mailhandler.queue.stores.base import Store

_time = time.time


class Time:
    """How much time has passed in addition to the real time, for all users."""

    passed: float = 0.0


class Skewed:
    """A store on a machine whose clock is wrong.

    :param ahead: Seconds by which its clock is ahead of the others.
    """

    def __init__(self, store: Store, since: Time, ahead: float) -> None:
        self._store = store
        self._since = since
        self._ahead = ahead

    def now(self) -> float:
        """Return the store's time on that machine."""
        with skewed(self._ahead):
            return self._store.now() + self._since.passed

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._store, name)

    def __str__(self) -> str:
        return str(self._store)


@contextlib.contextmanager
def skewed(ahead: float) -> Iterator[None]:
    """Set the clock of this process ahead. That has no effect on a database with its own clock."""
    time.time = lambda: _time() + ahead
    try:
        yield
    finally:
        time.time = _time
