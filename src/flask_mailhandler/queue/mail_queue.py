"""The queue of one app: what is behind ``mail.queue``."""

from __future__ import annotations

import dataclasses
import itertools
import socket
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from ..app.account import Account
from ..errors import QueueError
from ..handlers.base import EmailHandler
from ..handlers.memory import MemoryEmailHandler
from ..log import logger
from ..report import Report
from . import outcomes
from . import transition
from .announce import report_of
from .announce import tell
from .bell import Bell
from .build import engine_of
from .build import store_of
from .intake import Intake
from .outcomes import DamagedRowError
from .row import FINISHED
from .row import Row
from .row import RowState
from .stats import QueueStats
from .stores.base import Filter
from .stores.base import Pause
from .worker import Worker

if t.TYPE_CHECKING:
    from flask import Flask
    from flask.ctx import AppContext

    from ..app.queue_keys import QueueSettings
    from ..app.registration import Registration
    from .engines.base import Engine
    from .stores.base import Store

T = t.TypeVar("T")

_PAGE = 500


class MailQueue:
    """The queue of one app, which :attr:`.Mail.queue` gives.

    :param mine: The app's part of its ``Mail``.
    """

    def __init__(self, mine: Registration) -> None:
        self._mine = mine
        self.settings: QueueSettings = mine.settings.queue
        self._parts: dict[str, t.Any] = {}

    @property
    def store(self) -> Store:
        """Where the rows are."""
        return self._part("store", lambda: store_of(self._mine.app, self.settings))

    @property
    def engine(self) -> Engine:
        """Who is told that mail waits."""
        return self._part("engine", lambda: engine_of(self, self.settings))

    @property
    def intake(self) -> Intake:
        """Where mail is taken in."""
        return self._part("intake", lambda: Intake(self, self._mine))

    def _part(self, name: str, make: Callable[[], T]) -> T:
        """What is made when it is first asked for. No cached_property: up to Python 3.11 it has a
        lock, which a child of a fork could find held; later on, two threads that ask at the same
        time get two, each engine with a worker of its own."""
        found: T = self._parts.get(name) or self._parts.setdefault(name, make())
        return found

    def ring(self, account: str, due: float) -> None:
        """Tell the engine that mail of an account waits. Where it cannot be told, nothing is lost:
        whoever looks next finds it."""
        try:
            self.engine.ring(account, due)
        except Exception as error:
            logger.error("The engine %s could not be told: %s", type(self.engine).__name__, error)

    # Sending it

    def run_once(self, seconds: float = float("inf")) -> int:
        """Send all that is due now, in this thread or, where the app has several accounts, in a
        thread of each, and return the number of messages that were taken in hand: for a test, or
        for a job that something else starts.

        :param seconds: After them no more is begun.
        :raises QueueError: if the store cannot be used.
        """
        return Worker(self).run_once(seconds)

    def worker(
        self, bell: Bell | None = None, progress: Callable[[Row], None] | None = None
    ) -> Worker:
        """A worker, to be run in a thread or process of its own.

        :param bell: Wakes it and ends it.
        :param progress: Called with each row whenever something has become of it.
        """
        return Worker(self, bell, progress)

    # For the workers

    @property
    def app(self) -> Flask:
        """The app."""
        return self._mine.app

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The accounts of the app."""
        return self._mine.settings.accounts

    @property
    def retry_unknown(self) -> bool:
        """Whether to try again those of whom nobody knows whether they have got it."""
        return self.settings.queue_unknown == "retry"

    def hold(self) -> Flask | None:
        """The app, for as long as the caller keeps it; None if there is none any more."""
        return self._mine.hold()

    def handler(self, account: str) -> EmailHandler:
        """The handler that is in force for an account.

        :raises ConfigurationError: if its options cannot be used.
        """
        handler = self._mine.handler(account)
        if isinstance(handler, MemoryEmailHandler):
            return handler.queuing("", account)
        return handler

    def origin(self, account: str) -> str:
        """Where a message of this account is queued, if this process sends nothing by it: a server
        in debug mode, say, whose database is that of production by mistake. It takes only what such
        a process here has queued. "" if it sends."""
        return "" if self._mine.sends(account) else socket.gethostname() or "localhost"

    def app_context(self) -> AppContext:
        """A context of the app: handlers and receivers of signals may want one."""
        return self._mine.app.app_context()

    def tell(self, row: Row, report: Report | None) -> None:
        """Log what a row has become, and send its signal."""
        tell(self._mine, self.store, row, report)

    # Seeing it, and changing it

    def stats(self) -> QueueStats:
        """How the queue is doing.

        :raises QueueError: if the store cannot be used.
        """
        if not self.store.begun:
            return QueueStats({}, 0.0, {})
        now = self.store.now()
        due = [due for account in self.accounts for _, due in self.store.due(account)]
        pauses = {account: self.store.pause(account) for account in self.accounts}
        return QueueStats(
            counts=self.store.counts(),
            lag=max(0.0, now - min(due, default=now)),
            paused={account: pause.why for account, pause in pauses.items() if pause.until > now},
        )

    def rows(
        self,
        *,
        state: RowState | str | None = None,
        using: str | None = None,
        older_than: float | None = None,
        limit: int = 100,
    ) -> list[Row]:
        """Messages of the queue: of a state the last changed first, of all the newest first.

        :param state: Only those.
        :param using: Only those of this account.
        :param older_than: Only those that have not changed for so many seconds.
        """
        if not self.store.begun:
            return []
        return self.store.rows(self._filter(state, using, older_than), limit)

    def get(self, row_id: int) -> Row | None:
        """One message, by the number of its ticket."""
        return self.store.get(row_id) if self.store.begun else None

    def report(self, row: Row) -> Report:
        """The message of a row, as far as it can be read, and what has become of each recipient;
        who was not tried yet is deferred. The text of what was sent is gone with its content.

        :raises QueueError: if the row is damaged.
        """
        try:
            return report_of(self.store, row)
        except DamagedRowError as error:
            raise QueueError(f"Row {row.id} is damaged: {error}.") from error

    def retry(self, ids: Collection[int]) -> int:
        """Have failed, held, expired and cancelled messages sent again now, to everybody who has
        not accepted them; and those that wait, without waiting. Pauses of their accounts end.

        :return: How many there are.
        """
        return sum(map(self._retry, _pages(ids)))

    def _retry(self, ids: Sequence[int]) -> int:
        now, age = self.store.now(), self.settings.queue_max_age

        def again(row: Row) -> Row | None:
            if not row.size:
                return None
            try:
                found = outcomes.from_json(row.recipients)
            except DamagedRowError:
                return None  # it stays as it is
            return transition.again(row, found, now, age)

        changed = self.store.alter(ids, _RETRIED, again)
        for account in {row.account for row in changed}:
            self.store.alter_pause(account, lambda before: Pause())
            self.ring(account, now)
        return len(changed)

    def cancel(self, ids: Collection[int]) -> int:
        """Do not send messages that wait or are held. One that a worker has in hand is not
        stopped.

        :return: How many there were.
        """
        return sum(map(self._cancel, _pages(ids)))

    def _cancel(self, ids: Sequence[int]) -> int:
        now = self.store.now()
        return len(self.store.alter(ids, _CANCELLED, lambda row: transition.cancelled(row, now)))

    def purge(
        self,
        *,
        state: RowState | str | None = None,
        using: str | None = None,
        older_than: float | None = None,
    ) -> int:
        """Delete finished messages, with their keys.

        :param state: Only those; also ``held``, if it is named.
        :return: How many there were.
        :raises ValueError: for a state in which a message is not finished.
        """
        if not self.store.begun:
            return 0
        wanted = self._filter(state, using, older_than)
        if not wanted.states:
            wanted = dataclasses.replace(wanted, states=FINISHED)
        if not {*wanted.states} <= FINISHED | {RowState.HELD}:
            raise ValueError(f"Messages that are {state} are not finished: cancel them first.")
        total = 0
        while number := self.store.purge(wanted, _PAGE):
            total += number
        return total

    def _filter(
        self, state: RowState | str | None, using: str | None, older_than: float | None
    ) -> Filter:
        states = () if state is None else (RowState(state),)
        return Filter(states, using, None if older_than is None else self.store.now() - older_than)

    def wake(self) -> None:
        """Have the engine look for what an earlier process has left behind."""
        try:
            self.engine.wake()
        except QueueError as error:
            logger.error("%s", error)

    def close(self) -> None:
        """Let go of the thread and the file of this process. It may be used again."""
        self.engine.close()
        self.store.close()

    def __repr__(self) -> str:
        return f"<MailQueue {self.store!r}>"


_RETRIED = frozenset(RowState) - {RowState.CLAIMED, RowState.SENT}
_CANCELLED = frozenset([RowState.WAITING, RowState.HELD])


def _pages(ids: Collection[int]) -> Iterator[Sequence[int]]:
    rest = iter(ids)
    while page := [*itertools.islice(rest, _PAGE)]:
        yield page


def queue_of(mine: Registration) -> MailQueue:
    """The queue of an app, made when it is first asked for."""
    # No lock: a child of a fork could find it held. If two threads make one, both take the first.
    queue: MailQueue = mine.edges.setdefault("queue", MailQueue(mine))
    return queue
