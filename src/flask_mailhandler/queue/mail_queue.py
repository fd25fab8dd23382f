"""The queue of one app, as :attr:`.Mail.queue` returns it."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from ..errors import QueueError
from ..log import logger
from ..report import Report
from . import outcomes
from . import transition
from .app_access import AppAccess
from .bell import Bell
from .components import Components
from .components import EngineMethods
from .events.identity import message_key
from .events.json_form import readable
from .intake import Intake
from .notify import report_of
from .row import FINISHED
from .row import Row
from .row import RowState
from .sending.shared_health import accounts_down
from .stats import QueueStats
from .stores.base import Filter
from .stores.base import Pause
from .unreadable import DamagedRowError
from .worker import Worker

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..app.account import Account
    from ..app.queue_keys import QueueSettings
    from ..events.event import Event
    from .health.options import HealthOptions
    from .health.result import QueueHealth
    from .stores.base import Store

_PAGE = 500
PURGEABLE = FINISHED | {RowState.HELD}
"""The states in which ``purge`` accepts a message. It must be told to delete held ones."""


class MailQueue:
    """The queue of one app, as :attr:`.Mail.queue` returns it::

        current_mail.queue.stats().lag

    :param app_access: The app, as the queue sees it.
    :param make_store: Makes the store when it is first used.
    :param make_engine: Makes the engine when it is first used.
    """

    def __init__(
        self,
        app_access: AppAccess,
        make_store: Callable[[], Store],
        make_engine: Callable[[MailQueue], EngineMethods],
    ) -> None:
        self.app_access: AppAccess = app_access
        self.components: Components = Components(app_access, make_store, lambda: make_engine(self))
        self.intake: Intake = Intake(self.components)

    @property
    def app(self) -> App:
        """The app."""
        return self.app_access.app

    @property
    def settings(self) -> QueueSettings:
        """The values of the app's ``MAIL_QUEUE*`` keys."""
        return self.app_access.settings

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The accounts of the app."""
        return self.app_access.accounts

    @property
    def store(self) -> Store:
        """The store, which holds the rows."""
        return self.components.store

    @property
    def engine(self) -> EngineMethods:
        """The engine, which is told that mail waits."""
        return self.components.engine

    # Send mail

    def run_once(self, seconds: float = float("inf")) -> int:
        """Send all mail that is due now, in a test or in a job of another scheduler.

        If the app has several accounts, each gets a thread.

        :param seconds: After this time, no other message is started.
        :return: The number of messages that a worker took.
        :raises QueueError: if the store cannot be used.
        """
        return Worker(self).run_once(seconds)

    def worker(
        self,
        bell: Bell | None = None,
        progress: Callable[[Row], None] | None = None,
        *,
        using: Collection[str] = (),
        max_messages: int | None = None,
    ) -> Worker:
        """Return a worker, to be run in its own thread or process.

        :param bell: Wakes the worker and ends it.
        :param progress: Called with each row after its state has changed.
        :param using: The accounts whose mail it sends; all of the app if there are none.
        :param max_messages: After so many messages the worker ends.
        :raises ConfigurationError: if the app has no such account.
        """
        return Worker(self, bell, progress, using=using, max_messages=max_messages)

    # See the mail, and change it

    def stats(self, *, up_to: int | None = None) -> QueueStats:
        """Return the figures of the queue, for a health check.

        :param up_to: How far to count the messages in each state; by default, all of them, which
            takes the longer the more there are. A count of *up_to* means so many or more.
        :raises QueueError: if the store cannot be used.
        """
        if not self.store.begun:
            return QueueStats({}, 0.0, {})
        now = self.store.now()
        due = [due for account in self.accounts for _, due in self.store.due(account)]
        pauses = {account: self.store.pause(account) for account in self.accounts}
        return QueueStats(
            counts=self.store.counts() if up_to is None else self.store.search.counts(up_to),
            lag=max(0.0, now - min(due, default=now)),
            paused={account: pause.why for account, pause in pauses.items() if pause.until > now},
            down=accounts_down(self.store, self.app_access),
        )

    def health(self, **options: t.Unpack[HealthOptions]) -> QueueHealth:
        """Return whether the queue sends its mail, and if not, what to do: see :doc:`health`.

        Nothing is written, created or started. A store that cannot be used is a finding.

        :param options: The fields of :class:`.HealthOptions`.
        :raises ConfigurationError: if there is no such account or finding.
        """
        from .health.checkup import Checkup

        return self.components.part("checkup", lambda: Checkup(self.components)).run(**options)

    def rows(
        self,
        *,
        state: RowState | str | None = None,
        using: str | None = None,
        older_than: float | None = None,
        tag: str | None = None,
        limit: int = 100,
    ) -> list[Row]:
        """Return messages of the queue, newest first; with *state*, last changed first.

        :param state: Only messages in this state.
        :param using: Only messages of this account.
        :param older_than: Only messages whose state has not changed for this many seconds.
        :param tag: Only messages with this tag.
        :param limit: The maximum number of messages to return.
        """
        if not self.store.begun:
            return []
        return self.store.rows(self._filter(state, using, older_than, tag), limit)

    def get(self, row_id: int) -> Row | None:
        """Return one message, by the number of its ticket; None if it is not there."""
        return self.store.get(row_id) if self.store.begun else None

    def report(self, row: Row) -> Report:
        """Return a report with the message of a row and the outcome of each recipient.

        A recipient that was not tried yet is deferred. A sent message has no text, because its
        content is deleted.

        :raises QueueError: if the row is damaged.
        """
        try:
            return report_of(self.store, row)
        except DamagedRowError as error:
            raise QueueError(f"Row {row.id} is {error.word}: {error}.") from error

    def events(self, row: Row) -> list[Event]:
        """Return what became of the message of a row, the first event first.

        ::

            for event in mail.queue.events(mail.queue.get(ticket.id)):
                print(event)
        """
        history = self.store.history
        found = history.events(message_key(row.app, row.message_id)) if history.ready else []
        return [event for _, event in readable(found)]

    def retry(self, ids: Collection[int]) -> int:
        """Send failed, held, expired and cancelled messages again now.

        They go to every recipient that was not accepted. Waiting messages are sent now as well. The
        pauses of their accounts end.

        :return: The number of messages to be sent.
        """
        return sum(map(self._retry, _pages(ids))) if self.store.begun else 0

    def _retry(self, ids: Sequence[int]) -> int:
        now, age = self.store.now(), self.settings.queue_max_age

        def again(row: Row) -> Row | None:
            if not row.size:
                return None
            try:
                found = outcomes.from_json(row.recipients)
            except DamagedRowError:
                return None  # a damaged row stays as it is
            return transition.again(row, found, now, age)

        changed = self.store.alter(ids, _RETRIED, again)
        for account in {row.account for row in changed}:
            self.store.alter_pause(account, lambda before: Pause())
            self.components.ring(account, now)
        return len(changed)

    def cancel(self, ids: Collection[int]) -> int:
        """Cancel messages that are waiting or held.

        A message that a worker is sending is not stopped.

        :return: The number of cancelled messages.
        """
        return sum(map(self._cancel, _pages(ids))) if self.store.begun else 0

    def _cancel(self, ids: Sequence[int]) -> int:
        now = self.store.now()
        return len(self.store.alter(ids, _CANCELLED, lambda row: transition.cancelled(row, now)))

    def purge(
        self,
        *,
        state: RowState | str | None = None,
        using: str | None = None,
        older_than: float | None = None,
        tag: str | None = None,
    ) -> int:
        """Delete finished messages and their keys.

        :param state: Only messages in this state. Held messages are deleted only if you name
            ``held``.
        :param using: Only messages of this account.
        :param older_than: Only messages whose state has not changed for this many seconds.
        :param tag: Only messages with this tag.
        :return: The number of deleted messages.
        :raises ValueError: for a state in which a message is not finished.
        """
        if not self.store.begun:
            return 0
        wanted = self._filter(state, using, older_than, tag)
        if not wanted.states:
            wanted = dataclasses.replace(wanted, states=FINISHED)
        if not {*wanted.states} <= PURGEABLE:
            raise ValueError(f"Messages that are {state} are not finished: cancel them first.")
        total = 0
        while number := self.store.purge(wanted, _PAGE):
            total += number
        return total

    def _filter(
        self,
        state: RowState | str | None,
        using: str | None,
        older_than: float | None,
        tag: str | None,
    ) -> Filter:
        states = () if state is None else (RowState(str(state)),)
        before = None if older_than is None else self.store.now() - older_than
        return Filter(states, using, before, tag=tag)

    def wake(self) -> None:
        """Let the engine look for mail that an earlier process has left."""
        try:
            self.engine.wake()
        except QueueError as error:
            logger.error("%s", error)

    def close(self) -> None:
        """End the thread and close the file of this process. The queue may be used again."""
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
