"""The thread that composes and sends. It starts with the first error, and ends with the process."""

from __future__ import annotations

import typing as t

from ...queue.engines.background import Background
from .stderr import SENDING

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from .counts import Counts

DRAIN = 10.0
"""Seconds for which the end of the process is put off while errors wait to be mailed."""
_LONGEST_WAIT = 60.0


class Sending(t.Protocol):
    """What the thread works for: a :class:`.Desk`."""

    counts: Counts

    @property
    def has_app(self) -> bool:
        """Whether the app still exists."""
        ...

    def send(self, *, patient: bool, all_of_it: bool) -> bool:
        """Send one mail, if one is due. Return whether another may be due."""
        ...

    def end(self) -> None:
        """Say what is lost, because the process ends."""
        ...

    def drain_queue(self) -> None:
        """Let the queue send what was queued at the end of the process."""
        ...


class Courier(Background):
    """Sends what waits at a desk, when it is due."""

    name = "error-mail"

    def __init__(self, desk: Sending) -> None:
        super().__init__()
        self._desk = desk
        self._app: App | None = None
        self._sent = False

    def keep(self, app: App) -> None:
        """Keep an app alive until its errors are mailed. A script may drop it before."""
        self._app = app

    def run(self) -> None:
        """Send until the bell ends the thread, or the app is gone."""
        SENDING.set(True)
        while not self.bell.stopped and self._desk.has_app:
            last = self.bell.finishing
            if self._desk.send(patient=not last, all_of_it=last):
                if not self._sent and not last:
                    # That has started the thread of the queue. Its hook must run after ours, which
                    # queues what waits at the end.
                    self.register_at_exit()
                self._sent = True
                continue
            if last:
                return
            wait = self._desk.counts.wait()
            if wait is None:
                self.bell.if_quiet(self._let_go)
            self.bell.wait(_LONGEST_WAIT if wait is None else min(wait, _LONGEST_WAIT))

    def _let_go(self) -> None:
        self._app = None

    def drain(self) -> None:
        """Send what waits for a while, and end the thread."""
        self.bell.finish()
        self.join(DRAIN)
        self.stop()

    def at_exit(self) -> None:
        """Send what waits, and say what could not be sent."""
        self.drain()
        self._desk.end()
        # Its thread may have started just now, and its hook would not run any more.
        self._desk.drain_queue()
