"""Send the mail of one account, in one thread.

::

    claim ──▶ rate limit ──▶ Attempt.run ──▶ claim ...     until no row is due
      │            │             │
      │            │             └─ the account is at fault: pause, for all workers
      │            └─ used up: give rows back, rest until the limit allows more
      └─ up to 20 rows of the highest priority, with a lease that is renewed meanwhile
"""

from __future__ import annotations

import itertools
import time
import typing as t
from collections.abc import Callable

from ...errors import ConfigurationError
from ...errors import MailError
from ...errors import QueueError
from ...log import logger
from ...log import masked
from ...report import DeferredError
from ...report import LoginError
from ...report import Report
from .. import lease
from ..lease import Lease
from ..lease import Renewal
from ..outcomes import storable
from ..retry import AFTER_LOGIN
from ..retry import backoff
from ..retry import LONGEST_PAUSE
from ..row import Row
from ..row import RowState
from ..stores.base import Filter
from ..stores.base import Pause
from .allowance import Allowance
from .attempt import Attempt
from .resting import Resting
from .results import Told
from .senders import OneSender
from .store_retry import retrying

if t.TYPE_CHECKING:
    from ...handlers.base import EmailHandler
    from ..app_access import AppAccess
    from ..stores.base import Store

BATCH = 20
"""The most rows claimed at once, which are sent over one connection."""
URGENT = 0.25
"""Seconds between two searches for mail of a higher priority than the claimed rows."""
_MANY = 10_000


