"""Keeping to a rate limit."""

from __future__ import annotations

import collections
import threading
import time
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ..config import Limits

T = t.TypeVar("T")


class Pace:
    """Lets through as many as the limits allow in any stretch of time, from any thread.

    :param limits: ``((14, 1.0), (500, 3600.0))``: 14 in each second, and 500 in each hour.
    """

    def __init__(self, limits: Limits) -> None:
        self._counting = threading.Lock()
        self._windows = [(collections.deque[float](maxlen=number), span) for number, span in limits]

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self._windows)

    def pause(self) -> float:
        """Seconds to wait until the next may pass."""
        now = time.monotonic()
        waits = (
            window[0] + span - now for window, span in self._windows if len(window) == window.maxlen
        )
        return max((wait for wait in waits if wait > 0), default=0.0)

    def wait(self) -> None:
        """Wait until the next may pass, and count it."""
        # In the caller's own thread, which nobody else is to wake: a signal does. A worker of the
        # queue does not come here; it gives rows back, and waits for its bell.
        while pause := self._count():
            time.sleep(pause)

    def each(self, items: Iterable[T]) -> Iterator[T]:
        """Give each as soon as it may pass."""
        for item in items:
            self.wait()
            yield item

    def _count(self) -> float:
        """Count one if it may pass now; else return the seconds to wait."""
        with self._counting:
            if pause := self.pause():
                return pause
            for window, _ in self._windows:
                window.append(time.monotonic())
            return 0.0
