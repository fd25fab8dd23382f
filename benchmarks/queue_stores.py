"""The queue in each of its stores.

Accepting a message is compared with a bare INSERT, draining the queue with ``Mail.send``, and, in
PostgreSQL, a million rows with a thousand. The compared operations take turns. Inserts are synced
to the disk. Postfix, PostgreSQL and MariaDB are started as the tests start them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import sqlite3
import statistics
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

from flask_mailhandler import Message

from . import queue_workers
from .queue_workers import shop
from .queueing import Taking
from .table import microseconds
from .table import table
from .targets import Target

_TEXT = ("x" * 76 + "\n") * 130
_TURN = 20
# After so many messages, the log of each database has reached its size. A synced write is slower
# while the file grows.
_GROWTH = 300
_FEW, _MANY = 1_000, 1_000_000
# Copies of the first row: a third sent, a third failed, a third due in years.
_FILL = """
INSERT INTO mail_queue (app, account, key, message_id, priority, due, expires, created, changed,
                        state, attempts, options, recipients, size, error)
SELECT app, account, '{state}' || i, message_id, priority, due + 1e8 + i, expires, created,
       changed - i, '{state}', attempts, options, recipients, size, error
FROM mail_queue, generate_series(1, {number}) AS i WHERE mail_queue.id = 1
"""


@dataclasses.dataclass(frozen=True)
class Place:
    """A store for queued mail.

    :param queue: The value of MAIL_QUEUE.
    :param insert: Runs a bare INSERT of these octets, synced to the disk.
    :param least: The part of its rate that ``send_later`` must reach.
    """

    name: str
    queue: str
    insert: Callable[[bytes], object]
    least: float = 0.6


def run(rounds: int) -> list[Target]:
    """Measure, print the tables, and return the targets.

    :param rounds: The number of turns of twenty messages.
    """
    logging.getLogger("flask_mailhandler").setLevel(logging.CRITICAL)
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
    rows, targets = [], []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(_postfix(folder))
        places = [*_files(folder, stack), *_postgresql(stack), *_mariadb(stack)]
        for place in places:
            bare, accepted = _accepting(place, folder, rounds)
            rows += [
                [f"INSERT alone, {place.name}", microseconds(bare)],
                [f"send_later, {place.name}", microseconds(accepted)],
            ]
            name = f"send_later, {place.name}, compared with a bare INSERT"
            targets.append(Target(name, bare / accepted, "of it", least=place.least))
        for place in places if port else []:
            sent, drained = _draining(place, folder, port, rounds)
            rows += [
                ["Mail.send to Postfix", microseconds(sent)],
                [f"the worker to Postfix, {place.name}", microseconds(drained)],
            ]
            name = f"draining, {place.name}, compared with Mail.send"
            targets.append(Target(name, sent / drained, "of its rate", least=0.8))
        few, many = _filled(folder, stack, rounds)
        crowd = _crowd(stack, max(rounds // 25, 2)) if few else (0.0, 0.0)
    if few:
        rows += [
            [f"send_later and sending, PostgreSQL, {_FEW:,} rows", microseconds(few)],
            [f"send_later and sending, PostgreSQL, {_MANY:,} rows", microseconds(many)],
        ]
        name = "a message among a million rows, PostgreSQL"
        targets.append(Target(name, many / few, "times a thousand's", most=1.2))
        targets.append(queue_workers.target(*crowd))
        rows += [
            [f"{number} at {queue_workers.ROUND_TRIP} ms, PostgreSQL", microseconds(each)]
            for number, each in zip(("one worker", "four workers"), crowd, strict=True)
        ]
    print("\nMicroseconds per message of 10 kB; medians:\n")
    print(table(["what", "microseconds"], rows))
    return targets


# Stores


def _files(folder: Path, stack: contextlib.ExitStack) -> Iterator[Place]:
    for name, queue, mode, least in (
        ("its own file", str(folder / "queue.sqlite"), "WAL", 0.5),
        ("SQLAlchemy and SQLite", f"sqlite:///{folder}/app.sqlite", "DELETE", 0.6),
    ):
        bare = sqlite3.connect(folder / f"{mode}.sqlite", isolation_level=None)
        stack.callback(bare.close)
        bare.execute(f"PRAGMA journal_mode = {mode}")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, octets BLOB)")
        yield Place(name, queue, _inserter(bare, "INSERT INTO kept (octets) VALUES (?)"), least)


def _postgresql(stack: contextlib.ExitStack) -> Iterator[Place]:
    from servers.postgresql import missing
    from servers.postgresql import Postgresql

    if why := missing():
        print(f"No PostgreSQL: {why}.", file=sys.stderr)
        return
    server = Postgresql()
    stack.callback(server.remove)
    server.start()
    bare = server.connect()
    stack.callback(bare.close)
    bare.execute("CREATE TABLE kept (id bigserial PRIMARY KEY, octets bytea)")
    queue = stack.enter_context(server.database())
    yield Place("PostgreSQL", queue, _inserter(bare, "INSERT INTO kept (octets) VALUES (%s)"))


def _mariadb(stack: contextlib.ExitStack) -> Iterator[Place]:
    from servers.mariadb import Mariadb
    from servers.mariadb import missing

    if why := missing():
        print(f"No MariaDB: {why}.", file=sys.stderr)
        return
    server = Mariadb(innodb_flush_method="fsync")
    stack.callback(server.remove)
    server.start()
    bare = server.connect()
    stack.callback(bare.close)
    server.execute("CREATE DATABASE bare")
    cursor = bare.cursor()
    cursor.execute("CREATE TABLE bare.kept (id BIGINT AUTO_INCREMENT PRIMARY KEY, octets LONGBLOB)")
    queue = stack.enter_context(server.database())
    # It takes four round trips and writes to six indexes.
    insert = _inserter(cursor, "INSERT INTO bare.kept (octets) VALUES (%s)")
    yield Place("MariaDB", queue, insert, least=0.3)


def _inserter(bare: t.Any, statement: str) -> Callable[[bytes], object]:
    return lambda octets: bare.execute(statement, (octets,))


@contextlib.contextmanager
def _postfix(folder: Path) -> Iterator[int]:
    from servers.certificates import make
    from servers.postfix import missing
    from servers.postfix import Postfix

    if why := missing():
        print(f"No Postfix: {why}.", file=sys.stderr)
        yield 0
        return
    server = Postfix(make(folder))
    try:
        os.chmod(folder, 0o755)
        server.start()
        yield server.ports["plain"]
    finally:
        server.stop()


# Measurements


def _accepting(place: Place, folder: Path, rounds: int) -> tuple[float, float]:
    octets = _TEXT.encode()
    with shop(folder, place.queue, MAIL_HANDLER=Taking) as mail:
        turns = (lambda: place.insert(octets)), (lambda: mail.send_later(_message()))
        _in_turns(_GROWTH, *turns)
        seconds = _in_turns(rounds * _TURN, *turns)
        mail.queue.run_once()
    return seconds


def _draining(place: Place, folder: Path, port: int, rounds: int) -> tuple[float, float]:
    with shop(folder, place.queue, MAIL_URL=f"smtp://127.0.0.1:{port}") as mail:

        def send() -> None:
            for message in messages:
                mail.send(message)

        sent, drained = [], []
        for _ in range(rounds):
            messages = [_message() for _ in range(_TURN)]
            sent.append(_timed(send) / _TURN)
            for _ in mail.send_later_each([_message() for _ in range(_TURN)]):
                pass
            drained.append(_timed(mail.queue.run_once) / _TURN)
    return statistics.median(sent), statistics.median(drained)


def _filled(folder: Path, stack: contextlib.ExitStack, rounds: int) -> tuple[float, float]:
    from servers.postgresql import missing
    from servers.postgresql import Postgresql

    if missing():
        return 0.0, 0.0
    server = Postgresql()
    stack.callback(server.remove)
    server.start()
    turns: list[Callable[[], object]] = []
    for number in (_FEW, _MANY):
        queue = stack.enter_context(server.database())
        turns.append(_sender(folder, queue))
        turns[-1]()
        schema = queue.rpartition("%3D")[2]
        with server.connect() as connection:
            connection.execute(f"SET search_path = {schema}".encode())
            for state in ("sent", "failed", "waiting"):
                connection.execute(_FILL.format(number=number // 3, state=state).encode())
            connection.execute(b"ANALYZE")
    few, many = turns
    return _in_turns(rounds, few, many, each=_TURN)


def _crowd(stack: contextlib.ExitStack, turns: int) -> tuple[float, float]:
    """Return the seconds for each message of one worker, and of four."""
    from servers.postgresql import Postgresql

    server = Postgresql()
    stack.callback(server.remove)
    server.start()
    return queue_workers.compare(server, turns)


def _sender(folder: Path, queue: str) -> Callable[[], object]:
    def send() -> None:
        with shop(folder, queue, MAIL_HANDLER=Taking) as mail:
            for _ in range(_TURN):
                mail.send_later(_message())
            mail.queue.run_once()

    return send


def _in_turns(
    number: int, first: Callable[[], object], second: Callable[[], object], each: int = 1
) -> tuple[float, float]:
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(number):
        seconds[0].append(_timed(first) / each)
        seconds[1].append(_timed(second) / each)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def _message() -> Message:
    return Message(subject="Hi", text=_TEXT, to="ann@example.net")


def _timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
