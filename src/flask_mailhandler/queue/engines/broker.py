"""What engines have in common whose workers run elsewhere, and get the ring by a broker.

::

    send_later ── row ── tell ──▶ broker ──▶ worker, on some machine ── answer ──▶ claims the row
                   ▲
                   └ lookout: tells once more of what nobody has in hand
"""

from __future__ import annotations

import os
import time
import typing as t
from collections.abc import Sequence

from ..worker import BATCH
from .base import Engine
from .lookout import Lookout

if t.TYPE_CHECKING:
    from ..mail_queue import MailQueue

TASK = "flask_mailhandler.send"
"""What the brokers call the task."""
LONGEST_DELAY = 600.0
"""Seconds for which a broker is asked to hold a ring back. What is due later is found by a look
at the store: some brokers repeat what they have held for long."""
EXPIRES = 600
"""Seconds after which nobody needs to hear a ring: the mail has been found by then."""
TIME_LIMIT = 3600
"""Seconds that a worker may take for a ring."""
_TURN = 60.0


class BrokerEngine(Engine):
    """Tells a broker, and looks out for what it has forgotten. A subclass writes :meth:`tell`."""

    def __init__(self, queue: MailQueue) -> None:
        super().__init__(queue)
        # By process id: a child of a fork has no thread, and perhaps a lock that is held.
        self._lookouts: dict[int, Lookout] = {}

    def tell(self, ids: Sequence[int], delay: float) -> None:
        """Have a worker call :meth:`answer`. What this raises is logged.

        :param ids: The numbers of rows; none, if it is to look for itself.
        :param delay: Seconds to wait before.
        """
        raise NotImplementedError(f"{type(self).__name__} does not write tell().")

    def answer(self, ids: Sequence[int]) -> None:
        """Send those that are due of these rows, or of no numbers whatever is due, for a minute:
        a worker has other things to do, and if more is due it is told again.

        :raises QueueError: if the store cannot be used.
        """
        if ids:
            self.queue.run_these(ids)
        else:
            self.queue.run_once(_TURN)

    def ring(self, ids: Sequence[int], due: float) -> None:
        """Have the broker told, of few rows at a time, so that several workers share many."""
        lookout = self._lookout()
        delay = max(0.0, due - time.time())
        if delay > LONGEST_DELAY:
            lookout.start()
            return
        for first in range(0, len(ids), BATCH):
            lookout.ring(ids[first : first + BATCH], delay)

    def wake(self) -> None:
        """Look out for what an earlier process has left."""
        if self.queue.store.begun:
            self._lookout().start()

    def close(self) -> None:
        """End the thread, when it has told what it was rung for."""
        if lookout := self._lookouts.pop(os.getpid(), None):
            lookout.stop()

    def _lookout(self) -> Lookout:
        return self._lookouts.setdefault(os.getpid(), Lookout(self.queue, self.tell))
