"""The thread that tells a broker of mail, and looks for due mail of which no job has heard."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable

from ..outage import Outage
from ..stores.base import LONGEST_RING
from ..worker import POLL
from ..worker import Worker
from ..worker import WORKS_AGAIN
from .background import Background

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..components import Components

Tell: t.TypeAlias = "Callable[[str], None]"

EVERY = 2.0
"""Seconds between two searches of the store."""
UNDER_WAY = 10.0
"""Seconds after which a ring without an answer is considered lost."""
QUIET = 1.0
"""Seconds for which a broker is left alone after a failure; doubled each time."""
LONGEST_QUIET = 15.0
SOON = 1.1
"""Seconds for which a job waits for a rate limit: less than its turn."""


class Lookout(Background):
    """Tells the broker in a thread, so that no request waits for it.

    It also searches the store again and again, and tells the broker of due mail. It sends nothing.

    The search is needed if the broker is down or has lost a message, if a worker was killed, and
    for mail that becomes due later: delayed, to be tried again, or after a pause or a rate limit.

    :param tell: Tells the broker that mail of an account waits.
    """

    name = "mail-queue-lookout"

    def __init__(self, components: Components, tell: Tell) -> None:
        super().__init__()
        self._components = components
        self._app_access = components.app_access
        self._tell = tell
        self._rings: dict[str, App] = {}
        self._quiet = QUIET
        self._quiet_until = float("-inf")
        self._outage = Outage(WORKS_AGAIN)
        self._silence = Outage("The engine of the queue can be told again, after %s.")

    def ring(self, account: str) -> None:
        """Let the thread tell the broker, if mail of an account is due."""
        # With the app, which a script may drop before the broker is told.
        self._rings[account] = self._app_access.app
        self.start()
        self.bell.ring()

    def run(self) -> None:
        """Pass on the rings, and search the store."""
        worker, next_look, stopped = Worker(self._components), float("-inf"), False
        while not stopped and (app := self._app_access.hold()):
            stopped = self.bell.stopped  # earlier rings are still passed on
            try:
                rung = self._take_rings()
                if rung or time.monotonic() >= next_look:
                    next_look = time.monotonic() + self._look(worker, rung)
                    self._outage.end()
            except Exception as error:
                self._outage.note(error)
                next_look = time.monotonic() + POLL
            rung = {}
            del app
            if not stopped:
                self.bell.wait(max(0.0, next_look - time.monotonic()))

    def _take_rings(self) -> dict[str, App]:
        rung = {}
        while self._rings:
            account, app = self._rings.popitem()
            rung[account] = app
        return rung

    def _look(self, worker: Worker, rung: dict[str, App]) -> float:
        """Tell the broker of due mail, and recover rows of dead workers.

        Return the seconds until the next search.
        """
        if not self._components.store.begun:
            return EVERY
        # Before the broker is told: mail that becomes due meanwhile is found by the next search.
        waits = [wait for wait in worker.due.waits() if wait > 0]
        if rung:
            self._pass_on_what_is_due(worker)
        # Also if the bell rings all the time.
        recovered = worker.upkeep.run()
        worker.upkeep.sweep(idle=not rung)
        if recovered or not rung:
            self._pass_on_what_is_due(worker)
        return min([EVERY, *waits])

    def _pass_on_what_is_due(self, worker: Worker) -> None:
        for account, wait in [*worker.due.left()]:
            self.pass_on(account, wait)

    def pass_on(self, account: str, wait: float = 0.0) -> None:
        """Tell the broker, unless an earlier ring has no answer yet.

        After a failure the broker is left alone for a while.

        :param wait: Seconds until the account may send. After a long wait the broker is told then.
        :raises QueueError: if the store cannot be used.
        """
        now = self._components.store.now()
        if time.monotonic() < self._quiet_until:
            return
        store = self._components.store
        if wait > SOON:
            until = now + min(wait, LONGEST_RING)
            # In place of a shorter ring, even if another process tells the broker meanwhile.
            store.ring(account, until, until)
            return  # the first search after that time tells the broker
        if not store.ring(account, now, now + UNDER_WAY):
            return
        try:
            self._tell(account)
        except Exception as error:
            self._quiet_until = time.monotonic() + self._quiet
            self._quiet = min(2 * self._quiet, LONGEST_QUIET)
            store.answer(account)
            self._silence.note(error, "Mail waits in the queue, and its engine could not be told")
        else:
            self._quiet = QUIET
            self._silence.end()
