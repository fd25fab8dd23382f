"""Which accounts have mail that is due, and how long the others must wait."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator

from .resting import Resting

if t.TYPE_CHECKING:
    from ..app_access import AppAccess
    from ..stores.base import Store


class DueAccounts:
    """The accounts of an app, as one worker sees them.

    An account may send if it has due mail, no thread, no pause in the store, and has not used up
    its rate limit.

    :param accounts: The accounts to look at.
    :param busy: Returns the accounts that have a thread.
    """

    def __init__(
        self,
        store: Store,
        app_access: AppAccess,
        accounts: Collection[str],
        busy: Callable[[], Collection[str]],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._app_access = app_access
        self._busy = busy
        self._resting: dict[str, Resting] = {}
        self._begun: dict[str, float] = {}

    def next(self) -> Iterator[str]:
        """Yield the accounts that have due mail and no thread.

        They come by priority, and then the one first that had a thread least recently.
        """
        now = self._store.now()
        candidates = [
            (priority, self._begun.get(account, 0.0), due, account)
            for account in self._awake(now)
            if self.resting(account).until <= time.monotonic()
            for priority, due in self._due(account)
            if due <= now
        ]
        yield from dict.fromkeys(account for *_, account in sorted(candidates))

    def _awake(self, now: float) -> Iterator[str]:
        for account in self._accounts:
            if account not in self._busy() and self._store.pause(account).until <= now:
                yield account

    def _due(self, account: str) -> list[tuple[int, float]]:
        return self._store.due(account, self._app_access.origin(account))

    def resting(self, account: str) -> Resting:
        """Return what the worker knows about an account, besides what is in the store."""
        return self._resting.setdefault(account, Resting())

    def waits(self) -> Iterator[float]:
        """Yield the seconds until each account with waiting mail may send it.

        :raises QueueError: if the store cannot be used.
        """
        now = self._store.now()
        for account in self._accounts:
            if account not in self._busy() and (found := self._due(account)):
                yield max(
                    min(due for _, due in found) - now,
                    self._store.pause(account).until - now,
                    self.resting(account).until - time.monotonic(),
                )

    def rate_rest(self) -> float:
        """Return the seconds until the first account may send again after its rate limit."""
        now = time.monotonic()
        rests = (rest.until - now for rest in self._resting.values() if rest.until > now)
        return min(rests, default=float("inf"))

    def left(self) -> Iterator[tuple[str, float]]:
        """Yield each account that has due mail and no thread, and the seconds until it may send.

        :raises QueueError: if the store cannot be used.
        """
        now = self._store.now()
        for account in self._awake(now):
            if any(due <= now for _, due in self._due(account)):
                yield account, max(0.0, self.resting(account).until - time.monotonic())

    def begin(self, account: str) -> None:
        """Record that an account gets a thread, for its turn among the others."""
        self._begun[account] = time.monotonic()

    def __repr__(self) -> str:
        return f"<DueAccounts of {', '.join(self._accounts)}>"
