"""A worker: it finds the accounts whose mail is due, and sends each account's mail in a thread.

::

    bell, or 5 s ──▶ Upkeep.run ──▶ due accounts, by priority ──▶ AccountThreads.start
         ▲           dead workers                                      │ a thread ends
         └─────────────────────────────────────────────────────────────┘

Any number of workers may share a store, in threads, processes and machines.
"""

from __future__ import annotations

# Connections need it. If the thread of a worker loaded it while the process forks, the child would
# inherit the module's import lock, which no thread there releases, and its requests would wait
# forever.
import encodings.idna  # noqa: F401
import time
import typing as t
from collections.abc import Callable
from collections.abc import Collection

from ..errors import QueueError
from ..report import Report
from .app_access import AppAccess
from .bell import Bell
from .notify import notify
from .outage import Outage
from .row import Row
from .sending.account_sender import AccountSender
from .sending.account_sender import names
from .sending.account_threads import AccountThreads
from .sending.allowance import Allowance
from .sending.due_accounts import DueAccounts
from .sending.upkeep import EVERY
from .sending.upkeep import Upkeep

if t.TYPE_CHECKING:
    from .stores.base import Store

POLL = 5.0
"""Seconds after which a worker looks for mail if no bell rings."""
LONGEST_WAIT = 60.0
"""Seconds for which a worker that must end still waits for a rate limit."""
WORKS_AGAIN = "The queue works again, after %s."
"""What a thread logs that has noted errors."""
_SLOW = 1.0


class WithStore(t.Protocol):
    """What a worker needs of a queue. A :class:`.MailQueue` has it."""

    @property
    def app_access(self) -> AppAccess:
        """The app, as the queue sees it."""
        ...

    @property
    def store(self) -> Store:
        """Where the rows are."""
        ...


