"""A worker in a thread of the process that accepts mail."""

from __future__ import annotations

import functools
import os
import time
import typing as t
from collections.abc import Callable

from ...errors import QueueError
from ...log import logger
from ..row import RowState
from ..worker import Worker
from .background import Background
from .base import Engine

if t.TYPE_CHECKING:
    from flask import Flask

    from ..mail_queue import MailQueue
    from ..parts import Parts
    from ..stats import QueueStats

DRAIN = 10.0
"""Seconds for which the end of the process is put off while there is something to send."""


class ThreadEngine(Engine):
    """Starts a thread when the first message comes, and again after a fork. When the process ends
    in order, what is due is sent, for :data:`DRAIN` seconds at the most; the rest stays in the
    queue, as all of it does when the process is killed."""

    def __init__(self, queue: MailQueue) -> None:
        super().__init__(queue)
        # By process id: a child of a fork has no thread, and perhaps a lock that is held.
        self._running: dict[int, _Running] = {}

    def ring(self, account: str, due: float) -> None:
        """Wake the thread, which keeps the app alive until nothing waits."""
        self._wake(self.queue.app)

    def wake(self) -> None:
        """Start the thread if an earlier process may have left something."""
        if self.queue.store.begun:
            self._wake(None)

    def _wake(self, app: Flask | None) -> None:
        running = self._running.setdefault(
            os.getpid(), _Running(self.queue.parts, self.queue.stats)
        )
        running.keep(app)
        if not running.start():
            logger.warning("The process is ending: mail waits in the queue for the next one.")
        running.bell.ring()

    def close(self) -> None:
        """End the thread after the message in hand."""
        if running := self._running.pop(os.getpid(), None):
            running.stop()


class _Running(Background):
    """The thread of one process."""

    name = "mail-queue"

    def __init__(self, parts: Parts, stats: Callable[[], QueueStats]) -> None:
        super().__init__()
        self._parts = parts
        self._stats = stats
        self._app: Flask | None = None

    def keep(self, app: Flask | None) -> None:
        """Keep an app that has queued mail: a script may forget it, as one that makes it in a
        function does, and its mail would wait for ever."""
        self._app = app or self._app

    def _drained(self) -> None:
        self.bell.if_quiet(functools.partial(setattr, self, "_app", None))

    def run(self) -> None:
        """Send what is due, and what becomes due."""
        Worker(self._parts, self.bell).run(self._drained)

    def at_exit(self) -> None:
        """Let the thread send what is due, for a while."""
        end = time.monotonic() + DRAIN
        self.bell.finish()
        self.join(end - time.monotonic())
        self.stop()
        self._tell_the_rest()
        self._parts.store.close()

    def _tell_the_rest(self) -> None:
        app = self._parts.site.hold()
        if app is None:
            return
        try:
            stats = self._stats()
        except QueueError as error:
            logger.error("%s", error)
            return
        if stats.lag:
            left = stats.counts.get(RowState.WAITING, 0) + stats.counts.get(RowState.CLAIMED, 0)
            logger.warning(
                "%d %s in %s. The next process of the app sends %s, or 'flask mail worker'.",
                left,
                "message waits" if left == 1 else "messages wait",
                self._parts.store,
                "it" if left == 1 else "them",
            )
