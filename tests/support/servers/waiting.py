"""Waiting for another program, whose events cannot be had: the one place where it is done."""

from __future__ import annotations

import threading
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable

T = t.TypeVar("T")


def until(condition: Callable[[], T], timeout: float, what: str) -> T:
    """Ask again and again, every 20 ms, until the answer is true; the answer.

    :raises TimeoutError: after *timeout* seconds, saying *what* was waited for.
    """
    end = time.monotonic() + timeout
    never = threading.Event()
    while not (answer := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"Waited {timeout} s for {what}.")
        never.wait(0.02)
    return answer
