"""The lanes of one process: a thread for each account that has mail to send, so that none waits for
the server of another.

::

    due: default, news, alerts          default  ── claim ── deliver ── claim ...
    Lanes.start  ───────────────────▶   news     ── claim ── deliver (its server hangs)
    at most MAIL_QUEUE_THREADS          alerts   ── claim ── deliver ── nothing more: ends
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..errors import QueueError
from ..log import logger
from . import threads
from .lane import Lane


class Lanes:
    """The lanes that run at this moment.

    :param most: How many at the same time.
    :param done: Called when one has ended.
    """

    def __init__(self, most: int, done: Callable[[], None]) -> None:
        self._most = most
        self._done = done
        self._running: dict[str, Lane] = {}
        self._threads: dict[str, threading.Thread | None] = {}
        self._counting = threading.Lock()
        self.taken: int = 0
        """How many messages those took in hand that have ended."""
        self.error: Exception | None = None
        """Why the last one has ended that did not end in order."""

    @property
    def accounts(self) -> frozenset[str]:
        """Those that have one."""
        return frozenset([*self._running])

    @property
    def full(self) -> bool:
        """Whether no other account may have one now."""
        return len(self._running) >= self._most

    def is_slow(self, seconds: float) -> bool:
        """Whether one of them has a message in hand that takes longer."""
        now = time.monotonic()
        return any(now - lane.begun > seconds for lane in [*self._running.values()])

    def is_at_work(self, seconds: float) -> bool:
        """Whether one of them has a message in hand that it began less than so long ago."""
        now = time.monotonic()
        return any(now - lane.begun < seconds for lane in [*self._running.values()])

    def start(self, lane: Lane) -> None:
        """Run a lane in a thread, or, where the interpreter is ending and starts none, in this
        one."""
        if self._running.setdefault(lane.account, lane) is not lane:
            return  # another turn of this process was quicker
        self._threads[lane.account] = None
        thread = threads.start(lambda: self._run(lane), f"mail-queue-{lane.account}")
        if thread is None:
            self._run(lane)
        else:
            self._threads[lane.account] = thread

    def _run(self, lane: Lane) -> None:
        try:
            lane.run()
        except Exception as error:
            self.error = error
        finally:
            with self._counting:
                self.taken += lane.taken
            del self._running[lane.account]
            self._done()

    def take_error(self) -> Exception | None:
        """Why one has ended that did not end in order, if that was not told yet."""
        error, self.error = self.error, None
        return error

    def end(self, seconds: float) -> None:
        """Wait until they have ended, as they were told to, and leave those to their fate that do
        not.

        :param seconds: To wait.
        """
        until = time.monotonic() + seconds
        for account in self.accounts:
            thread = self._threads.get(account)
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
        for lane in [*self._running.values()]:
            try:
                lane.abandon()
            except QueueError as error:
                logger.error("%s", error)

    def __repr__(self) -> str:
        return f"<Lanes {', '.join(sorted(self._running)) or 'idle'}>"
