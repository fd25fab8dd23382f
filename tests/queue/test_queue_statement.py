"""Statements that the driver runs: the same results and promises as through SQLAlchemy."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask

from flask_mailhandler import QueueError
from flask_mailhandler.app.queue_keys import QueueSettings
from flask_mailhandler.queue.build import store_of
from flask_mailhandler.queue.stores.sqlalchemy import prepared
from flask_mailhandler.queue.stores.sqlalchemy.lending import Lender
from flask_mailhandler.queue.stores.sqlalchemy.statement import Statement
from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
from storing import add
from storing import lease
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.database_server import DatabaseServer
    from servers.postgresql import Postgresql

_numbers = sa.table("numbers", sa.column("n", sa.Integer), sa.column("word", sa.Text))
_n = _numbers.c.n
_least: sa.BindParameter[int] = sa.bindparam("least")
_word: sa.BindParameter[str] = sa.bindparam("word")
_chosen, _change = sa.select(_n), sa.update(_numbers)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with three numbers."""
    made = sa.create_engine(f"sqlite:///{tmp_path}/app.sqlite")
    with made.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER, word TEXT)")
        connection.exec_driver_sql("INSERT INTO numbers VALUES (1, 'a'), (2, 'b'), (3, NULL)")
    yield made
    made.dispose()


@pytest.mark.parametrize(
    ("core", "values", "rows"),
    [
        (_chosen.where(_n >= _least).limit(1), {"least": 2}, [(2,)]),
        (_chosen.where(_n > _least, _n < _least + 2), {"least": 1}, [(2,)]),
        (_chosen.where(_n < 2).union_all(_chosen.where(_n > _least)), {"least": 2}, [(1,), (3,)]),
        (_change.values(word=None).where(_n == _least).returning(_n), {"least": 1}, [(1,)]),
        (_change.values(word=_word).where(_n == 9).returning(_n), {"word": "z"}, []),
        (_change.values(word=_word).where(_n < 3), {"word": "z"}, [(), ()]),
        (sa.delete(_numbers).where(_n == _least), {"least": 3}, [()]),
        (sa.delete(_numbers).where(_n == _least), {"least": 9}, []),
    ],
)
def test_the_driver_and_sqlalchemy(
    core: sa.Executable, values: dict[str, object], rows: list[object], engine: sa.Engine
) -> None:
    """The driver gets each parameter where SQLAlchemy puts it, and returns the same rows, or as
    many as were changed."""
    statement = Statement(core, engine.dialect)
    with engine.connect() as connection:
        through = statement.run_on(connection, values)  # and rolled back
    direct = Lender(engine).take().run(statement, values)

    assert [*map(tuple, through)] == [*map(tuple, direct)] == rows


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
def test_a_statement_that_was_interrupted(error: type[BaseException], engine: sa.Engine) -> None:
    """A connection is not used again after an error, because it may hold half a reply. What was not
    committed is rolled back."""
    lender = Lender(engine)
    first = lender.take()
    first.driver.execute("DELETE FROM numbers")
    lender.drop(first, error())
    second = lender.take().driver
    left = second.execute("SELECT count(*) FROM numbers").fetchone()

    assert (second is first.driver, left) == (False, (3,))


@pytest.mark.services
@pytest.mark.parametrize("key", [None, "welcome"])
@pytest.mark.parametrize(
    ("database_server", "lock"),
    [("postgresql", "LOCK TABLE mail_queue"), ("mariadb", "LOCK TABLES mail_queue WRITE")],
    indirect=["database_server"],
)
def test_an_exception_of_a_signal_handler(
    database_server: DatabaseServer, lock: str, key: str | None
) -> None:
    """After the time limit of a task, which a signal handler raises in the middle of a statement,
    the next statement runs. Its connection is another one."""
    with database_server.database() as url, _alarm():
        store = _store_at(url)
        add(store, row())
        other = sa.create_engine(url)
        with other.connect() as connection:
            connection.exec_driver_sql(lock)
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(TimeLimit):
                add(store, row(key=key))
        other.dispose()
        add(store, row(key="another"))
        add(store, row())
        store.close()


