"""Writing down what nobody else knows, though the store is away for a moment."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable

from ..errors import QueueError
from ..log import logger

PATIENCE = 30.0
"""Seconds after which a store is given up: less than a lease lasts after its last renewal."""
_REST = 0.25

T = t.TypeVar("T")


def patiently(write: Callable[[], T], written: Callable[[], T | None] = lambda: None) -> T:
    """Write, and try again and again where the store is away: a database that is restarted closes
    its connections, and what became of a message would be forgotten with them.

    :param write: What may be done twice.
    :param written: Asked after it was tried again: what the first one has returned, if it was
        written and only the answer was lost; else None.
    :raises QueueError: if the store was away for too long.
    """
    end = time.monotonic() + PATIENCE
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
                logger.warning("It is tried again for %.0f s: %s", PATIENCE, error)
            failed = True
        time.sleep(_REST)
