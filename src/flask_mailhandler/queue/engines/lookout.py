"""Looking out for mail that waits although its bell was rung, in a thread of a process."""

from __future__ import annotations

import atexit
import os
import threading
import time
import typing as t
import weakref
from collections.abc import Callable
from collections.abc import Sequence

from ...errors import QueueError
from ...log import logger
from ..bell import Bell
from ..worker import LEASE
from ..worker import Worker

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue

Tell: t.TypeAlias = "Callable[[Sequence[int], float], None]"

EVERY = 10.0
"""Seconds between two looks."""
LATE = 5.0
"""Seconds for which a bell may be on its way."""
QUIET = 30.0
"""Seconds for which a broker that could not be told is left alone."""
_LAST = 2.0


class Lookout:
    """Looks into the store again and again. If there is something that somebody should have in
    hand, it tells the broker once more. It sends nothing.

    What needs it: a broker that forgets, a worker that is killed, mail that is due later or is to
    be tried again, a pause that is over.

    :param tell: Tells the broker; of no numbers, that something waits.
    """

    def __init__(self, queue: MailQueue, tell: Tell) -> None:
        self._queue = queue
        self._tell = tell
        self._bell = Bell()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._quiet_until = float("-inf")

    def start(self) -> None:
        """Start the thread unless it runs."""
        with self._starting:
            if self._thread is not None and self._thread.is_alive():
                return
            thread = threading.Thread(target=self._run, name="mail-queue-lookout", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # The process is ending: another one looks out.
            self._thread = thread
            atexit.register(_stop, weakref.ref(self), os.getpid())

    def tell(self, ids: Sequence[int], delay: float) -> None:
        """Tell the broker. After a failure it is left alone for a while, for a view must not wait
        for it again and again: the mail is found by the next look."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            self._tell(ids, delay)
        except Exception:
            self._quiet_until = time.monotonic() + QUIET
            raise

    def _run(self) -> None:
        worker = Worker(self._queue)
        while not (self._bell.stopped or self._queue.gone):
            try:
                self._look(worker)
            except QueueError as error:
                logger.error("%s", error)
            except Exception as error:
                logger.error("Mail waits, and its engine could not be told: %s", error)
            self._bell.wait(EVERY)

    def _look(self, worker: Worker) -> None:
        if not self._queue.store.begun:
            return
        worker.watch_clock()
        if self._neglected():
            self.tell((), 0.0)
        worker.sweep()

    def _neglected(self) -> bool:
        """Whether something should be in somebody's hand and is not."""
        store, now = self._queue.store, time.time()
        if store.lost(now, 2 * LEASE):
            return True
        return any(
            due < now - LATE
            for account in self._queue.accounts
            if store.pause(account).until <= now
            for _, due in store.due(account)
        )

    def stop(self) -> None:
        """End the thread, or leave it to its fate."""
        self._bell.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_LAST)


def _stop(lookout: weakref.ref[Lookout], process: int) -> None:
    found = lookout()
    if found is not None and process == os.getpid():
        found.stop()
