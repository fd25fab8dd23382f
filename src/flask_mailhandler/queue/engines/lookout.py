"""Telling a broker, and looking out for mail that waits nevertheless: a thread of a process."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable

from ...errors import QueueError
from ...log import logger
from ..stores.base import LONGEST_RING
from ..worker import Worker
from .background import Background

if t.TYPE_CHECKING:
    from flask import Flask

    from ..parts import Parts

Tell: t.TypeAlias = "Callable[[str], None]"

EVERY = 2.0
"""Seconds between two looks."""
UNDER_WAY = 10.0
"""Seconds after which a ring that nobody has answered is believed lost."""
QUIET = 1.0
"""Seconds for which a broker that could not be told is left alone; doubled each time."""
LONGEST_QUIET = 15.0
SOON = 1.1
"""Seconds for which a worker that is told waits for a rate limit: less than its turn lasts."""


class Lookout(Background):
    """Tells the broker, so that nobody who sends mail waits for it; and looks into the store again
    and again: if mail is due that nobody was told of, it tells the broker. It sends nothing.

    What needs it: a broker that is gone or forgets, a worker that is killed, mail that is due later
    or is to be tried again, a pause or a rate limit that is over.

    :param tell: Tells the broker that mail of an account waits.
    """

    name = "mail-queue-lookout"

    def __init__(self, parts: Parts, tell: Tell) -> None:
        super().__init__()
        self._parts = parts
        self._site = parts.site
        self._tell = tell
        self._rings: dict[str, Flask] = {}
        self._quiet = QUIET
        self._quiet_until = float("-inf")

    def ring(self, account: str) -> None:
        """Have the thread tell the broker, if mail of an account is due."""
        # With the app, which a script may forget before the broker is told.
        self._rings[account] = self._site.app
        self.start()
        self.bell.ring()

    def run(self) -> None:
        """Pass on what was rung for, and look."""
        worker, next_look, stopped = Worker(self._parts), float("-inf"), False
        while not stopped and (app := self._site.hold()):
            stopped = self.bell.stopped  # what was rung for before is told still
            try:
                rung = self._take_rings()
                if rung or time.monotonic() >= next_look:
                    next_look = time.monotonic() + self._look(worker, rung)
            except QueueError as error:
                logger.error("%s", error)
                next_look = time.monotonic() + EVERY
            rung = {}
            del app
            if not stopped:
                self.bell.wait(max(0.0, next_look - time.monotonic()))

    def _take_rings(self) -> dict[str, Flask]:
        rung = {}
        while self._rings:
            account, app = self._rings.popitem()
            rung[account] = app
        return rung

    def _look(self, worker: Worker, rung: dict[str, Flask]) -> float:
        """Tell of what is due, and see to what dead workers have left. Seconds until the next
        look."""
        if not self._parts.store.begun:
            return EVERY
        if rung:
            self._pass_on_what_is_due(worker)
        # Also where somebody rings all the time.
        recovered = worker.upkeep.run()
        worker.upkeep.sweep(idle=not rung)
        if recovered or not rung:
            self._pass_on_what_is_due(worker)
        return min([EVERY, *(wait for wait in worker.waits() if wait > 0)])

    def _pass_on_what_is_due(self, worker: Worker) -> None:
        for account, wait in [*worker.left()]:
            self.pass_on(account, wait)

    def pass_on(self, account: str, wait: float = 0.0) -> None:
        """Tell the broker, unless it was told and nobody has answered. After a failure it is left
        alone for a while.

        :param wait: Seconds until the account may send. If they are many nobody is told now.
        :raises QueueError: if the store cannot be used.
        """
        now = self._parts.store.now()
        if time.monotonic() < self._quiet_until:
            return
        store = self._parts.store
        if wait > SOON:
            store.answer(account)  # also where somebody else was told meanwhile
            store.ring(account, now, now + min(wait, LONGEST_RING))
            return  # whoever looks at the end of that time tells
        if not store.ring(account, now, now + UNDER_WAY):
            return
        try:
            self._tell(account)
        except Exception as error:
            self._quiet_until = time.monotonic() + self._quiet
            self._quiet = min(2 * self._quiet, LONGEST_QUIET)
            store.answer(account)
            logger.error("Mail waits in the queue, and its engine could not be told: %s", error)
        else:
            self._quiet = QUIET
