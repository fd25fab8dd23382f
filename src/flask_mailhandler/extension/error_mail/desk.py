"""What one app does with errors that go to the same addresses."""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import threading
import typing as t

from ...queue.build import queue_of
from ...queue.forks import in_each_child
from .captured import capture
from .composing import summary_of
from .composing import with_masked_titles
from .counts import Counts
from .courier import Courier
from .delivery import deliver
from .kind import key_of
from .options import Options
from .stderr import tell
from .stderr import tell_of

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ...app.registration import Registration
    from ...templating.package_mail import PackageMail
    from .counts import Parcel

PATIENCE = 10.0
"""Seconds for which a thread waits for another one that is sending a mail."""


class Desk:
    """Counts the errors of an app, and has a thread that mails them."""

    def __init__(self, registration: Registration, options: Options, mails: PackageMail) -> None:
        self._mine = registration
        self._options = options
        self._root = os.path.abspath(registration.app.root_path)
        self._mails = mails
        self._start()
        in_each_child(self._start)

    def _start(self) -> None:
        """Begin with nothing: what waits in the parent of a fork is mailed there."""
        self.counts: Counts = Counts(self._options.digest_every, self._options.per_hour)
        self._couriers: dict[int, Courier] = {}
        self._ended = False
        self._is_stuck = False
        # flush() waits for a mail that the thread is sending. No request takes it.
        self._sending = threading.RLock()

    @property
    def has_app(self) -> bool:
        """Whether the app still exists."""
        return self._mine.hold() is not None

    def add(self, record: logging.LogRecord, app: App) -> None:
        """Count an error, and wake the thread if there is something new to tell."""
        if self._ended:
            tell_of(record, "the process is ending")
            return
        key = key_of(record, self._root)
        work = functools.partial(capture, record, self._options, key.place)
        new = self.counts.add(key, work, record.created)
        if self._mine.sends_at_once:
            self.send(patient=False)
        elif new or self._is_stuck:
            self._wake(app)

    def _wake(self, app: App) -> None:
        courier = self._couriers.get(os.getpid())
        if courier is None:
            # No lock: if two threads make one, both use the first.
            courier = self._couriers.setdefault(os.getpid(), Courier(self))
        courier.keep(app)
        started = courier.start()
        if not started and not self._is_stuck:
            # The process ends, or has too many threads. The next error tries again, and so does
            # logging itself, which flushes its handlers at the end.
            tell(f"no thread can be started to mail errors: {self._summary(self.counts.left())}")
        self._is_stuck = not started
        courier.bell.ring()

    def send(self, *, patient: bool = True, all_of_it: bool = False) -> bool:
        """Send one mail, if one is due.

        :return: Whether it was sent, and another may be due.
        """
        # Not forever: the thread may log, and wait for the lock of logging. dictConfig() holds it
        # while it calls flush().
        if not self._sending.acquire(timeout=PATIENCE):
            return False
        try:
            return self._send(patient, all_of_it)
        finally:
            self._sending.release()

    def _send(self, patient: bool, all_of_it: bool) -> bool:
        parcel = self.counts.take(patient=patient, all_of_it=all_of_it)
        if parcel is None:
            return False
        parcel = self._masked(parcel)
        self.counts.retitle(parcel)
        try:
            if deliver(self._mine, self._options, parcel, self._mails):
                self.counts.sent()
            else:
                self.counts.put_back(parcel, failed=False)
                return False
        except Exception as error:
            seconds = self.counts.put_back(parcel)
            what = f"{type(error).__name__}: {error}"
            tell(f"a mail about errors was not sent ({self._summary(parcel)}): {what}")
            if patient:
                tell(f"it is tried again in {seconds:.0f} s.")
            return False
        return True

    def _masked(self, parcel: Parcel) -> Parcel:
        try:
            return with_masked_titles(parcel, self._options, self._mine.app.config)
        except Exception as error:  # such as of a configuration of the app's own class
            title = f"[{type(error).__name__}: it cannot be shown]"
            items = tuple(dataclasses.replace(item, title=title) for item in parcel.items)
            return dataclasses.replace(parcel, items=items)

    def _summary(self, parcel: Parcel) -> str:
        app = self._mine.hold()
        try:
            return summary_of(parcel, self._options, {} if app is None else app.config)
        except Exception as error:  # the thread goes on, whatever the text is
            return f"{parcel.count} errors, {type(error).__name__}"

    def flush(self) -> None:
        """Send what waits, in this thread."""
        while not self._ended and self.send(patient=False, all_of_it=True):
            pass

    def drain(self) -> None:
        """Send what waits, for a while, and end the thread. The next error starts another."""
        if courier := self._couriers.pop(os.getpid(), None):
            courier.drain()

    def drain_queue(self) -> None:
        """Let the queue send what the thread has queued at the end of the process."""
        if "queue" in self._mine.edges and self.has_app:
            queue_of(self._mine).engine.drain()

    def end(self) -> None:
        """Say what is lost, because the process ends."""
        was, self._ended = self._ended, True
        left = self.counts.left()
        if left.count and not was:
            errors = "1 error was" if left.count == 1 else f"{left.count} errors were"
            tell(f"the process ends, and {errors} not mailed: {self._summary(left)}")
