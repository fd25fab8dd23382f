"""The accounts of ``MAIL_FAILOVER`` or ``MAIL_SPREAD``, as a worker uses them.

An account is chosen for each row, within its own rate limit. What the worker finds out about it is
shared with the other workers through the store.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t
from collections.abc import Iterator

from ...handlers.failover import rules
from ...handlers.failover.choice import Choice
from ...handlers.failover.handler import FailoverEmailHandler
from ...handlers.failover.health import Down
from ..outcomes import from_json
from ..outcomes import storable
from ..stored_message import read_options
from ..stores.base import Pause
from .senders import OneSender
from .shared_health import LONGEST_DOWN
from .shared_health import SHARED
from .store_retry import retrying
from .written_again import WrittenAgain

if t.TYPE_CHECKING:
    from ...handlers.base import EmailHandler
    from ...handlers.prepare import Prepared
    from ..app_access import AppAccess
    from ..row import Row
    from ..stores.base import Store
    from .resting import Resting


class GroupSenders(OneSender):
    """The accounts of a group.

    :param resting: What the worker knows about the account that the rows belong to.
    """

    def __init__(
        self,
        handler: FailoverEmailHandler,
        account: str,
        store: Store,
        app_access: AppAccess,
        resting: Resting,
    ) -> None:
        # A message that goes on from one account to another counts for the rate limits of both.
        super().__init__(handler.paced(self))
        self._group = handler
        self._account = account
        self._store = store
        self._app_access = app_access
        self._resting = resting
        self.share()  # before what is stored takes its place
        for name in handler.plan.names:
            self._learn(name)

    def assign(self, prepared: Prepared, row: Row, known_to: str) -> Prepared | None:
        if (job := prepared.job) is None:
            return prepared
        if (choice := self._choose(row, known_to)) is None:
            return None
        # A header for the recipients of the row says too much to those of the staging guard.
        own = {one.recipient for one in from_json(row.recipients)}
        redirected = not own.issuperset(job.envelope.recipients)
        others = {} if redirected else read_options(row).get("others", {})
        again = WrittenAgain(self._group.members, self._names[0], others)
        # As of no account: the order may have changed since the first has written the message.
        return prepared._replace(job=dataclasses.replace(job, account=""), via=choice, again=again)

    def _choose(self, row: Row, known_to: str) -> Choice | None:
        """Return the account for a row; None if its rate limit allows no message now."""
        if known_to:
            found = next(self._known_as(known_to, row.message_id))
            return Choice(found, only=True) if self.enter(found) else None
        choice = self._group.health.choose(self._group.plan)
        assert choice is not None  # a plan is never empty
        if choice.probe:
            self.share()  # so that no other worker tries it at the same time
        if self.enter(choice.account):
            return choice
        self._group.health.give_back(choice)
        self.share()
        return None

    def repeatable(self, account: str, message_id: str) -> tuple[str, float | None]:
        if account not in self._names:
            return "", None
        return self._known_by(account, message_id), self._group.members(account).repeatable

    def recognizes(self, known_to: str, message_id: str) -> bool:
        return known_to != "" and any(self._known_as(known_to, message_id))

    def share(self) -> None:
        for name, state in self._group.health.take_changes().items():
            self._tell(name, state)

    def rest(self) -> float | None:
        states = self._group.health.states()
        if self.others_are_up:
            return None
        return max(1.0, min(states[name].until for name in self._names) - time.monotonic())

    @property
    def others_are_up(self) -> bool:
        states = self._group.health.states()
        return any(name not in states for name in self._names)

    # The rate limits: see handlers/failover/sending

    def limited(self, account: str) -> bool:
        """Whether an account has a rate limit."""
        return bool(self._app_access.accounts[account].rate_limit)

    def enter(self, account: str) -> bool:
        """Count a message for the rate limit of an account, which all workers share. False if the
        limit does not allow it now."""
        limits = self._app_access.accounts[account].rate_limit
        if not limits:
            return True
        number, wait = retrying(
            lambda: self._store.take_rate(account, limits, self._store.now(), 1)
        )
        if not number:
            self._resting.until = time.monotonic() + wait
        return bool(number)

    @property
    def _names(self) -> tuple[str, ...]:
        return self._group.plan.names

    def _known_as(self, known_to: str, message_id: str) -> Iterator[str]:
        """Yield the accounts that recognize a repeat under this name."""
        return (name for name in self._names if self._known_by(name, message_id) == known_to)

    def _known_by(self, account: str, message_id: str) -> str:
        """Return the name under which an account recognizes a repeat. That of the account that the
        rows belong to stays the same if its group is taken away."""
        known = self._group.members(account).known_by(message_id)
        return known if account == self._account or not known else f"{known} of {account}"

    # The state that the workers share

    def _learn(self, name: str) -> None:
        """Take over the state of an account if another worker has changed it."""
        found = retrying(lambda: self._store.pause(SHARED + name))
        if (found.until, found.times) == self._resting.seen.get(name, (0.0, 0)):
            return
        self._resting.seen[name] = found.until, found.times
        self._group.health.learn(name, _down(found, self._store.now()))

    def _tell(self, name: str, state: Down | None) -> None:
        pause = Pause()
        if state is not None:
            left = min(state.until - time.monotonic(), LONGEST_DOWN)
            pause = Pause(self._store.now() + left, state.times, storable(state.why))
        retrying(lambda: self._store.alter_pause(SHARED + name, lambda before: pause))
        self._resting.seen[name] = pause.until, pause.times


def _down(pause: Pause, now: float) -> Down | None:
    """Return the state of an account as this process measures time."""
    if not pause.times:
        return None
    until = time.monotonic() + min(pause.until - now, LONGEST_DOWN)
    return Down(until - rules.pause(pause.times), until, pause.times, pause.why)


def group_senders(
    handler: EmailHandler, account: str, store: Store, app_access: AppAccess, resting: Resting
) -> GroupSenders | None:
    """Return the accounts of a group; None if a test captures their mail."""
    if not isinstance(handler, FailoverEmailHandler):
        return None
    return GroupSenders(handler, account, store, app_access, resting)
