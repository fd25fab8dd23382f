"""Try a call of the store again while the store is away for a moment."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable

from ...errors import QueueError
from ...log import logger

LONGEST = 30.0
"""Seconds after which a call gives up: less than a lease lasts after its last renewal."""
_REST = 0.25

T = t.TypeVar("T")


def retrying(write: Callable[[], T], written: Callable[[], T | None] = lambda: None) -> T:
    """Call *write*, and again while the store is away.

    A database that is restarted closes its connections, and only this worker knows what became of
    its message.

    :param write: May be called more than once.
    :param written: Called before each repeat. Returns the first call's result if that was written
        and only the reply was lost, else None.
    :raises QueueError: if the store was away for too long.
    """
    end = time.monotonic() + LONGEST
    failed = False
    while True:
        try:
            if failed and (before := written()) is not None:
                return before
            return write()
        except QueueError as error:
            if time.monotonic() > end:
                raise
            if not failed:
                logger.warning(
                    "The queue cannot be used; trying again for %.0f s: %s", LONGEST, error
                )
            failed = True
        time.sleep(_REST)
