"""Waiting for another program that has no events: the only place that polls."""

from __future__ import annotations

import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

T = t.TypeVar("T")


def until(condition: Callable[[], T], timeout: float, what: str) -> T:
    """Call a function every 20 ms until its result is true, and return the result.

    :raises TimeoutError: after *timeout* seconds, saying *what* was waited for.
    """
    end = time.monotonic() + timeout
    never = threading.Event()
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"Waited {timeout} s for {what}.")
        never.wait(0.02)
    return answer