class AccountSender:
    """Claims the due mail of an account and delivers it, until no more is due.

    :param resting: What the worker knows about the account.
    :param owner: Returns a name for each claim, so that a late result of an earlier claim is never
        taken for a result of this one.
    :param allowance: How many messages the worker may still begin.
    :param ended: Called before each message. Once it returns true, the claimed rows are given back.
    :param told: Called with each row after its state has changed.
    :param yields: Called after each claim. If it returns true the sender ends, because another
        account waits for a thread.
    """

    def __init__(
        self,
        store: Store,
        app_access: AppAccess,
        account: str,
        resting: Resting,
        owner: Callable[[], str],
        *,
        allowance: Allowance,
        ended: Callable[[], bool],
        told: Told,
        yields: Callable[[], bool] = lambda: False,
    ) -> None:
        self.account = account
        self.taken: int = 0
        """How many messages it has claimed."""
        self.begun: float = time.monotonic()
        """When its message was begun, by the monotonic clock."""
        self._store = store
        self._app_access = app_access
        self._app = app_access.app  # keeps it alive meanwhile
        self._resting = resting
        self._owner = owner
        self._allowance = allowance
        self._ended = ended
        self._told = told
        self._done = 0
        self._yields = yields
        self._rows: list[Row] = []
        self._lease = Lease("", 0.0)
        self._looked = 0.0
        self._was_paused = False
        self._senders: OneSender | None = None

    def run(self) -> None:
        """Deliver until no more is due, the account pauses, or the sender must end.

        :raises QueueError: if the store cannot be used.
        """
        while not self._ended() and self._claim():
            self.taken += len(self._rows)
            self._done = 0
            try:
                with self._app_access.app_context(), Renewal(self._renew, lease.LEASE / 3):
                    error = self._deliver()
            finally:
                self._allowance.settle(len(self._rows), self._done)
            if error is not None:
                self._pause(error)
                return
            self._end_pause()
            # An account of a group may have used up its rate limit.
            if self._yields() or self._resting.until > time.monotonic():
                return

    def abandon(self) -> None:
        """Give back the claimed rows whose end of data was not announced.

        The thread may still wait for a server that does not reply. If it goes on after all, it
        finds that it has lost the rows, and does not send the end of data.

        :raises QueueError: if the store cannot be used.
        """
        if ids := [row.id for row in self._rows]:
            self._store.release(ids, self._lease.owner)

    def _claim(self) -> bool:
        self.begun = time.monotonic()
        allowed = self._allowance.take(BATCH)
        rows: list[Row] = []
        try:
            rows = self._rows = self._claim_up_to(allowed) if allowed else []
        finally:
            self._allowance.settle(allowed - len(rows), 0)
        self._looked = time.monotonic()
        return bool(rows)

    def _claim_up_to(self, limit: int) -> list[Row]:
        now = self._store.now()
        self._lease = Lease(self._owner(), now + lease.LEASE)
        origin = self._app_access.origin(self.account)
        try:
            rows = self._store.claim(self.account, self._lease, now, limit, origin)
        except QueueError:
            # The claim may have been made, and only the database's reply was lost.
            rows = self._claimed()
            if not rows:
                raise
        if not rows and not self.taken:
            # Another transaction has locked the rows: do not ask for them again and again.
            self._resting.until = time.monotonic() + URGENT
        return self._within_rate(rows)

    def _claimed(self) -> list[Row]:
        found = self._store.rows(Filter([RowState.CLAIMED], self.account), _MANY)
        mine = [row for row in found if row.lease_owner == self._lease.owner]
        return sorted(mine, key=lambda row: (row.due, row.id))

    def _renew(self) -> None:
        self._store.renew(Lease(self._lease.owner, self._store.now() + lease.LEASE))

    def _within_rate(self, rows: list[Row]) -> list[Row]:
        """Give back the rows that the account's rate limit does not allow now.

        The limit holds for all workers together.
        """
        account = self._app_access.accounts[self.account]
        limits = account.rate_limit
        if not limits or not rows or account.group is not None:  # each of a group has its own
            return rows
        number, wait = retrying(
            lambda: self._store.take_rate(self.account, limits, self._store.now(), len(rows))
        )
        if number < len(rows):
            self._release(rows[number:])
        if not number:
            self._resting.until = time.monotonic() + wait
        return rows[:number]

    def _release(self, rows: list[Row]) -> None:
        retrying(lambda: self._store.release([row.id for row in rows], self._lease.owner))

    def _deliver(self) -> MailError | None:
        """Deliver the claimed rows. Return the error for which the account must pause."""
        try:
            handler = self._app_access.queued_handler(self.account)
            senders = self._senders_of(handler)
        except Exception as error:  # the handler may be the app's own
            self._release(self._rows)
            if isinstance(error, MailError):
                return error
            return ConfigurationError(f"{type(error).__name__}: {error}")
        faults = self._resting.faults
        faults.probing = self._was_paused = self._store.pause(self.account).times > 0
        batch = self._app_access.batch(self.account, handler, self._rows)
        attempt = Attempt(
            self._store,
            senders.handler,
            self._lease.owner,
            faults,
            retry_unknown=self._app_access.retry_unknown,
            timeout=self._app_access.settings.queue_timeout,
            observe=batch.observe,
            told=batch.told(self._tell),
            stopped=self._stopped,
            heard=self._app_access.heard,
            screen=self._app_access.screen,
            senders=senders,
        )
        with batch:
            attempt.run(self._rows)
        return attempt.error

    def _senders_of(self, handler: EmailHandler) -> OneSender:
        """Return what sends the rows by a handler: the account, or the accounts of its group."""
        self._senders = OneSender(handler)
        if self._app_access.accounts[self.account].group is not None:
            from .group_senders import group_senders  # few apps have a group

            group = group_senders(
                handler, self.account, self._store, self._app_access, self._resting
            )
            self._senders = group or self._senders
        return self._senders

    def _tell(self, row: Row, report: Report | None) -> None:
        self._done += 1
        self._told(row, report)

    def _stopped(self) -> bool:
        """Whether the next message must not be begun."""
        self.begun = time.monotonic()
        return self._ended() or self._is_overtaken()

    def _is_overtaken(self) -> bool:
        """Whether mail of a higher priority than the claimed rows has become due."""
        if time.monotonic() - self._looked < URGENT:
            return False
        self._looked = time.monotonic()
        mine, now = self._rows[0].priority, self._store.now()
        origin = self._app_access.origin(self.account)
        try:
            waiting = self._store.due(self.account, origin)
        except QueueError:
            return False  # the claimed rows are sent all the same
        return any(priority < mine and due <= now for priority, due in waiting)

    def _pause(self, error: MailError) -> None:
        """Pause the account, because each of its messages would fail in the same way."""
        now = self._store.now()
        rest = None if self._senders is None else self._senders.rest()

        def pause(before: Pause) -> Pause:
            # Another worker may have paused it at the same time.
            times = before.times + (before.until <= now)
            seconds = backoff(times, LONGEST_PAUSE)
            if isinstance(error, LoginError):
                seconds = max(seconds, AFTER_LOGIN)
            if isinstance(error, DeferredError):
                seconds = max(seconds, error.retry_after or 0.0)
            if rest is not None:  # until the first account of its group is tried again
                seconds = rest
            return Pause(now + seconds, times, storable(str(error)))

        until = self._store.alter_pause(self.account, pause).until
        self._app_access.paused(self.account, error)
        logger.warning(
            "The account %s is paused for %.0f s: %s",
            self.account,
            until - now,
            masked(str(error)),
        )

    def _end_pause(self) -> None:
        # A pause that another worker began meanwhile is not over yet.
        if self._resting.faults.number or not self._was_paused:
            return
        now = self._store.now()
        self._store.alter_pause(
            self.account, lambda before: before if before.until > now else Pause()
        )

    def __repr__(self) -> str:
        return f"<AccountSender {self.account}, {self.taken} taken>"


def names(owner: str) -> Callable[[], str]:
    """Return a function that makes the name of each claim of an owner."""
    numbers = itertools.count(1)
    return lambda: f"{owner}.{next(numbers)}"
