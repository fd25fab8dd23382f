"""A worker in a thread of the process that accepts mail."""

from __future__ import annotations

import os
import time
import typing as t
from collections.abc import Sequence

from ...errors import QueueError
from ...log import logger
from ..row import RowState
from ..store import Filter
from ..worker import Worker
from .background import Background
from .base import Engine

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue

DRAIN = 10.0
"""Seconds for which the end of the process is put off while there is something to send."""
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
        if not running.start():
            logger.warning("The process is ending: mail waits in the queue for the next one.")
        running.bell.ring()

    def wake(self) -> None:
        """Start the thread if an earlier process may have left something."""
        if self.queue.store.begun:
            self.ring((), 0.0)

    def close(self) -> None:
        """End the thread after the message in hand."""
        if running := self._running.pop(os.getpid(), None):
            running.stop()


class _Running(Background):
    """The thread of one process."""

    name = "mail-queue"

    def __init__(self, queue: MailQueue) -> None:
        super().__init__()
        self._queue = queue

    def run(self) -> None:
        """Send what is due, and what becomes due."""
        Worker(self._queue, self.bell).run()

    def at_exit(self) -> None:
        """Let the thread send what is due, for a while."""
        end = time.monotonic() + DRAIN
        self.bell.finish()
        self.join(end - time.monotonic())
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