class Worker:
    """Delivers the due mail of an app's queue::

        Worker(mail.queue, bell).run()

    :param queue: A :class:`.MailQueue`.
    :param bell: Wakes the worker, and ends it after the messages that it is sending.
    :param progress: Called with each row after its state has changed.
    :param using: The accounts whose mail it sends; all of the app if there are none.
    :param max_messages: After so many messages, :meth:`run` ends.
    :raises ConfigurationError: if the app has no such account.
    """

    def __init__(
        self,
        queue: WithStore,
        bell: Bell | None = None,
        progress: Callable[[Row], None] | None = None,
        *,
        using: Collection[str] = (),
        max_messages: int | None = None,
    ) -> None:
        self._app_access = queue.app_access
        self._store = queue.store
        self.bell: Bell = bell or Bell()
        self._progress = progress
        self._allowance = Allowance(max_messages, self.bell.stop)
        self._accounts = self._app_access.account_names(using)
        self.owner: str = self._store.new_owner()
        """Unique to this worker, so its leases are never mistaken for another worker's."""
        self._names = names(self.owner)
        self._outage = Outage(WORKS_AGAIN)
        self._end = self._quiet_until = float("-inf")
        # Of the threads that share this worker, the one that has the turn; see turn().
        self._turn_of: object | None = None
        self.threads: AccountThreads = AccountThreads(
            self._app_access.settings.queue_threads, self.bell.ring
        )
        self.due: DueAccounts = DueAccounts(
            self._store, self._app_access, self._accounts, lambda: self.threads.accounts
        )
        self.upkeep: Upkeep = Upkeep(
            self._store, self._app_access, self._tell, lambda: self.bell.stopped
        )

    def run(self, drained: Callable[[], None] = lambda: None) -> None:
        """Deliver until the bell ends the worker.

        If the store cannot be used, the error is logged and the worker tries again later: see
        :class:`.Outage`.

        :param drained: Called whenever no mail waits, neither for now nor for later.
        """
        self._end = float("inf")
        # The app must stay alive during a round, and may go between two rounds.
        while not self.bell.stopped and (app := self._app_access.hold()):
            last = self.bell.finishing
            try:
                pause = self._round(drained)
            except Exception as error:
                pause = self._note(error)
            if last and self._is_done():
                break
            del app
            self._wait(pause)
        self.threads.end(self.bell.grace)

    def _wait(self, seconds: float) -> None:
        """Wait until the bell rings, the time is over, or rows of a dead worker are found."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.bell.wait(min(left, EVERY)):
            if time.monotonic() < self._quiet_until:
                continue
            app = self._app_access.hold()
            try:
                if app is None or self.upkeep.run():
                    return
            except Exception as error:
                self._note(error)
                return
            del app

    def _round(self, drained: Callable[[], None]) -> float:
        """Start threads for the due accounts. Return the seconds until more mail may be due."""
        if error := self.threads.take_error():
            return self._note(error)
        if (quiet := self._quiet_until - time.monotonic()) > 0:
            return quiet
        self.upkeep.run()
        self._start()
        self.upkeep.sweep(idle=not self.threads.accounts)
        # In this order: a thread that ends with an error has noted it before.
        if not self.threads.accounts and self.threads.error is None:
            self._outage.end()
        if self.threads.full or self._allowance.empty:  # the bell rings when a thread ends
            return POLL
        waits = [*self.due.waits()]
        if not waits and not self.threads.accounts:
            drained()
        return max(min([POLL, *waits]), 0.0)

    def _note(self, error: Exception) -> float:
        """Log an error. Return the seconds for which the worker leaves the store alone."""
        self._outage.note(error)
        self._quiet_until = time.monotonic() + POLL
        return POLL

    def run_once(self, seconds: float = float("inf")) -> int:
        """Deliver all mail that is due now.

        If the app has several accounts, each has a thread; otherwise this thread delivers it.

        :param seconds: After this time no message is begun.
        :return: The number of messages that were claimed.
        :raises QueueError: if the store cannot be used.
        """
        self.upkeep.recover()
        if len(self._accounts) > 1:
            return self._turn(seconds, float("inf"), patient=False)
        self._end = time.monotonic() + seconds
        taken = 0
        for account in [*self.due.next()]:
            sender = self._sender(account)
            sender.run()
            taken += sender.taken
        return taken

    def turn(self, seconds: float, stay: float = float("inf")) -> int:
        """Deliver the most urgent mail for a moment, as one job among others.

        While one server hangs, mail for the others is sent. A rate limit that ends in time is
        waited for.

        If several threads share this worker, one has the turn. Another thread returns at once, or
        takes the turn over when its time is over.

        :param seconds: After this time no message is begun, unless another account's server is
            slow.
        :param stay: Seconds after which a message is left to its own thread.
        :return: The number of messages that were claimed.
        :raises QueueError: if the store cannot be used.
        """
        self.upkeep.recover()
        if self._turn_of is not None and time.monotonic() < self._end - _SLOW / 4:
            self.bell.ring()
            return 0
        return self._turn(seconds, stay, patient=True)

    def _turn(self, seconds: float, stay: float, *, patient: bool) -> int:
        before = self.threads.taken
        self._turn_of = mine = object()
        self._end = time.monotonic() + seconds
        try:
            self._deliver_until_end(mine, stay, patient)
        except BaseException:
            # A broker's time limit, for example. Messages that were begun are finished.
            self._end = float("-inf")
            self.threads.end(self.bell.grace)
            raise
        finally:
            if self._turn_of is mine:
                self._turn_of = None
        if self.bell.stopped:
            self.threads.end(self.bell.grace)
        return self.threads.taken - before

    def _deliver_until_end(self, mine: object, stay: float, patient: bool) -> None:
        began = time.monotonic()
        while not self.bell.stopped and self._turn_of is mine:
            if error := self.threads.take_error():
                raise error
            now = time.monotonic()
            if patient and now - began < stay and self.threads.is_slow(_SLOW):
                # This job must wait for that server anyway.
                self._end = max(self._end, now + _SLOW)
            # Looked at before the start: a thread that ends at this moment may leave mail. A thread
            # that hung before this turn is not waited for.
            busy = self.threads.is_at_work(stay)
            if not self._is_over():
                self._start()
            busy = busy or self.threads.is_at_work(stay)
            rest = self.due.rate_rest() if patient else float("inf")
            if not busy and not rest < self._end - time.monotonic():
                return
            self.bell.wait(min(rest, _SLOW / 4))

    # Threads

    def _start(self) -> None:
        for account in [*self.due.next()]:
            if self.threads.full or self._allowance.empty:
                return
            self.due.begin(account)
            self.threads.start(self._sender(account, self._is_crowded))

    def _sender(self, account: str, yields: Callable[[], bool] = lambda: False) -> AccountSender:
        return AccountSender(
            self._store,
            self._app_access,
            account,
            self.due.resting(account),
            self._names,
            allowance=self._allowance,
            ended=self._has_ended,
            told=self._tell,
            yields=yields,
        )

    def _is_crowded(self) -> bool:
        """Whether another account may be waiting for a thread."""
        return self.threads.full and len(self._accounts) > self._app_access.settings.queue_threads

    def _has_ended(self) -> bool:
        return self.bell.stopped or self._is_over()

    def _is_over(self) -> bool:
        """Whether the time for beginning messages is over."""
        return time.monotonic() > self._end

    def _is_done(self) -> bool:
        """Whether no message is being sent, and no more is due, except mail that must wait long."""
        try:
            return not self.threads.accounts and all(
                wait > LONGEST_WAIT for _, wait in self.due.left()
            )
        except QueueError:
            return True

    def _tell(self, row: Row, report: Report | None) -> None:
        self._outage.end()  # the row was written
        notify(self._app_access, self._store, row, report)
        if self._progress is not None:
            self._progress(row)

    def __repr__(self) -> str:
        return f"<Worker {self.owner}>"
