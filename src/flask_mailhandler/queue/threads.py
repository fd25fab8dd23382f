"""Start a thread of the queue."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable


def start(run: Callable[[], None], name: str) -> threading.Thread | None:
    """Start a daemon thread in an empty context.

    A request's context may hold a trace, or the user for an error report. It belongs to the
    request, and the thread outlives the request.

    :return: The thread, or None if the interpreter is ending and cannot start one.
    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        # Around start and not inside the thread, because tracing libraries copy the context in
        # Thread.start.
        contextvars.Context().run(thread.start)
    except RuntimeError:
        return None
    return thread
