"""The queue: accepting a message compared with a bare INSERT, a million rows with a thousand.

Every insert is synced to the disk, so this mainly measures the disk. Both sides take turns, message
by message.
"""

from __future__ import annotations

import logging
import sqlite3
import statistics
import tempfile
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from flask_mailhandler import EmailHandler
from flask_mailhandler import Job
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Phase
from flask_mailhandler import Report
from flask_mailhandler.handlers.base import accept
from flask_mailhandler.report import Observe

from .table import microseconds
from .table import table
from .targets import Target

_TEXT = ("x" * 76 + "\n") * 130
_FEW, _MANY = 1_000, 1_000_000
# After so many messages, the WAL of each file has reached its size. A synced write is slower while
# it grows.
_GROWTH = 300
# Copies of the first row: a third sent, a third failed, a third due in years.
_FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})
INSERT INTO mail_queue (app, account, key, message_id, priority, due, expires, created, changed,
                        state, attempts, options, recipients, size, error)
SELECT app, account, '{state}' || i, message_id, priority, due + 1e8 + i, expires, created,
       changed - i, '{state}', attempts, options, recipients, size, error
FROM mail_queue, n WHERE mail_queue.id = 1
"""


class Taking(EmailHandler):
    """Accepts at once, so the time left is the queue's own."""

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            yield accept(job)


def run(rounds: int) -> list[Target]:
    """Measure, print the tables, and return the targets.

    :param rounds: One twentieth of the number of messages of each kind.
    """
    logging.getLogger("flask_mailhandler").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        inserted, accepted = _accepting(Path(folder), rounds * 20)
        few, many = _filled(Path(folder), rounds)
    print("\nMicroseconds per message of 10 kB, synced to the disk; medians:\n")
    rows = [
        ["INSERT alone", microseconds(inserted)],
        ["send_later", microseconds(accepted)],
        [f"send_later and sending, {_FEW:,} rows", microseconds(few)],
        [f"send_later and sending, {_MANY:,} rows", microseconds(many)],
    ]
    print(table(["what", "microseconds"], rows))
    return [
        Target("send_later, compared with a bare INSERT", inserted / accepted, "of it", least=0.5),
        Target("a message among a million rows", many / few, "times a thousand's", most=1.2),
    ]


def _accepting(folder: Path, number: int) -> tuple[float, float]:
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, octets BLOB)")
    mail, app = _shop(folder / "queue")
    octets = _TEXT.encode()

    def insert() -> None:
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO kept (octets) VALUES (?)", (octets,))
        bare.execute("COMMIT")

    seconds: tuple[list[float], list[float]] = ([], [])
    with app.app_context():
        for _ in range(_GROWTH + number):
            seconds[0].append(_timed(insert))
            seconds[1].append(_timed(mail.send_later, _message()))
        mail.queue.close()
    bare.close()
    inserted, accepted = (statistics.median(found[_GROWTH:]) for found in seconds)
    return inserted, accepted


def _filled(folder: Path, rounds: int) -> tuple[float, float]:
    shops = [_shop(folder / str(number)) for number in (_FEW, _MANY)]
    seconds: tuple[list[float], list[float]] = ([], [])
    for (mail, app), number in zip(shops, (_FEW, _MANY), strict=True):
        with app.app_context():
            _send(mail, 1)
            _fill(mail, number)
    for _ in range(rounds):
        for (mail, app), found in zip(shops, seconds, strict=True):
            with app.app_context():
                found.append(_timed(_send, mail, 20) / 20)
    for mail, app in shops:
        with app.app_context():
            mail.queue.close()
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _fill(mail: Mail, number: int) -> None:
    connection = sqlite3.connect(str(mail.queue.store), isolation_level=None)
    for state in ("sent", "failed", "waiting"):
        connection.execute(_FILL.format(number=number // 3, state=state))
    connection.close()


def _send(mail: Mail, number: int) -> None:
    for _ in range(number):
        mail.send_later(_message())
    mail.queue.run_once()


def _shop(folder: Path) -> tuple[Mail, Flask]:
    app = Flask("shop", instance_path=str(folder))
    app.config["MAIL_DEFAULT_FROM"] = "shop@example.com"
    app.config["MAIL_HANDLER"] = Taking
    app.config["MAIL_QUEUE_ENGINE"] = "none"
    return Mail(app), app


def _message() -> Message:
    return Message(subject="Hi", text=_TEXT, to="ann@example.com")


def _timed(function: Callable[..., t.Any], *arguments: t.Any) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start
