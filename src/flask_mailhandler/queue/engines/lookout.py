"""Telling a broker, and looking out for mail that waits nevertheless: a thread of a process."""

from __future__ import annotations

import collections
import time
import typing as t
from collections.abc import Callable
from collections.abc import Sequence

from ...errors import QueueError
from ...log import logger
from ..worker import LEASE
from ..worker import Worker
from .background import Background

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue

Tell: t.TypeAlias = "Callable[[Sequence[int], float], None]"

EVERY = 10.0
"""Seconds between two looks."""
LATE = 5.0
"""Seconds for which a bell may be on its way."""
QUIET = 30.0
"""Seconds for which a broker that could not be told is left alone."""


class Lookout(Background):
    """Tells the broker, so that nobody who sends mail waits for it; and looks into the store again
    and again: if there is something that somebody should have in hand, it tells the broker once
    more. It sends nothing.

    What needs it: a broker that is gone or forgets, a worker that is killed, mail that is due later
    or is to be tried again, a pause that is over.

    :param tell: Tells the broker; of no numbers, that something waits.
    """

    name = "mail-queue-lookout"

    def __init__(self, queue: MailQueue, tell: Tell) -> None:
        super().__init__()
        self._queue = queue
        self._tell = tell
        # What is left out if the broker is slow is found by a look.
        self._rings: collections.deque[tuple[Sequence[int], float]] = collections.deque(maxlen=1000)
        self._quiet_until = float("-inf")

    def ring(self, ids: Sequence[int], delay: float) -> None:
        """Have the thread tell the broker."""
        self._rings.append((ids, delay))
        self.start()
        self.bell.ring()

    def run(self) -> None:
        """Pass on what was rung for, and look."""
        worker, next_look, stopped = Worker(self._queue), float("-inf"), False
        while not (stopped or self._queue.gone):
            stopped = self.bell.stopped  # what was rung for before is told still
            try:
                while self._rings:
                    self._pass_on(*self._rings.popleft())
                if not stopped and time.monotonic() >= next_look:
                    next_look = time.monotonic() + EVERY
                    self._look(worker)
            except QueueError as error:
                logger.error("%s", error)
            if not stopped:
                self.bell.wait(max(0.0, next_look - time.monotonic()))

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
