"""What a worker does between deliveries: dead workers, a clock that was put back, old rows."""

from __future__ import annotations

import dataclasses
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from ...log import logger
from ..events.telling import tell_untold
from ..retry import LONGEST
from ..retry import LONGEST_PAUSE
from ..row import FINISHED
from ..stores.base import Filter
from .recovery import recover
from .shared_health import LONGEST_DOWN
from .shared_health import SHARED

if t.TYPE_CHECKING:
    from ..app_access import AppAccess
    from ..stores.base import Store
    from .results import Told

EVERY = 1.0
"""Seconds between two searches for rows whose worker is dead."""
_SWEEP = 3600.0
_JUMP = 30.0


class Upkeep:
    """Keeps the rows of a queue in order.

    :param told: Called with each row that a dead worker had claimed.
    :param stopped: Called between two steps of what may take long; true ends it.
    """

    def __init__(
        self, store: Store, app_access: AppAccess, told: Told, stopped: Callable[[], bool]
    ) -> None:
        self._store = store
        self._app_access = app_access
        self._told = told
        self._stopped = stopped
        self._recovered = float("-inf")
        self._swept = time.monotonic() - _SWEEP
        self._ahead = float("inf")

    def run(self) -> bool:
        """Check the clock and recover rows, if that is due again.

        :return: Whether a dead worker had claimed any rows.
        :raises QueueError: if the store cannot be used.
        """
        if time.monotonic() - self._recovered < EVERY:
            return False
        self.watch_clock()
        return self.recover()

    def recover(self) -> bool:
        """Recover rows whose worker is dead.

        :return: Whether there were any.
        :raises QueueError: if the store cannot be used.
        """
        self._recovered = time.monotonic()
        rows = recover(self._store, retry_unknown=self._app_access.retry_unknown)
        for row in rows:
            with self._app_access.app_context():
                self._told(row, None)
        return bool(rows)

    def watch_clock(self) -> None:
        """Check whether the clock was put back, at the start and later on.

        Rows that are due by the old clock would wait too long, and so would a paused account.
        """
        now = self._store.now()
        ahead = now - time.monotonic()
        if ahead < self._ahead - _JUMP:
            self._store.pull(now, LONGEST)
            for account, longest in self._pauses():
                self._shorten_pause(account, now, longest)
        self._ahead = ahead

    def _pauses(self) -> Iterator[tuple[str, float]]:
        """Yield under which names the store has pauses, and how long these may last."""
        for name, account in self._app_access.accounts.items():
            yield name, LONGEST_PAUSE
            for one in () if account.group is None else account.group.names:
                yield SHARED + one, LONGEST_DOWN

    def _shorten_pause(self, account: str, now: float, longest: float) -> None:
        if self._store.pause(account).until > now + longest:
            self._store.alter_pause(
                account, lambda pause: dataclasses.replace(pause, until=min(pause.until, now))
            )

    def sweep(self, *, idle: bool) -> None:
        """Once an hour, delete old finished rows and events, and log accounts whose mail no worker
        will send.

        :param idle: Whether there is nothing else to do. A worker that is never idle does it after
            two hours.
        :raises QueueError: if the store cannot be used.
        """
        since = time.monotonic() - self._swept
        if since < _SWEEP or not (idle or since > 2 * _SWEEP):
            return
        self._swept += since
        for account in sorted(self._store.accounts() - {*self._app_access.accounts}):
            logger.error("Mail waits for the account %r, which is not in MAIL_ACCOUNTS.", account)
        old = Filter(FINISHED, before=self._store.now() - self._app_access.settings.queue_keep)
        while self._store.purge(old, 500) == 500 and not self._stopped():
            pass
        self._sweep_events()

    def _sweep_events(self) -> None:
        """Delete old events, and tell the app of those that a dead process has not told it of."""
        history = self._store.history
        if not history.ready:  # the tables are missing after an update
            return
        history.purge_events(history.now() - self._app_access.settings.queue_keep)
        with self._app_access.app_context():
            tell_untold(history, self._app_access.tell_event)
