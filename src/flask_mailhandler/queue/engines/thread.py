"""The engine "thread": a worker in a thread of the process that queues mail."""

from __future__ import annotations

import functools
import os
import time
import typing as t
from collections.abc import Callable

from ...app.framework import framework_of
from ...errors import QueueError
from ...log import logger
from ..row import RowState
from ..worker import Worker
from .background import Background
from .base import Engine

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..components import Components
    from ..mail_queue import MailQueue
    from ..stats import QueueStats

_LEFT = "%d %s in %s. The next process of the app sends %s, or 'flask mail worker'."
DRAIN = 10.0
"""Seconds for which the end of the process is put off while mail is due."""


class ThreadEngine(Engine):
    """Starts a thread for the first message, and again after a fork.

    When the process ends in order, due mail is sent for at most :data:`DRAIN` seconds. The rest
    stays in the queue, and so does all mail when the process is killed.
    """

    def __init__(self, queue: MailQueue) -> None:
        super().__init__(queue)
        # By process id: the child of a fork has no thread, and may have a lock that is held.
        self._running: dict[int, _Running] = {}

    def ring(self, account: str, due: float) -> None:
        """Wake the thread, which keeps the app alive until no mail waits."""
        self._wake(self.queue.app)

    def wake(self) -> None:
        """Start the thread if an earlier process may have left mail."""
        if self.queue.store.begun:
            self._wake(None)

    def _wake(self, app: App | None) -> None:
        running = self._running.setdefault(
            os.getpid(), _Running(self.queue.components, self.queue.stats)
        )
        running.keep(app)
        if not running.start():
            logger.warning(
                "The process is ending. Its mail stays in the queue for the next process."
            )
        running.bell.ring()

    def drain(self) -> None:
        """Send due mail for a while, and end the thread."""
        if running := self._running.pop(os.getpid(), None):
            running.at_exit()

    def close(self) -> None:
        """End the thread after the message that it is sending."""
        if running := self._running.pop(os.getpid(), None):
            running.stop()


class _Running(Background):
    """The thread of one process.

    :param stats: Returns the figures of the queue.
    """

    name = "mail-queue"

    def __init__(self, components: Components, stats: Callable[[], QueueStats]) -> None:
        super().__init__()
        self._components = components
        self._stats = stats
        self._app: App | None = None
        self._worker: Worker | None = None

    def keep(self, app: App | None) -> None:
        """Keep alive an app that has queued mail.

        A script that creates its app in a function drops it afterwards, and the mail would wait
        forever.
        """
        self._app = app or self._app

    def _drained(self) -> None:
        self.bell.if_quiet(functools.partial(setattr, self, "_app", None))

    def run(self) -> None:
        """Send mail that is due, and mail that becomes due."""
        self._worker = Worker(self._components, self.bell)
        self._worker.run(self._drained)

    def at_exit(self) -> None:
        """Let the thread send due mail for a while."""
        end = time.monotonic() + DRAIN
        self.bell.finish()
        self.join(end - time.monotonic())
        self.stop()
        if self._worker is not None:
            # A thread that hangs has not given its rows back. They would not count as waiting.
            self._worker.threads.end(0.0)
        self._log_the_rest()
        self._components.store.close()

    def _log_the_rest(self) -> None:
        app = self._components.app_access.hold()
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
                framework_of(app).wording(_LEFT),
                left,
                "message waits" if left == 1 else "messages wait",
                self._components.store,
                "it" if left == 1 else "them",
            )
