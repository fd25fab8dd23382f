"""Keeping a lease alive while a message is on its way."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable

from ..errors import QueueError
from ..log import logger
from . import threads

if t.TYPE_CHECKING:
    from .stores.base import Lease
    from .stores.base import Store


class Renewal:
    """Renews a lease again and again, in a thread, as long as the ``with`` block is open.

    :param lease: Makes the lease as it is to be from now on.
    :param every: Seconds between two renewals.
    """

    def __init__(self, store: Store, lease: Callable[[], Lease], every: float) -> None:
        self._store = store
        self._lease = lease
        self._every = every
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> t.Self:
        # None if the interpreter is ending: what is drained then takes less time than a lease
        # lasts.
        self._thread = threads.start(self._renew, "mail-queue-lease")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _renew(self) -> None:
        while not self._over.wait(self._every):
            try:
                self._store.renew(self._lease())
            except QueueError as error:
                logger.warning("A lease could not be renewed, and is tried again: %s", error)
