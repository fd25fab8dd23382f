"""Starting a thread of the queue."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable


def start(run: Callable[[], None], name: str) -> threading.Thread | None:
    """Start a daemon thread in an empty context. What a request has put into its own, a trace or
    the user for an error report, belongs to that request, and the thread outlives it.

    :return: The thread, or None if the interpreter is ending: then none can be started.
    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        # Not by what the thread runs: tracing libraries copy the context in Thread.start itself.
        contextvars.Context().run(thread.start)
    except RuntimeError:
        return None
    return thread
