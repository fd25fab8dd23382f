"""The mail of one account, sent by one thread."""

from __future__ import annotations

import dataclasses
import itertools
import time
import typing as t
from collections.abc import Callable

from ..errors import ConfigurationError
from ..errors import MailError
from ..errors import QueueError
from ..log import logger
from ..log import masked
from ..report import LoginError
from .attempt import Attempt
from .attempt import Told
from .faults import Faults
from .patience import patiently
from .renewal import Renewal
from .retry import AFTER_LOGIN
from .retry import backoff
from .retry import LONGEST_PAUSE
from .row import Row
from .row import RowState
from .stores.base import Filter
from .stores.base import Lease
from .stores.base import Pause

if t.TYPE_CHECKING:
    from .mail_queue import MailQueue

LEASE = 60.0
"""Seconds after which a worker that was not heard of is believed dead."""
BATCH = 20
"""Rows claimed at once, which are sent over one connection."""
URGENT = 0.25
"""Seconds between two looks for something more urgent than what is claimed."""
_MANY = 10_000


@dataclasses.dataclass(slots=True)
class Resting:
    """What a worker knows of an account beside the store."""

    until: float = float("-inf")
    """Until when it is left alone, for its rate limit's sake most often; by the monotonic clock."""
    faults: Faults = dataclasses.field(default_factory=Faults)


class Lane:
    """Claims what is due of an account and delivers it, until nothing more is.

    :param owner: Who claims, and nobody else; each claim has a name of its own, so that what an
        earlier one brings too late is not taken for a later one's.
    :param ended: Asked before each message; once it is true what is claimed is given back.
    :param told: Called with each row whenever something has become of it.
    :param yields: Asked after each claim is done: whether to end, for others wait for a thread.
    """

    def __init__(
        self,
        queue: MailQueue,
        account: str,
        resting: Resting,
        owner: Callable[[], str],
        ended: Callable[[], bool],
        told: Told,
        yields: Callable[[], bool] = lambda: False,
    ) -> None:
        self.account = account
        self.taken: int = 0
        """How many messages were taken in hand."""
        self.begun: float = time.monotonic()
        """When the message in hand was begun, by the monotonic clock."""
        self._queue = queue
        self._app = queue.app  # which is not to go meanwhile
        self._store = queue.store
        self._resting = resting
        self._owner = owner
        self._ended = ended
        self._told = told
        self._yields = yields
        self._rows: list[Row] = []
        self._lease = Lease("", 0.0)
        self._looked = 0.0

    def run(self) -> None:
        """Deliver until nothing more is due, the account has to rest, or the lane is to end or to
        give way.

        :raises QueueError: if the store cannot be used.
        """
        while not self._ended() and self._claim():
            self.taken += len(self._rows)
            with self._queue.app_context(), Renewal(self._store, self._renewed, LEASE / 3):
                error = self._deliver()
            if error is not None:
                self._pause(error)
                return
            self._end_pause()
            if self._yields():
                return

    def abandon(self) -> None:
        """Give back what this lane has claimed and not announced, while its thread is stuck in a
        server that does not answer. Should it go on after all, it finds that the row is not its own
        any more, and gives no end of data.

        :raises QueueError: if the store cannot be used.
        """
        if ids := [row.id for row in self._rows]:
            self._store.release(ids, self._lease.owner)

    def _claim(self) -> bool:
        self.begun = time.monotonic()
        now = self._store.now()
        self._lease = Lease(self._owner(), now + LEASE)
        origin = self._queue.origin(self.account)
        try:
            rows = self._store.claim(self.account, self._lease, now, BATCH, origin)
        except QueueError:
            # Perhaps it was carried out, and only its answer was lost.
            rows = self._claimed()
            if not rows:
                raise
        if not rows and not self.taken:
            # Another transaction has them in hand: not to be asked for again and again.
            self._resting.until = time.monotonic() + URGENT
        self._rows = self._within_rate(rows)
        self._looked = time.monotonic()
        return bool(self._rows)

    def _claimed(self) -> list[Row]:
        found = self._store.rows(Filter([RowState.CLAIMED], self.account), _MANY)
        mine = [row for row in found if row.lease_owner == self._lease.owner]
        return sorted(mine, key=lambda row: (row.due, row.id))

    def _renewed(self) -> Lease:
        return Lease(self._lease.owner, self._store.now() + LEASE)

    def _within_rate(self, rows: list[Row]) -> list[Row]:
        """Give back what is more than the account's limit allows now, all workers together."""
        limits = self._queue.accounts[self.account].rate_limit
        if not limits or not rows:
            return rows
        number, wait = patiently(
            lambda: self._store.take_rate(self.account, limits, self._store.now(), len(rows))
        )
        if number < len(rows):
            self._release(rows[number:])
        if not number:
            self._resting.until = time.monotonic() + wait
        return rows[:number]

    def _release(self, rows: list[Row]) -> None:
        patiently(lambda: self._store.release([row.id for row in rows], self._lease.owner))

    def _deliver(self) -> MailError | None:
        """Deliver what is claimed, and say why the account has to rest."""
        try:
            handler = self._queue.handler(self.account)
        except Exception as error:  # of a handler of somebody else's
            self._release(self._rows)
            if isinstance(error, MailError):
                return error
            return ConfigurationError(f"{type(error).__name__}: {error}")
        faults = self._resting.faults
        faults.probing = self._store.pause(self.account).times > 0
        attempt = Attempt(
            self._store,
            handler,
            self._lease.owner,
            faults,
            retry_unknown=self._queue.retry_unknown,
            patience=self._queue.settings.queue_timeout,
            told=self._told,
            stopped=self._stopped,
        )
        attempt.run(self._rows)
        return attempt.error

    def _stopped(self) -> bool:
        """Asked before each message: whether it is not to be begun."""
        self.begun = time.monotonic()
        return self._ended() or self._is_overtaken()

    def _is_overtaken(self) -> bool:
        """Whether something more urgent than what is claimed has become due."""
        if time.monotonic() - self._looked < URGENT:
            return False
        self._looked = time.monotonic()
        mine, now = self._rows[0].priority, self._store.now()
        origin = self._queue.origin(self.account)
        try:
            waiting = self._store.due(self.account, origin)
        except QueueError:
            return False  # what is in hand is sent all the same
        return any(priority < mine and due <= now for priority, due in waiting)

    def _pause(self, error: MailError) -> None:
        """Have the account rest, for each of its rows would meet the same trouble."""
        now = self._store.now()

        def pause(before: Pause) -> Pause:
            # Another worker may have found out at the same time.
            times = before.times + (before.until <= now)
            seconds = backoff(times, LONGEST_PAUSE)
            if isinstance(error, LoginError):
                seconds = max(seconds, AFTER_LOGIN)
            return Pause(now + seconds, times, str(error))

        until = self._store.alter_pause(self.account, pause).until
        logger.warning(
            "The queue of the account %s pauses for %.0f s: %s",
            self.account,
            until - now,
            masked(str(error)),
        )

    def _end_pause(self) -> None:
        if self._resting.faults.number or not self._store.pause(self.account).times:
            return
        now = self._store.now()
        self._store.alter_pause(
            self.account, lambda before: before if before.until > now else Pause()
        )

    def __repr__(self) -> str:
        return f"<Lane {self.account}, {self.taken} taken>"


def names(owner: str) -> Callable[[], str]:
    """Make a name of each claim of an owner."""
    numbers = itertools.count(1)
    return lambda: f"{owner}.{next(numbers)}"
