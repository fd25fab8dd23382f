"""The queue page and its counts among a million rows, compared with a thousand.

In each kind of store, both queues take turns.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import typing as t
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from flask import Flask

from flask_mailhandler.app.queue_keys import QueueSettings
from flask_mailhandler.queue.build import store_of
from flask_mailhandler.queue.row import Row
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Store
from flask_mailhandler.queue.stores.search import Between
from flask_mailhandler.queue.stores.search import COUNTED
from flask_mailhandler.queue.stores.search import Search

from .table import table
from .targets import Target

_FEW, _DOUBLED = 1_000, 10
_NOW = 1_800_000_000.0
# Copies of all rows, later ones.
_DOUBLE = """
INSERT INTO mail_queue (app, account, message_id, priority, due, expires, created, origin, changed,
                        state, attempts, options, recipients, size, error)
SELECT app, account, message_id, priority, due + {step}, expires, created + {step}, origin,
       changed + {step}, state, attempts, options, replace(recipients, 'first', 'other'), size,
       error
FROM mail_queue
"""
_STATES = {5: RowState.WAITING, 17: RowState.FAILED, 18: RowState.HELD}
_WANTED = {
    "the newest": Search(),
    "sent": Search(state=RowState.SENT),
    "waiting": Search(state=RowState.WAITING),
    "sent, an account": Search(state=RowState.SENT, account="news"),
    "a recipient that is rare": Search(recipient="first-1@example.com"),
    "created on a day": Search(created=Between(_NOW, _NOW + 500)),
}
_COUNTS, _EXACT = "counts up to 10,000", "exact counts"
_PAGES = ("the newest", "sent")


def run(rounds: int) -> list[Target]:
    """Measure, print the table, and return the targets."""
    sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
    rows, targets = [], []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name, queues in _places(folder, stack):
            stores = []
            for queue in queues:
                app = Flask("shop", instance_path=str(folder))
                stores.append(store_of(app, QueueSettings(queue=queue)))
                stack.callback(stores[-1].close)
                _fill(stores[-1])
            _double(stores[-1], name)
            few, many = _measure(stores, rounds)
            for what in few:
                ms = [f"{found[what] * 1e3:,.2f}" for found in (few, many)]
                rows.append([f"{what}, {name}", *ms])
            ratio = max(many[what] / few[what] for what in _PAGES)
            what = f"a page among a million rows, {name}"
            targets.append(Target(what, ratio, "times a thousand's", most=2.0))
    print("\nMilliseconds; the least of many turns:\n")
    print(table(["what", f"{_FEW:,} rows", f"{_FEW << _DOUBLED:,} rows"], rows))
    return targets


def _places(folder: Path, stack: contextlib.ExitStack) -> Iterator[tuple[str, list[str]]]:
    """Yield two values of MAIL_QUEUE for each kind of store."""
    yield "SQLite", [str(folder / "few.sqlite"), str(folder / "many.sqlite")]
    from servers import mariadb
    from servers import postgresql

    for name, kind in (("PostgreSQL", postgresql.Postgresql), ("MariaDB", mariadb.Mariadb)):
        server = kind()
        stack.callback(server.remove)
        server.start()
        yield name, [stack.enter_context(server.database()) for _ in range(2)]


def _fill(store: Store) -> None:
    rows = []
    for number in range(_FEW):
        address = f"first-{number}@example.com"
        rows.append(
            Row(
                app="shop",
                account="news" if number % 3 else "default",
                message_id=f"<{number}.{'x' * 30}@example.com>",
                due=_NOW + number,
                expires=_NOW + 1e8,
                created=_NOW + number,
                changed=_NOW + number,
                state=_STATES.get(number % 200, RowState.SENT),
                options='{"version": 1, "sender": "shop@example.com", "subject": "Your order"}',
                recipients=f'[["{address}","accepted",250,"2.0.0","Ok: queued as 4F2A",null]]',
                size=10_000,
            )
        )
    store.add([(row, b"x") for row in rows])


def _double(store: t.Any, name: str) -> None:
    for power in range(_DOUBLED):
        statement = _DOUBLE.format(step=_FEW << power)
        if name == "SQLite":
            with store.file.write() as connection:
                connection.execute(statement)
        else:
            with store.database.write() as connection:
                connection.exec_driver_sql(statement)
    if name != "SQLite":
        with store.database.single() as connection:
            word = "ANALYZE TABLE" if name == "MariaDB" else "VACUUM ANALYZE"
            connection.exec_driver_sql(f"{word} mail_queue")


def _measure(stores: Sequence[Store], rounds: int) -> list[dict[str, float]]:
    """Return the least seconds of each search, and of both kinds of counts, in each store."""
    found: list[dict[str, float]] = [{} for _ in stores]
    # The exact counts come last, because they push everything else out of the caches.
    for name in (*_WANTED, _COUNTS, _EXACT):
        for _ in range(3 if name == _EXACT else rounds):
            for store, times in zip(stores, found, strict=True):
                began = time.perf_counter()
                _do(store, name)
                taken = time.perf_counter() - began
                times[name] = min(times.get(name, taken), taken)
    return found


def _do(store: Store, name: str) -> None:
    if name in _WANTED:
        store.search.page(_WANTED[name])
    elif name == _COUNTS:
        store.search.counts(COUNTED)
    else:
        store.counts()
