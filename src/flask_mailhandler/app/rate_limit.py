"""The rate limit of an account, within one process."""

from __future__ import annotations

import collections
import threading
import time
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ..config import Limits

T = t.TypeVar("T")


class RateLimit:
    """Lets through as many items as the limits allow in any period, from any thread.

    :param limits: ``((14, 1.0), (500, 3600.0))``: 14 in each second, and 500 in each hour.
    """

    def __init__(self, limits: Limits) -> None:
        self._counting = threading.Lock()
        self._windows = [(collections.deque[float](maxlen=number), span) for number, span in limits]

    @property
    def limited(self) -> bool:
        """Whether any limit is set."""
        return bool(self._windows)

    def delay(self) -> float:
        """Return the seconds until the next item may pass."""
        now = time.monotonic()
        waits = (
            window[0] + span - now for window, span in self._windows if len(window) == window.maxlen
        )
        return max((wait for wait in waits if wait > 0), default=0.0)

    def wait(self) -> None:
        """Wait until the next item may pass, and count it."""
        # This sleeps in the caller's own thread, which only a signal wakes. A worker of the queue
        # never waits here: it gives rows back, and waits for its bell.
        while delay := self._count():
            time.sleep(delay)

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """Yield each item as soon as it may pass."""
        for item in items:
            self.wait()
            yield item

    def _count(self) -> float:
        """Count an item if it may pass now; else return the seconds to wait."""
        with self._counting:
            if delay := self.delay():
                return delay
            for window, _ in self._windows:
                window.append(time.monotonic())
            return 0.0
