"""The base of the engines whose workers hear of mail through a broker.

::

    send_later ── row ── tell ──▶ broker ──▶ job, on some machine ── answer ──▶ Worker.turn
                   ▲                                                              │
                   ├ lookout: tells again of due mail that no worker is sending   │
                   └──────────────── tells again if more mail is due ─────────────┘

The broker carries the name of an account, and no row: a turn sends the most urgent mail. The store
records that a ring is under way, so a broker never has more than one ring for each account.
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
"""The name of the task in the brokers."""
EXPIRES = 600
"""Seconds after which a ring is useless, because the lookout has found the mail by then."""
TURN = 1.25
"""Seconds for which a job begins messages. The worker has other jobs, and is told again if more
mail is due. It is longer than the wait for a limit of so many messages a second."""
STAY = 3.0
"""Seconds after which a job leaves a message to its thread, so that the worker can run other jobs
while a server hangs."""


class BrokerEngine(Engine):
    """Tells a broker, and looks for mail that the broker has forgotten.

    A subclass implements :meth:`tell`.
    """

    stay: float = STAY
    """Seconds for which :meth:`answer` waits for a server that hangs. ``float("inf")`` if each job
    has a process of its own."""

    def __init__(self, queue: MailQueue) -> None:
        super().__init__(queue)
        # By process id: the child of a fork has no thread, and may have a lock that is held.
        self._lookouts: dict[int, Lookout] = {}
        self._workers: dict[int, Worker] = {}

    @property
    def time_limit(self) -> float:
        """Seconds that a job may take: a turn, and one message of the longest duration."""
        return TURN + self.queue.settings.queue_timeout + 60

    def tell(self, account: str) -> None:
        """Let a worker of the broker call :meth:`answer` with this name.

        If this raises, the error is logged and it is called again later.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement tell().")

    def answer(self, account: str) -> None:
        """Send the most urgent mail for about a second.

        The broker's job calls it. If more mail is due then, the broker is told again.

        :raises QueueError: if the store cannot be used.
        """
        self.queue.store.answer(account)
        worker, began, taken = self._worker(), time.monotonic(), 0
        try:
            taken = worker.turn(TURN, self.stay)
        finally:
            self._tell_of_the_rest(worker, taken > 0 or time.monotonic() - began > TURN / 2)

    def _tell_of_the_rest(self, worker: Worker, busy: bool) -> None:
        """Tell the broker of mail that is still due.

        This thread does it, because the process may end with the job.

        :param busy: Whether the turn had mail to send. If it had not, its threads are stuck or
            other transactions have locked the rows. The lookouts tell the broker of that mail,
            because jobs that are told at once would follow each other without a rest.
        """
        try:
            for account, wait in [*worker.due.left()]:
                if busy or wait:
                    self._lookout().pass_on(account, wait)
        except QueueError as error:
            logger.error("%s", error)

    def _worker(self) -> Worker:
        """Return the worker of this process. It may be sending when no job runs."""
        process = os.getpid()
        if (found := self._workers.get(process)) is None:
            found = self._workers.setdefault(process, Worker(self.queue))
            weakref.finalize(self, int).detach()  # see Background.start
            atexit.register(_at_exit, weakref.ref(self), process)
        return found

    def stop(self) -> None:
        """End the worker of this process after the messages it is sending.

        Called when the broker's worker shuts down.
        """
        if worker := self._workers.pop(os.getpid(), None):
            worker.bell.stop()
            worker.threads.end(worker.bell.grace)

    def ring(self, account: str, due: float) -> None:
        """Let the lookout tell the broker."""
        self._lookout().ring(account)

    def wake(self) -> None:
        """Look for mail that an earlier process has left."""
        if self.queue.store.begun:
            self._lookout().start()

    def boot(self) -> None:
        """Start the lookout in a process of a broker's worker, before the first message."""
        self._lookout().start()

    def close(self) -> None:
        """End the thread, after it has told the broker of every ring so far."""
        if lookout := self._lookouts.pop(os.getpid(), None):
            lookout.stop()
        self.stop()

    def _lookout(self) -> Lookout:
        return self._lookouts.setdefault(os.getpid(), Lookout(self.queue.components, self.tell))


def _at_exit(engine: weakref.ref[BrokerEngine], process: int) -> None:
    found = engine()
    if found is not None and process == os.getpid():
        found.stop()
