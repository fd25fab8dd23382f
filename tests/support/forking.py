"""Running a function in a forked child."""

from __future__ import annotations

import os
import pickle
import signal
import typing as t
import warnings

T = t.TypeVar("T")


def in_child(work: t.Callable[[], T]) -> T:
    """Return the result of *work* in a forked child, which exits without any cleanup."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # The threads of a server, which are not needed there.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        # A child that hangs ends by itself.
        signal.alarm(90)
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
