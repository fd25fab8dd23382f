"""The lease on claimed rows: who holds them, until when, and how it is renewed."""

from __future__ import annotations

import dataclasses
import threading
import typing as t
from collections.abc import Callable

from ..errors import QueueError
from ..log import logger
from . import threads

LEASE = 60.0
"""Seconds after which a worker that has not renewed its lease is considered dead."""


@dataclasses.dataclass(frozen=True, slots=True)
class Lease:
    """The owner of claimed rows, and the time until which it is considered alive."""

    owner: str
    until: float


class Renewal:
    """Renews a lease again and again, in a thread, while the ``with`` block is open.

    :param renew: Renews it once.
    :param every: Seconds between two renewals.
    """

    def __init__(self, renew: Callable[[], object], every: float) -> None:
        self._renew = renew
        self._every = every
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> t.Self:
        # None if the interpreter is ending. The time left then is shorter than a lease.
        self._thread = threads.start(self._run, "mail-queue-lease")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._every):
            try:
                self._renew()
            except QueueError as error:
                logger.warning("A lease could not be renewed, and is tried again: %s", error)
