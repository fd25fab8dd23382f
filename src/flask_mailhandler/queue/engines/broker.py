"""What engines have in common whose workers run elsewhere, and get the ring by a broker.

::

    send_later ── row ── tell ──▶ broker ──▶ worker, on some machine ── answer ──▶ a turn
                   ▲                                                              │
                   ├ lookout: tells once more of what nobody has in hand          │
                   └──────────────── tells again, if more is due ─────────────────┘

The broker carries the name of an account, and no numbers: a turn sends what is most urgent then.
The store notes that a ring is under way, so that a broker never has more than one for each account.
"""

from __future__ import annotations

import atexit
import os
import time
import typing as t
import weakref

from ...errors import QueueError
from ...log import logger
from ..worker import Worker
from .base import Engine
from .lookout import Lookout

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue

TASK = "flask_mailhandler.send"
"""What the brokers call the task."""
EXPIRES = 600
"""Seconds after which nobody needs to hear a ring: the mail has been found by then."""
TURN = 1.25
"""Seconds for which a worker begins messages when it is told: it has other things to do, and is
told again if more is due. Longer than a limit of so many a second has it wait."""
STAY = 3.0
"""Seconds after which a worker leaves a server that hangs to a thread, and goes on with its
jobs."""


class BrokerEngine(Engine):
    """Tells a broker, and looks out for what it has forgotten. A subclass writes :meth:`tell`."""

    stay: float = STAY
    """Seconds for which :meth:`answer` waits for a server that hangs. ``float("inf")`` where the
    process of a job ends with it."""

    def __init__(self, queue: MailQueue) -> None:
        super().__init__(queue)
        # By process id: a child of a fork has no thread, and perhaps a lock that is held.
        self._lookouts: dict[int, Lookout] = {}
        self._workers: dict[int, Worker] = {}

    @property
    def time_limit(self) -> float:
        """Seconds that a job may take: a turn, and a message in hand that takes as long as it
        may."""
        return TURN + self.queue.settings.queue_timeout + 60

    def tell(self, account: str) -> None:
        """Have a worker call :meth:`answer` with this name. What this raises is logged, and it is
        called again some time later."""
        raise NotImplementedError(f"{type(self).__name__} must implement tell().")

    def answer(self, account: str) -> None:
        """Send what is most urgent, for a second: what a worker of the broker does when it was
        told. If more is due, it is told again.

        :raises QueueError: if the store cannot be used.
        """
        self.queue.store.answer(account)
        worker, began, taken = self._worker(), time.monotonic(), 0
        try:
            taken = worker.turn(TURN, self.stay)
        finally:
            self._tell_of_the_rest(worker, taken > 0 or time.monotonic() - began > TURN / 2)

    def _tell_of_the_rest(self, worker: Worker, busy: bool) -> None:
        """Have the broker told of what is due still, by this thread: the process of the job may end
        with it.

        :param busy: Whether the turn had anything to do. What it could not do, because its threads
            are stuck or others have locked the rows, is left to the lookouts: told at once, jobs
            would follow each other without a rest.
        """
        try:
            for account, wait in [*worker.left()]:
                if busy or wait:
                    self._lookout().pass_on(account, wait)
        except QueueError as error:
            logger.error("%s", error)

    def _worker(self) -> Worker:
        """That of this process, which may have messages in hand when no job runs."""
        process = os.getpid()
        if (found := self._workers.get(process)) is None:
            found = self._workers.setdefault(process, Worker(self.queue))
            weakref.finalize(self, int).detach()  # see Background.start
            atexit.register(_at_exit, weakref.ref(self), process)
        return found

    def stop(self) -> None:
        """End the turns of this process after the messages in hand: its worker is shut down."""
        if worker := self._workers.pop(os.getpid(), None):
            worker.bell.stop()
            worker.threads.end(worker.bell.grace)

    def ring(self, account: str, due: float) -> None:
        """Have the broker told."""
        self._lookout().ring(account)

    def wake(self) -> None:
        """Look out for what an earlier process has left."""
        if self.queue.store.begun:
            self._lookout().start()

    def boot(self) -> None:
        """Look out in a process of a worker, which may be there before the first mail."""
        self._lookout().start()

    def close(self) -> None:
        """End the thread, when it has told what it was rung for."""
        if lookout := self._lookouts.pop(os.getpid(), None):
            lookout.stop()
        self.stop()

    def _lookout(self) -> Lookout:
        return self._lookouts.setdefault(os.getpid(), Lookout(self.queue.parts, self.tell))


def _at_exit(engine: weakref.ref[BrokerEngine], process: int) -> None:
    found = engine()
    if found is not None and process == os.getpid():
        found.stop()
