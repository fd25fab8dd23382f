"""Worker processes that share one PostgreSQL queue: four of them compared with one.

The server is a round trip of 20 ms away, so a worker mostly waits for it. It counts the messages:
no row may be sent twice, or not at all.

A worker is this module as a program: ``benchmarks.queue_workers FOLDER QUEUE PORT``. The first
request opens its connections. Each other request sends all mail that is due, and the answer is how
many messages that was.
"""

from __future__ import annotations

import contextlib
import logging
import statistics
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler import Message

from .program import answer
from .program import Program
from .program import python
from .program import requests
from .servers import delayed
from .servers import Sink
from .targets import Target

if t.TYPE_CHECKING:
    from servers.postgresql import Postgresql

WORKERS, ROUND_TRIP = 4, 20
# Five claims of twenty rows for each of four workers.
_ROWS = 400


def compare(server: Postgresql, turns: int) -> tuple[float, float]:
    """Return the seconds for each row of one worker, and of four.

    :param server: The database server, which is running.
    :param turns: How often each does it.
    :raises RuntimeError: if a row was sent twice, or not at all.
    """
    from servers.certificates import make

    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sink = stack.enter_context(Sink(make(folder)))
        site = stack.enter_context(delayed(sink.sites["none"], ROUND_TRIP))
        queue = stack.enter_context(server.database())
        mail = stack.enter_context(shop(folder, queue, MAIL_URL=_url(site.port)))
        workers = [
            stack.enter_context(python("queue_workers", str(folder), queue, str(site.port)))
            for _ in range(WORKERS)
        ]
        for worker in workers:
            worker.ask(None)
        seconds: tuple[list[float], list[float]] = ([], [])
        for _ in range(turns):
            for found, crowd in zip(seconds, (workers[:1], workers), strict=True):
                found.append(_drained(mail, sink, crowd))
        return statistics.median(seconds[0]) / _ROWS, statistics.median(seconds[1]) / _ROWS


def target(one: float, four: float) -> Target:
    name = f"{WORKERS} workers on one PostgreSQL queue, compared with one"
    return Target(name, one / four, "times as fast", least=3.5)


def _drained(mail: Mail, sink: Sink, crowd: list[Program]) -> float:
    """Queue the rows, let the workers send them, and return the seconds that this took."""
    for _ in mail.send_later_each(_message() for _ in range(_ROWS)):
        pass
    before, _ = sink.taken()
    seconds, done = _timed(lambda: _sent_by(crowd))
    after, _ = sink.taken()
    if after - before != _ROWS or sum(done) != _ROWS:
        raise RuntimeError(f"The server took {after - before} of {_ROWS} messages; {done=}.")
    return seconds


def _sent_by(crowd: list[Program]) -> list[int]:
    with ThreadPoolExecutor(len(crowd)) as pool:
        return [*pool.map(lambda worker: worker.ask(None), crowd)]


@contextlib.contextmanager
def shop(folder: Path, queue: str, **keys: t.Any) -> Iterator[Mail]:
    """Open an app whose mail waits in *queue* until the caller sends it."""
    app = Flask("shop", instance_path=str(folder))
    app.config.update(
        MAIL_DEFAULT_FROM="shop@example.org",
        MAIL_QUEUE=queue,
        MAIL_QUEUE_ENGINE="none",
        **keys,
    )
    mail = Mail(app)
    with app.app_context():
        try:
            yield mail
        finally:
            mail.queue.close()


def _url(port: object) -> str:
    return f"smtp://127.0.0.1:{port}"


def _message() -> Message:
    return Message(subject="Hi", text="Your order is on its way.\n" * 20, to="ann@example.net")


def _timed(function: Callable[[], list[int]]) -> tuple[float, list[int]]:
    start = time.perf_counter()
    found = function()
    return time.perf_counter() - start, found


def main(folder: str, queue: str, port: str) -> None:
    logging.getLogger("flask_mailhandler").setLevel(logging.CRITICAL)
    with shop(Path(folder), queue, MAIL_URL=_url(port)) as mail:
        for _ in requests():
            answer(mail.queue.run_once())


if __name__ == "__main__":
    main(*sys.argv[1:])
