"""A thread of one process, started when it is needed and ended with the process.

At the end of the interpreter, the hooks of ``atexit`` run in this order, the last registered first:

1.  hooks that the app has registered since, which may still queue mail;
2.  :meth:`Background.at_exit`: the queue's thread sends due mail, and a broker is told;
3.  the finalizers: connections to mail servers and the file of the queue are closed.

Up to Python 3.12, multiprocessing ends a child that it has forked with ``os._exit``, without these
hooks. There, ``multiprocessing.util`` calls :meth:`Background.at_exit`. granian's workers are such
children.
"""

from __future__ import annotations

import abc
import atexit
import os
import sys
import threading
import typing as t
import weakref

from .. import threads
from ..bell import Bell

_LAST = 2.0


class Background(abc.ABC):
    """A thread that runs next to the app until its bell stops it."""

    name: t.ClassVar[str]
    """The name of the thread."""

    def __init__(self) -> None:
        self.bell: Bell = Bell()
        # A signal handler may log, or send, while Thread.start waits.
        self._starting = threading.RLock()
        self._is_starting = False
        self._thread: threading.Thread | None = None

    @abc.abstractmethod
    def run(self) -> None:
        """Do the work of the thread."""

    def start(self) -> bool:
        """Start the thread unless it is running.

        :return: Whether it is running. At the end of the process it cannot be started.
        """
        with self._starting:
            if self._is_starting or (self._thread is not None and self._thread.is_alive()):
                return True
            self._is_starting = True
            try:
                thread = threads.start(self.run, self.name)
            finally:
                self._is_starting = False
            if thread is None:
                return False
            self._thread = thread
            # Finalizers close files and connections. They share one hook, which is registered with
            # the first of them. Register it before ours, so that it runs after ours.
            weakref.finalize(self, int).detach()
            self.register_at_exit()
            return True

    def register_at_exit(self) -> None:
        """Let :meth:`at_exit` be called before all hooks that are registered already."""
        atexit.register(_at_exit, weakref.ref(self), os.getpid())
        if _is_without_atexit():
            from multiprocessing.util import Finalize

            Finalize(self, _at_exit, (weakref.ref(self), os.getpid()), exitpriority=0)

    def at_exit(self) -> None:
        """End the work of the thread. Called when the process that started it ends in order."""
        self.stop()

    def stop(self) -> None:
        """End the thread after its current work, and wait for it for a short time."""
        self.bell.stop(_LAST / 2)
        self.join(_LAST)

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, seconds))


def _is_without_atexit() -> bool:
    """Whether this process is a child that multiprocessing ends without the hooks of atexit."""
    multiprocessing = sys.modules.get("multiprocessing")
    return (
        sys.version_info < (3, 13)
        and multiprocessing is not None
        and multiprocessing.parent_process() is not None
        and multiprocessing.get_start_method(allow_none=True) != "spawn"
    )


def _at_exit(background: weakref.ref[Background], process: int) -> None:
    found = background()
    if found is not None and process == os.getpid():
        found.at_exit()
