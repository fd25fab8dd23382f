"""A worker: it claims what is due, delivers it, and waits for more.

Any number of workers may be at work on one store, in threads, processes and machines.
"""

from __future__ import annotations

import dataclasses

# A connection needs it. Were it loaded by the thread of a worker, a process that forks meanwhile
# would leave its child with the lock of a module that nobody finishes, and the child's requests,
# which need it too, would wait for ever.
import encodings.idna  # noqa: F401
import time
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator

from ..errors import ConfigurationError
from ..errors import LoginError
from ..errors import MailError
from ..errors import QueueError
from ..log import logger
from ..log import masked
from ..report import Report
from . import outcomes
from . import transition
from .attempt import Attempt
from .bell import Bell
from .outcomes import DamagedRowError
from .renewal import Renewal
from .retry import AFTER_LOGIN
from .retry import backoff
from .retry import LONGEST
from .retry import LONGEST_PAUSE
from .row import FINISHED
from .row import Row
from .row import RowState
from .store import Filter
from .store import Lease
from .store import Pause

if t.TYPE_CHECKING:
    from .mail_queue import MailQueue

LEASE = 60.0
"""Seconds after which a worker that was not heard of is believed dead."""
POLL = 5.0
"""Seconds after which to look for what nobody has rung for."""
BATCH = 20
"""Rows claimed at once, which are sent over one connection."""
_SWEEP = 3600.0
_JUMP = 30.0


