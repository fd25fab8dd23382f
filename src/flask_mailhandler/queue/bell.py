"""The bell: wake a worker, or end it."""

from __future__ import annotations

import threading
from collections.abc import Callable

GRACE = 10.0
"""Seconds that a stopped worker has for the message it is sending."""


class Bell:
    """One thread rings it and another waits for it. A ring before the wait is not lost.

    .. code-block:: python

        bell = Bell()
        worker = mail.queue.worker(bell)
        threading.Thread(target=worker.run).start()
        bell.stop()
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung = False
        self.finishing: bool = False
        """Whether the worker ends when no more mail is due."""
        self.stopped: bool = False
        """Whether the worker ends after the message it is sending."""
        self.grace: float = GRACE
        """Seconds that a stopped worker has for the message it is sending."""

    def ring(self) -> None:
        """Wake the worker."""
        with self._changed:
            self._rung = True
            self._changed.notify_all()

    def finish(self) -> None:
        """End the worker when no more mail is due."""
        self.finishing = True
        self.ring()

    def stop(self, grace: float = GRACE) -> None:
        """End the worker after the message it is sending.

        :param grace: Seconds it has for that message.
        """
        self.grace = grace
        self.stopped = True
        self.ring()

    def if_quiet(self, action: Callable[[], None]) -> None:
        """Call a function, unless the bell has rung since the last wait.

        No thread can ring the bell meanwhile.
        """
        with self._changed:
            if not self._rung:
                action()

    def wait(self, seconds: float) -> bool:
        """Wait until the bell rings, for *seconds* of the monotonic clock at most.

        :return: Whether it rang.
        """
        with self._changed:
            rung = self._changed.wait_for(lambda: self._rung, seconds)
            self._rung = False
        return rung
