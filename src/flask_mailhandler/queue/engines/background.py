"""A thread of one process, started when it is needed and ended with the process."""

from __future__ import annotations

import abc
import atexit
import os
import threading
import typing as t
import weakref

from ..bell import Bell

_LAST = 2.0


class Background(abc.ABC):
    """What is done beside the app, until its bell says stop."""

    name: t.ClassVar[str]
    """The thread's."""

    def __init__(self) -> None:
        self.bell: Bell = Bell()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @abc.abstractmethod
    def run(self) -> None:
        """What the thread does."""

    def start(self) -> bool:
        """Start the thread unless it runs.

        :return: Whether it runs: at the end of the process none can be started.
        """
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return True
            thread = threading.Thread(target=self.run, name=self.name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return False
            self._thread = thread
            atexit.register(_at_exit, weakref.ref(self), os.getpid())
            return True

    def at_exit(self) -> None:
        """The process that has started the thread ends in order."""
        self.stop()

    def stop(self) -> None:
        """End the thread after what it has in hand, or leave it to its fate."""
        self.bell.stop()
        self.join(_LAST)

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, seconds))


def _at_exit(background: weakref.ref[Background], process: int) -> None:
    found = background()
    if found is not None and process == os.getpid():
        found.at_exit()