class Worker:
    """Delivers what is due in the queue of an app.

    :param bell: Wakes it; and ends it, after the message in hand.
    :param progress: Called with each row whenever something has become of it.
    """

    def __init__(
        self,
        queue: MailQueue,
        bell: Bell | None = None,
        progress: Callable[[Row], None] | None = None,
    ) -> None:
        self._queue = queue
        self._store = queue.store
        self.bell: Bell = bell or Bell()
        self._progress = progress
        self.owner: str = self._store.new_owner()
        """Nobody else's, so that a lease is never mistaken for that of another."""
        self._rests: dict[str, float] = {}
        self._swept = float("-inf")
        self._ahead = float("inf")

    def run(self) -> None:
        """Deliver until the bell ends it. Trouble with the store is logged, and waited out."""
        while not (self.bell.stopped or self._queue.gone):
            last = self.bell.finishing
            try:
                self.watch_clock()
                self.run_once()
                self.sweep()
                pause = self._until_next()
            except QueueError as error:
                logger.error("%s", error)
                pause = POLL
            except Exception:
                logger.exception("A worker of the queue goes on after this.")
                pause = POLL
            if last:
                return
            self.bell.wait(pause)

    def run_once(self, seconds: float = float("inf")) -> int:
        """Deliver everything that is due now.

        :param seconds: After them nothing more is claimed.
        :return: The number of messages that were taken in hand.
        :raises QueueError: if the store cannot be used.
        """
        self.recover()
        taken, end = 0, time.monotonic() + seconds
        while not self.bell.stopped and (account := self._next_account()) is not None:
            taken += self._attempt(
                account, self._store.claim(account, self._lease(), time.time(), BATCH)
            )
            if time.monotonic() > end:
                break
        return taken

    def run_these(self, ids: Collection[int]) -> int:
        """Deliver those of these rows that are due, if their accounts are not paused. What is not
        taken in hand now is found by a later :meth:`run_once`.

        :return: The number of messages that were taken in hand.
        :raises QueueError: if the store cannot be used.
        """
        taken = 0
        for account in [*self._awake(time.time())]:
            wanted = Filter([RowState.WAITING], account=account, ids=ids)
            if found := [row.id for row in self._store.rows(wanted, len(ids))]:
                taken += self._attempt(
                    account, self._store.claim_these(found, self._lease(), time.time())
                )
        return taken

    def recover(self) -> None:
        """See to rows whose worker is dead.

        :raises QueueError: if the store cannot be used.
        """
        now = time.time()
        for row in self._store.lost(now, 2 * LEASE):
            after = self._interrupted(row, now)
            # If its worker is alive after all, what it finds out counts still: see Store.settle.
            if after.state is RowState.HELD:
                after = dataclasses.replace(after, lease_owner=row.lease_owner)
            if self._store.settle(after, row.lease_owner or ""):
                self._tell(after, None)

    def _interrupted(self, row: Row, now: float) -> Row:
        try:
            recipients = outcomes.from_json(row.recipients)
            announced = outcomes.names_from_json(row.ended)
        except DamagedRowError as error:
            return transition.damaged(row, str(error), now)
        why = "Its worker ended before it could tell what has become of it."
        if not self._store.remembers(row.lease_owner or ""):
            announced = [str.__str__(item.recipient) for item in recipients]
            why = "The machine of its worker went down before that could tell what became of it."
        return transition.interrupted(
            row,
            recipients,
            announced,
            why,
            now,
            retry_unknown=self._queue.retry_unknown,
            at_once=True,
        )

    # Which rows

    def _next_account(self) -> str | None:
        """The account whose row is next: of the highest priority, due first."""
        now = time.time()
        candidates = [
            (priority, due, account)
            for account in self._awake(now)
            for priority, due in self._store.due(account)
            if due <= now
        ]
        return min(candidates)[2] if candidates else None

    def _awake(self, now: float) -> Iterator[str]:
        for account in self._queue.accounts:
            rested = self._rests.get(account, 0.0) <= time.monotonic()
            if rested and self._store.pause(account).until <= now:
                yield account

    def _lease(self) -> Lease:
        return Lease(self.owner, time.time() + LEASE)

    # Delivering

    def _attempt(self, account: str, rows: list[Row]) -> int:
        rows = self._within_rate(account, rows)
        if not rows:
            return 0
        with self._queue.app_context(), Renewal(self._store, self._lease, LEASE / 3):
            error = self._deliver(account, rows)
        if error is not None:
            self._pause(account, error)
        elif self._store.pause(account).times:
            self._store.set_pause(account, Pause())
        return len(rows)

    def _within_rate(self, account: str, rows: list[Row]) -> list[Row]:
        """Give back what is more than the account's limit allows now, all workers together."""
        limits = self._queue.accounts[account].rate_limit
        if not limits or not rows:
            return rows
        number, wait = self._store.take_rate(account, limits, time.time(), len(rows))
        if number < len(rows):
            self._store.release([row.id for row in rows[number:]], self.owner)
        if not number:
            self._rests[account] = time.monotonic() + wait
        return rows[:number]

    def _deliver(self, account: str, rows: list[Row]) -> MailError | None:
        """Deliver rows, and say why no session could be had."""
        try:
            handler = self._queue.handler(account)
        except Exception as error:  # of a handler of somebody else's
            self._store.release([row.id for row in rows], self.owner)
            if isinstance(error, MailError):
                return error
            return ConfigurationError(f"{type(error).__name__}: {error}")
        attempt = Attempt(
            self._store,
            handler,
            self.owner,
            retry_unknown=self._queue.retry_unknown,
            told=self._tell,
            stopped=lambda: self.bell.stopped,
        )
        attempt.run(rows)
        return attempt.error

    def _pause(self, account: str, error: MailError) -> None:
        """Pause an account, for each of its rows would meet the same trouble."""
        times = self._store.pause(account).times + 1
        seconds = backoff(times, LONGEST_PAUSE)
        if isinstance(error, LoginError):
            seconds = max(seconds, AFTER_LOGIN)
        logger.warning(
            "The queue of the account %s pauses for %.0f s: %s",
            account,
            seconds,
            masked(str(error)),
        )
        self._store.set_pause(account, Pause(time.time() + seconds, times, str(error)))

    def _tell(self, row: Row, report: Report | None) -> None:
        self._queue.tell(row, report)
        if self._progress is not None:
            self._progress(row)

    # Between the deliveries

    def _until_next(self) -> float:
        """Seconds until something is due, as far as this store knows now."""
        now = time.time()
        wakes = [POLL]
        for account in self._queue.accounts:
            if found := self._store.due(account):
                wakes.append(
                    max(
                        min(due for _, due in found) - now,
                        self._store.pause(account).until - now,
                        self._rests.get(account, 0.0) - time.monotonic(),
                    )
                )
        return max(min(wakes), 0.0)

    def watch_clock(self) -> None:
        """Find out, at the start and later on, whether the clock was put back: what is due by the
        old one would wait for so long."""
        ahead = time.time() - time.monotonic()
        if ahead < self._ahead - _JUMP:
            self._store.pull(time.time(), LONGEST)
        self._ahead = ahead

    def sweep(self) -> None:
        """Once in a while delete what has been kept long enough, and look for mail that nobody
        will send."""
        if time.monotonic() - self._swept < _SWEEP:
            return
        self._swept = time.monotonic()
        for account in sorted(self._store.accounts() - {*self._queue.accounts}):
            logger.error(
                "Mail waits for the account %r, which MAIL_ACCOUNTS does not have.", account
            )
        old = Filter(FINISHED, before=time.time() - self._queue.settings.queue_keep)
        while self._store.purge(old, 500) == 500 and not self.bell.stopped:
            pass

    def __repr__(self) -> str:
        return f"<Worker {self.owner}>"
