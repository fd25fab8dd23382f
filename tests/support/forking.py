"""Forking a process of tests, which has threads."""

from __future__ import annotations

import os
import pickle
import signal
import typing as t
import warnings

T = t.TypeVar("T")


def fork() -> int:
    """Fork, where the parent's threads are not needed in the child. A child that hangs is ended
    after a while."""
    # Python 3.12 warns of the threads, and since 3.15 the warning can be an error.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process", DeprecationWarning)
        child = os.fork()
    if child == 0:
        # The parent's handler, of pytest-timeout, is for a test that hangs.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(90)
    return child


def in_child(work: t.Callable[[], T]) -> T:
    """Return the result of *work* in a forked child, which exits without any cleanup."""
    reading, writing = os.pipe()
    child = fork()
    if child == 0:
        try:
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump(work(), pipe)
            os._exit(0)
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0
    return t.cast("T", pickle.loads(said))