@pytest.mark.services
def test_a_column_that_becomes_longer(postgresql: Postgresql) -> None:
    """After an ALTER TABLE, a statement that PostgreSQL has prepared fails once at most."""
    with postgresql.database() as url:
        store, other = _store_at(url), sa.create_engine(url)
        for _ in range(prepared.USES + 2):
            add(store, row())
            store.claim("default", lease("me"), NOW, 1)
            store.get(1)
        with other.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE mail_queue ALTER account TYPE varchar(400)")
        other.dispose()
        add(store, row())
        with contextlib.suppress(QueueError):
            store.claim("default", lease("me"), NOW, 1)
        store.claim("default", lease("me"), NOW, 1)
        with contextlib.suppress(QueueError):
            store.get(1)
        found = store.get(1)
        store.close()

        assert found is not None


def test_a_connection_stays_lent(engine: sa.Engine) -> None:
    """A connection is lent to one caller at a time, and stays lent for the next. None is left when
    the lender is closed."""
    lender = Lender(engine)
    first, other = lender.take(), lender.take()
    assert first.driver is not other.driver
    lender.take_back(first)
    lender.take_back(other)
    second = lender.take()
    assert second is first
    lender.take_back(second)
    pool: t.Any = engine.pool
    assert pool.checkedout() == 1
    lender.close()

    assert pool.checkedout() == 0


def test_a_connection_of_a_pool_that_was_dropped(engine: sa.Engine) -> None:
    """If the server closes one connection, another that is lent is closed when it comes back."""
    lender = Lender(engine)
    first, other = lender.take(), lender.take()
    lender.drop(first, sqlite3.ProgrammingError("Cannot operate on a closed database."))
    lender.take_back(other)

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        other.driver.execute("SELECT 1")
    assert lender.take().driver is not other.driver


def test_what_the_driver_writes_to_the_disk(tmp_path: Path) -> None:
    """In a WAL, an added and a claimed row are on the disk at once. An announcement and a result
    may follow later, and leave the connection as it was."""
    store = _store(tmp_path)
    told = list[str]()
    sa.event.listen(
        store.database.engine, "connect", lambda driver, _: driver.set_trace_callback(told.append)
    )
    owner = store.new_owner()
    add(store, row())
    (claimed,) = store.claim("default", lease(owner), NOW, 1)
    at_once = [one for one in told if "synchronous =" in one]
    del told[:]
    store.announce(claimed.id, owner, "[]")
    announced = [one for one in told if "synchronous =" in one or one == "COMMIT"]
    del told[:]
    store.settle(claimed, owner, drop=True)
    settled = [one for one in told if "synchronous =" in one or one == "COMMIT"]
    store.close()

    assert at_once == []
    lazily = ["PRAGMA synchronous = 1", "COMMIT", "PRAGMA synchronous = 2"]
    assert (announced, settled) == (lazily, lazily)


def test_an_engine_with_listeners(tmp_path: Path) -> None:
    """A listener of the engine, such as one that traces an app, sees every statement."""
    store = _store(tmp_path)
    store.due("default")
    seen = list[str]()
    sa.event.listen(
        store.database.engine, "before_cursor_execute", lambda *about: seen.append(about[2])
    )
    add(store, row())
    (claimed,) = store.claim("default", lease("me"), NOW, 1)
    store.announce(claimed.id, "me", "[]")
    store.settle(claimed, "me", drop=True)
    store.pause("default")
    store.close()

    for words in (
        "INSERT INTO mail_queue ",
        "INSERT INTO mail_queue_content",
        "SET changed=?, state=?, attempts",
        "SET ended=?",
        "SET priority=?",
        "DELETE FROM mail_queue_content",
        "SELECT mail_queue_account.paused_until",
    ):
        assert [one for one in seen if words in one], words


class TimeLimit(Exception):
    """As Celery has one. PyMySQL takes an OSError, such as TimeoutError, for one of its socket."""


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    """Raise TimeLimit when the process gets SIGALRM."""

    def rings(*_: object) -> t.NoReturn:
        raise TimeLimit

    before = signal.signal(signal.SIGALRM, rings)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _store(folder: Path) -> SqlalchemyStore:
    return _store_at(f"sqlite:///{folder}/queue.sqlite")


def _store_at(url: str) -> SqlalchemyStore:
    found = store_of(Flask("shop"), QueueSettings(queue=url))
    assert isinstance(found, SqlalchemyStore)
    return found
