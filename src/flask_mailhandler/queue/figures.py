"""The figures of a queue for metrics. Each call reads the store, through its indexes."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

if t.TYPE_CHECKING:
    from .mail_queue import MailQueue


class Figures:
    """The figures of an app's queue.

    :param queue: Returns the queue. Its store is not created to be counted.
    """

    def __init__(self, queue: Callable[[], MailQueue]) -> None:
        self._queue = queue

    def depth(self) -> dict[tuple[str, str], int]:
        """Return the number of unfinished messages by account and state."""
        queue = self._queue()
        if not queue.store.begun:
            return {}
        # An account without waiting messages has a point too, so that a graph goes down to 0.
        found = {(account, "waiting"): 0 for account in queue.accounts}
        found |= {
            (account, str(state)): number
            for (account, state), number in queue.store.unfinished().items()
        }
        return found

    def ages(self) -> dict[str, float]:
        """Return for how many seconds the oldest message of each account has been due."""
        queue = self._queue()
        if not queue.store.begun:
            return {}
        now = queue.store.now()
        return {
            account: max(0.0, now - min((due for _, due in queue.store.due(account)), default=now))
            for account in queue.accounts
        }
