"""How many messages a worker may still begin, for ``flask mail worker --max-messages``."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Allowance:
    """The messages that the threads of one worker may begin together.

    A thread takes as many as it wants to claim, and gives back those that it did not begin.

    :param number: How many messages; any number if it is None.
    :param used: Called when the last message is done.
    """

    def __init__(self, number: int | None, used: Callable[[], None]) -> None:
        self._left = float("inf") if number is None else number
        self._undone = self._left
        self._used = used
        self._changing = threading.Lock()

    @property
    def empty(self) -> bool:
        """Whether a thread can take no message now. A thread may still give some back."""
        return self._left <= 0

    def take(self, wanted: int) -> int:
        """Return how many messages may be claimed, up to *wanted*."""
        with self._changing:
            number = wanted if self._left >= wanted else int(self._left)
            self._left -= number
        return number

    def settle(self, taken: int, done: int) -> None:
        """Record how many of the *taken* messages were begun, and give back the others."""
        with self._changing:
            self._left += taken - done
            self._undone -= done
            over = self._undone <= 0
        if over:
            self._used()

    def __repr__(self) -> str:
        return f"<Allowance {self._left} left>"
