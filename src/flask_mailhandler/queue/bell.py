"""Waking a worker, and ending it."""

from __future__ import annotations

import threading
from collections.abc import Callable

GRACE = 10.0
"""Seconds that a worker which is stopped gives to the message in hand."""


class Bell:
    """What one thread rings and another waits for. A ring that nobody waited for is not lost."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung = False
        self.finishing: bool = False
        """Whether the worker is to end when nothing more is due."""
        self.stopped: bool = False
        """Whether the worker is to end after the message in hand."""
        self.grace: float = GRACE
        """Seconds that a worker which is stopped gives to the message in hand."""

    def ring(self) -> None:
        """Wake the worker."""
        with self._changed:
            self._rung = True
            self._changed.notify_all()

    def finish(self) -> None:
        """Have the worker end when nothing more is due."""
        self.finishing = True
        self.ring()

    def stop(self, grace: float = GRACE) -> None:
        """Have the worker end after the message in hand.

        :param grace: Seconds for that message.
        """
        self.grace = grace
        self.stopped = True
        self.ring()

    def if_quiet(self, action: Callable[[], None]) -> None:
        """Do something unless the bell was rung and nobody has waited for it since; nobody rings
        meanwhile."""
        with self._changed:
            if not self._rung:
                action()

    def wait(self, seconds: float) -> bool:
        """Wait until it is rung, at the longest so many seconds by a clock that nobody sets.
        Whether it was."""
        with self._changed:
            rung = self._changed.wait_for(lambda: self._rung, seconds)
            self._rung = False
        return rung
