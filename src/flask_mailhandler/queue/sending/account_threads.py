"""The threads of a worker: one for each account that has mail to send.

So no account waits for the server of another.

::

    due: default, news, alerts          default  ── claim ── deliver ── claim ...
    AccountThreads.start ─────────▶     news     ── claim ── deliver (its server hangs)
    at most MAIL_QUEUE_THREADS          alerts   ── claim ── deliver ── nothing is due: ends
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...errors import QueueError
from ...log import logger
from .. import threads
from .account_sender import AccountSender


class AccountThreads:
    """The threads that are running.

    :param most: The most threads at the same time.
    :param done: Called when a thread has ended.
    """

    def __init__(self, most: int, done: Callable[[], None]) -> None:
        self._most = most
        self._done = done
        self._running: dict[str, AccountSender] = {}
        self._threads: dict[str, threading.Thread | None] = {}
        self._counting = threading.Lock()
        self.taken: int = 0
        """How many messages the ended threads have claimed."""
        self.error: Exception | None = None
        """The error that ended a thread last."""

    @property
    def accounts(self) -> frozenset[str]:
        """The accounts that have a thread."""
        return frozenset([*self._running])

    @property
    def full(self) -> bool:
        """Whether no other account may start a thread now."""
        return len(self._running) >= self._most

    def is_slow(self, seconds: float) -> bool:
        """Whether a thread has been sending its message for longer than *seconds*."""
        now = time.monotonic()
        return any(now - sender.begun > seconds for sender in [*self._running.values()])

    def is_at_work(self, seconds: float) -> bool:
        """Whether a thread has begun its message within the last *seconds*."""
        now = time.monotonic()
        return any(now - sender.begun < seconds for sender in [*self._running.values()])

    def start(self, sender: AccountSender) -> None:
        """Run a sender in a thread.

        If the interpreter is ending and cannot start a thread, run it in this one.
        """
        if self._running.setdefault(sender.account, sender) is not sender:
            return  # another job of this process was quicker
        self._threads[sender.account] = None
        thread = threads.start(lambda: self._run(sender), f"mail-queue-{sender.account}")
        if thread is None:
            self._run(sender)
        else:
            self._threads[sender.account] = thread

    def _run(self, sender: AccountSender) -> None:
        try:
            sender.run()
        except Exception as error:
            self.error = error
        finally:
            with self._counting:
                self.taken += sender.taken
            del self._running[sender.account]
            self._done()

    def take_error(self) -> Exception | None:
        """Return the error that ended a thread, once."""
        error, self.error = self.error, None
        return error

    def end(self, seconds: float) -> None:
        """Wait for the threads, which were told to end. Give back the rows of those that do not.

        :param seconds: How long to wait for all of them.
        """
        until = time.monotonic() + seconds
        for account in self.accounts:
            thread = self._threads.get(account)
            if thread is not None and thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
        for sender in [*self._running.values()]:
            try:
                sender.abandon()
            except QueueError as error:
                logger.error("%s", error)

    def __repr__(self) -> str:
        return f"<AccountThreads {', '.join(sorted(self._running)) or 'idle'}>"
