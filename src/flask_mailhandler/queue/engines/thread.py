"""A worker in a thread of the process that accepts mail."""

from __future__ import annotations

import atexit
import os
import threading
import time
import typing as t
import weakref
from collections.abc import Sequence

from ...errors import QueueError
from ...log import logger
from ..bell import Bell
from ..row import RowState
from ..store import Filter
from ..worker import Worker
from .base import Engine

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue

DRAIN = 10.0
"""Seconds for which the end of the process is put off while there is something to send."""
_LAST = 2.0
_LISTED = 100


class ThreadEngine(Engine):
    """Starts a thread when the first message comes, and again after a fork. When the process ends
    in order, what is due is sent, for :data:`DRAIN` seconds at the most; the rest stays in the
    queue, as all of it does when the process is killed."""

    def __init__(self, queue: MailQueue) -> None:
        super().__init__(queue)
        # By process id: a child of a fork has no thread, and perhaps a lock that is held.
        self._running: dict[int, _Running] = {}

    def ring(self, ids: Sequence[int], due: float) -> None:
        """Wake the thread."""
        running = self._running.setdefault(os.getpid(), _Running(self.queue))
        running.start()
        running.bell.ring()

    def wake(self) -> None:
        """Start the thread if an earlier process may have left something."""
        if self.queue.store.begun:
            self.ring((), 0.0)

    def close(self) -> None:
        """End the thread after the message in hand."""
        if running := self._running.pop(os.getpid(), None):
            running.stop()


class _Running:
    """The thread of one process."""

    def __init__(self, queue: MailQueue) -> None:
        self._queue = queue
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self.bell: Bell = Bell()

    def start(self) -> None:
        """Start the thread unless it runs."""
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            thread = threading.Thread(target=self._run, name="mail-queue", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                logger.warning("The process is ending: mail waits in the queue for the next one.")
                return
            self._thread = thread
            atexit.register(_drain, weakref.ref(self), os.getpid())

    def _run(self) -> None:
        Worker(self._queue, self.bell).run()

    def drain(self) -> None:
        """Let the thread send what is due, for a while."""
        if self._thread is None:
            return
        end = time.monotonic() + DRAIN
        self.bell.finish()
        self._thread.join(max(0.0, end - time.monotonic()))
        self.stop()
        self._tell_the_rest()
        self._queue.store.close()

    def _tell_the_rest(self) -> None:
        try:
            waiting = self._queue.store.rows(Filter([RowState.WAITING, RowState.CLAIMED]), _LISTED)
        except QueueError as error:
            logger.error("%s", error)
            return
        due = [row.message_id for row in waiting if row.due <= time.time()]
        if due:
            logger.warning("Not sent before the end, and kept in the queue: %s", ", ".join(due))

    def stop(self) -> None:
        """End the thread after the message in hand, or leave it to its fate."""
        self.bell.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_LAST)


def _drain(running: weakref.ref[_Running], process: int) -> None:
    found = running()
    if found is not None and process == os.getpid():
        found.drain()
