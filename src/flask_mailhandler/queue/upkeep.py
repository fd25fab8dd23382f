"""What a worker does between the deliveries: dead workers, clocks that are put back, old rows."""

from __future__ import annotations

import dataclasses
import time
import typing as t
from collections.abc import Callable

from ..log import logger
from .recovery import recover
from .retry import LONGEST
from .retry import LONGEST_PAUSE
from .row import FINISHED
from .stores.base import Filter

if t.TYPE_CHECKING:
    from .attempt import Told
    from .mail_queue import MailQueue

EVERY = 1.0
"""Seconds between two looks for rows whose worker is dead."""
_SWEEP = 3600.0
_JUMP = 30.0


class Upkeep:
    """Keeps the rows of a queue in order.

    :param told: Called with each row that was a dead worker's.
    :param stopped: Asked between two steps of what may take long.
    """

    def __init__(self, queue: MailQueue, told: Told, stopped: Callable[[], bool]) -> None:
        self._queue = queue
        self._store = queue.store
        self._told = told
        self._stopped = stopped
        self._recovered = float("-inf")
        self._swept = time.monotonic() - _SWEEP
        self._ahead = float("inf")

    def run(self) -> bool:
        """Do what is to be done again by now. Whether a dead worker had left anything.

        :raises QueueError: if the store cannot be used.
        """
        if time.monotonic() - self._recovered < EVERY:
            return False
        self.watch_clock()
        return self.recover()

    def recover(self) -> bool:
        """See to rows whose worker is dead. Whether there were any.

        :raises QueueError: if the store cannot be used.
        """
        self._recovered = time.monotonic()
        rows = recover(self._queue)
        for row in rows:
            with self._queue.app_context():
                self._told(row, None)
        return bool(rows)

    def watch_clock(self) -> None:
        """Find out, at the start and later on, whether the clock was put back: what is due by the
        old one would wait for so long, and so would an account that has to rest."""
        now = self._store.now()
        ahead = now - time.monotonic()
        if ahead < self._ahead - _JUMP:
            self._store.pull(now, LONGEST)
            for account in self._queue.accounts:
                self._shorten_pause(account, now)
        self._ahead = ahead

    def _shorten_pause(self, account: str, now: float) -> None:
        if self._store.pause(account).until > now + LONGEST_PAUSE:
            self._store.alter_pause(
                account, lambda pause: dataclasses.replace(pause, until=min(pause.until, now))
            )

    def sweep(self, *, idle: bool) -> None:
        """Once an hour delete what has been kept long enough, and look for mail that nobody will
        send.

        :param idle: Whether there is nothing else to do. Who never is does it all the same.
        :raises QueueError: if the store cannot be used.
        """
        since = time.monotonic() - self._swept
        if since < _SWEEP or not (idle or since > 2 * _SWEEP):
            return
        self._swept += since
        for account in sorted(self._store.accounts() - {*self._queue.accounts}):
            logger.error(
                "Mail waits for the account %r, which MAIL_ACCOUNTS does not have.", account
            )
        old = Filter(FINISHED, before=self._store.now() - self._queue.settings.queue_keep)
        while self._store.purge(old, 500) == 500 and not self._stopped():
            pass
