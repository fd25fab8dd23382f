"""Telling a broker, and looking out for mail that waits nevertheless: a thread of a process."""

from __future__ import annotations

import atexit
import collections
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
    """Tells the broker, so that nobody who sends mail waits for it; and looks into the store again
    and again: if there is something that somebody should have in hand, it tells the broker once
    more. It sends nothing.

    What needs it: a broker that is gone or forgets, a worker that is killed, mail that is due later
    or is to be tried again, a pause that is over.

    :param tell: Tells the broker; of no numbers, that something waits.
    """

    def __init__(self, queue: MailQueue, tell: Tell) -> None:
        self._queue = queue
        self._tell = tell
        self._bell = Bell()
        # What is left out if the broker is slow is found by a look.
        self._rings: collections.deque[tuple[Sequence[int], float]] = collections.deque(maxlen=1000)
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

    def ring(self, ids: Sequence[int], delay: float) -> None:
        """Have the thread tell the broker."""
        self._rings.append((ids, delay))
        self.start()
        self._bell.ring()

    def _run(self) -> None:
        worker, next_look, stopped = Worker(self._queue), float("-inf"), False
        while not (stopped or self._queue.gone):
            stopped = self._bell.stopped  # what was rung for before is told still
            try:
                while self._rings:
                    self._pass_on(*self._rings.popleft())
                if not stopped and time.monotonic() >= next_look:
                    next_look = time.monotonic() + EVERY
                    self._look(worker)
            except QueueError as error:
                logger.error("%s", error)
            if not stopped:
                self._bell.wait(max(0.0, next_look - time.monotonic()))

    def _pass_on(self, ids: Sequence[int], delay: float) -> None:
        """Tell the broker. After a failure it is left alone for a while."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            self._tell(ids, delay)
        except Exception as error:
            self._quiet_until = time.monotonic() + QUIET
            logger.error("Mail waits in the queue, and its engine could not be told: %s", error)

    def _look(self, worker: Worker) -> None:
        if not self._queue.store.begun:
            return
        worker.watch_clock()
        if self._neglected():
            self._pass_on((), 0.0)
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
        """End the thread when it has told what it was rung for, or leave it to its fate."""
        self._bell.stop()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_LAST)


def _stop(lookout: weakref.ref[Lookout], process: int) -> None:
    found = lookout()
    if found is not None and process == os.getpid():
        found.stop()
