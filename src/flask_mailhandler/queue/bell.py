"""Waking a worker, and ending it."""

from __future__ import annotations

import threading


class Bell:
    """What one thread rings and another waits for. A ring that nobody waited for is not lost."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung = False
        self.finishing: bool = False
        """Whether the worker is to end when nothing more is due."""
        self.stopped: bool = False
        """Whether the worker is to end after the message in hand."""

    def ring(self) -> None:
        """Wake the worker."""
        with self._changed:
            self._rung = True
            self._changed.notify_all()

    def finish(self) -> None:
        """Have the worker end when nothing more is due."""
        self.finishing = True
        self.ring()

    def stop(self) -> None:
        """Have the worker end after the message in hand."""
        self.stopped = True
        self.ring()

    def wait(self, seconds: float) -> None:
        """Wait until it is rung, at the longest so many seconds by a clock that nobody sets."""
        with self._changed:
            self._changed.wait_for(lambda: self._rung, seconds)
            self._rung = False
