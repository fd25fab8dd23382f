"""Which program to start so that mail is sent, by the engine of the app."""

from __future__ import annotations

_START = {
    "thread": "The app's processes send it, each from its first request on: start the web server,"
    " or run 'flask mail worker'.",
    "none": "Run 'flask mail worker'.",
    "celery": "Start a worker: celery --app MODULE worker.",
    "rq": "Start a worker: flask rq worker.",
    "dramatiq": "Start a worker: dramatiq MODULE.",
}
_NO_ANSWER = (
    " The broker was told of the mail, and no worker has answered: see that a worker takes jobs"
    " from the broker's queue for mail."
)
_NOT_TOLD = (
    " If one is running, the broker was not told of the mail: see the app's log, and start the web"
    " server, whose processes tell the broker."
)
BROKERS = frozenset({"celery", "rq", "dramatiq"})


def how_to_start(engine: str) -> str:
    """Return how to start a worker."""
    return _START.get(engine, "Start the workers of the engine, or run 'flask mail worker'.")


def start_worker(engine: str, *, rung: bool) -> str:
    """Return how to start a worker while mail waits.

    :param rung: Whether a broker was told of the mail, and no worker has answered.
    """
    text = how_to_start(engine)
    if engine in BROKERS:
        text += _NO_ANSWER if rung else _NOT_TOLD
    return text
