"""The SQLAlchemy store: which databases it takes, and how it queries them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import sqlite3
import sys
import types
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_mailhandler import ConfigurationError
from flask_mailhandler import mail_queue_tables
from flask_mailhandler import QueueError
from flask_mailhandler.app.queue_keys import QueueSettings
from flask_mailhandler.queue.build import store_of
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.stores.sqlalchemy import database as sqlalchemy_database
from flask_mailhandler.queue.stores.sqlalchemy.database import Database
from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
from queueing import shop
from sending import letter
from storing import add
from storing import lease
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler.queue.stores.base import Store
    from storing import Place


def store_named(named: str, app: Flask | None = None) -> Store:
    return store_of(app or Flask("shop"), QueueSettings(queue=named))


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ("sqlalchemy", r"this app does not have: call db\.init_app\(app\)"),
        ("postgres://ann:s3cret@db/shop", r"URL of SQLAlchemy: write it like 'postgresql\+"),
        ("postgresql+nosuch://ann:s3cret@db/shop", "not a URL of SQLAlchemy"),
        ("postgresql+pg8000://ann:s3cret@db/shop", "the driver pg8000 is not installed"),
        ("postgresql+asyncpg://ann:s3cret@db/shop", "asyncpg is a driver for asyncio"),
        ("postgresql+psycopg_async://ann:s3cret@db/shop", "psycopg_async is a driver for asyncio"),
        ("sqlite+aiosqlite:///app.sqlite", "aiosqlite is a driver for asyncio.*'sqlite://'"),
        ("postgresql+psycopg://ann:s3cret@db:port/shop", "not a URL of SQLAlchemy"),
        ("mysql+pymysql://ann:s3cret@db:/shop", "not a URL of SQLAlchemy"),
        ("postgresql+psycopg://ann:s3cret@db/a?prepare_threshold=many", "takes the number of uses"),
        ("postgresql+psycopg://ann:s3cret@db/a?prepare_threshold=-1", "takes the number of uses"),
        (
            "postgresql+psycopg://db/a?prepare_threshold=5&prepare_threshold=6",
            "takes the number of uses",
        ),
        ("sqlite://", "a database in memory is lost with its process"),
        ("sqlite:///:memory:", "a database in memory"),
    ],
)
def test_wrong_places(named: str, error: str) -> None:
    """A database that does not exist, or in which mail cannot wait, is an error that says what to
    write and shows no password."""
    with pytest.raises(ConfigurationError, match=error) as caught:
        store_named(named)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("mssql+pymssql://", "MariaDB or MySQL, not of 'mssql'"),
        ("mysql+mysqlconnector://", r"Write 'mysql\+pymysql://'"),
    ],
)
def test_another_kind_of_database(url: str, error: str) -> None:
    """Only databases that can give rows to many workers, and that were tested, are allowed."""
    app = Flask("shop")
    driver = types.SimpleNamespace(paramstyle="format", version_info=(2, 0))
    app.extensions["sqlalchemy"] = Engines(sa.create_engine(url, module=driver))

    with pytest.raises(ConfigurationError, match=error):
        store_named("sqlalchemy", app)


@dataclasses.dataclass
class Engines:
    """The attributes that an extension for SQLAlchemy must have."""

    engine: sa.Engine


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """If SQLAlchemy is not installed, the error names the extra."""
    for name in [name for name in sys.modules if ".queue.stores.sqlalchemy" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'Flask-MailHandler\[sqlalchemy\]'"):
        store_named("sqlalchemy")


def test_a_relative_file(tmp_path: Path) -> None:
    """The path of an SQLite file is relative to the app's instance folder, as with Flask-
    SQLAlchemy."""
    with shop(tmp_path / "instance", MAIL_QUEUE="sqlite:///mail.sqlite") as here:
        here.mail.send_later(letter())

        assert (tmp_path / "instance" / "mail.sqlite").exists()
        assert repr(here.queue) == (
            f"<MailQueue <SqlalchemyStore sqlite:///{tmp_path}/instance/mail.sqlite>>"
        )


def test_no_password_is_shown() -> None:
    """The name of a store has the database in it, and no password, wherever the URL has it."""
    store = store_named("postgresql+psycopg://ann:s3cret@db:5433/shop?password=s3cret")

    assert str(store) == "postgresql+psycopg://ann:***@db:5433/shop"
    assert "s3cret" not in repr(store)
    assert store.begun


def test_the_same_in_a_schema(tmp_path: Path) -> None:
    """The tables are in the schema of the app's metadata."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.sqlite"
    db = SQLAlchemy(app, metadata=sa.MetaData(schema="mail"))
    store = store_named("sqlalchemy", app)

    assert isinstance(store, SqlalchemyStore)
    tables = mail_queue_tables(db.metadata)
    assert [table.schema for table in tables] == ["mail"] * 5
    assert store.database.rows.schema == "mail"
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(
    "place",
    [
        "sqlalchemy",
        *(pytest.param(name, marks=pytest.mark.services) for name in ("postgresql", "mariadb")),
    ],
    indirect=True,
)
def test_an_error_of_any_kind(place: Place) -> None:
    """An error is stored whatever characters are in it."""
    store = place.store()
    add(store, row())
    (claimed,) = store.claim("default", lease(), NOW, 1)
    failed = dataclasses.replace(claimed, state=RowState.FAILED, error="a\0b\ud800")

    assert store.settle(failed, "me")
    assert [one.error for one in store.rows(Filter(), 1)] == ["a\N{REPLACEMENT CHARACTER}b?"]


@pytest.mark.parametrize(
    "place",
    [
        "sqlalchemy",
        *(pytest.param(name, marks=pytest.mark.services) for name in ("postgresql", "mariadb")),
    ],
    indirect=True,
)
def test_tables_of_an_older_release(place: Place) -> None:
    """If a column is missing, the error says how to update the tables."""
    store = t.cast(SqlalchemyStore, place.store())
    add(store, row())
    with store.database.write() as connection:
        connection.execute(sa.text("ALTER TABLE mail_queue RENAME COLUMN ended TO was_ended"))

    with pytest.raises(
        QueueError, match=r"Flask-Migrate: flask db migrate, and flask db upgrade\.$"
    ):
        store.rows(Filter(), 1)


def test_the_journal(tmp_path: Path) -> None:
    """A file that the queue has created gets a WAL. For its own file, the app has made its
    choice."""
    with sqlite3.connect(tmp_path / "app.sqlite") as theirs:
        theirs.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    theirs.close()

    assert journal_of(tmp_path / "queue.sqlite") == "wal"
    assert journal_of(tmp_path / "app.sqlite") == "delete"


def journal_of(path: Path) -> str:
    """Store something in a file, and return its journal mode."""
    store = store_named(f"sqlite:///{path}")
    add(store, row())
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("PRAGMA journal_mode").fetchone()
    return str(found)


@pytest.mark.parametrize(
    ("journal", "this", "announced", "settled"),
    [("wal", "b00f", 1, 1), ("wal", "", 2, 1), ("delete", "b00f", 2, 2)],
)
def test_what_is_on_the_disk_at_once(
    journal: str,
    this: str,
    announced: int,
    settled: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Added and claimed rows are on the disk at once. Announcements and results may follow later
    only with a WAL, and if a crash of the machine can be detected. The connections are given back
    as they were."""
    with sqlite3.connect(tmp_path / "app.sqlite") as theirs:
        theirs.execute(f"PRAGMA journal_mode = {journal}")
        theirs.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    theirs.close()
    monkeypatch.setattr(sqlalchemy_database, "boot_id", lambda: this)
    store = store_named(f"sqlite:///{tmp_path}/app.sqlite")
    assert isinstance(store, SqlalchemyStore)
    modes, engine = list[int](), store.database.engine

    def note(connection: sa.Connection) -> None:
        modes.append(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())

    owner = store.new_owner()
    sa.event.listen(engine, "commit", note)
    add(store, row())
    (claimed,) = store.claim("default", lease(owner), NOW, 1)
    store.announce(claimed.id, owner, "[]")
    store.settle(claimed, owner)
    sa.event.remove(engine, "commit", note)
    with engine.connect() as connection:
        note(connection)
    store.close()

    assert modes == [2, 2, announced, settled, 2]


def test_a_machine_that_went_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that a worker had claimed when the machine of a WAL went down are held, because an
    announcement may be lost."""
    with shop(tmp_path, MAIL_QUEUE="sqlite:///queue.sqlite") as here:
        for _ in range(2):
            here.mail.send_later(letter())
        worker = here.queue.worker()
        here.queue.store.claim("default", Lease(worker.owner, 1.0), here.rows[0].due, 1)
        assert here.queue.store.remembers(worker.owner)
        monkeypatch.setattr(sqlalchemy_database, "boot_id", lambda: "another")
        here.queue.worker().upkeep.recover()

        assert here.states == ["held", "waiting"]
        assert "went down" in here.rows[0].error


def test_transactions_that_an_app_begins(tmp_path: Path) -> None:
    """An app may begin every transaction at once, as SQLAlchemy's page on pysqlite says for
    savepoints. The queue then writes in that transaction."""
    app = Flask("shop")
    engine = sa.create_engine(f"sqlite:///{tmp_path}/app.sqlite", isolation_level="AUTOCOMMIT")
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    app.extensions["sqlalchemy"] = Engines(engine)
    store = store_named("sqlalchemy", app)
    add(store, row())
    owner = store.new_owner()
    (claimed,) = store.claim("default", lease(owner), NOW, 1)

    assert store.announce(claimed.id, owner, "[]")
    assert store.settle(claimed, owner)
    engine.dispose()


def test_no_question_reads_the_whole_table(tmp_path: Path) -> None:
    """Every query that a worker makes for each message uses an index, so a million rows cost no
    more."""
    store = store_named(f"sqlite:///{tmp_path}/shop.sqlite")
    assert isinstance(store, SqlalchemyStore)
    asked: dict[str, t.Any] = {}

    def note(_: object, __: object, statement: str, values: t.Any, *rest: object) -> None:
        asked[statement] = values

    sa.event.listen(store.database.engine, "before_cursor_execute", note)
    add(store, row(key="k"))
    asked.clear()
    store.claim("default", lease(), NOW, 10)
    store.claim("default", lease(), NOW, 10, "here")
    store.owners()
    store.ring("default", NOW, NOW + 1)
    store.answer("default")
    store.announce(1, "me", "[]")
    store.renew(lease())
    store.release([1], "me")
    store.lost(NOW, 120, ["dead"])
    store.pull(NOW, 3600)
    store.pause("default")
    store.take_rate("default", ((1, 1.0),), NOW, 1)
    store.content(1)
    store.settle(row(id=1), "me", drop=True)
    sa.event.remove(store.database.engine, "before_cursor_execute", note)
    with store.database.engine.connect() as connection:
        plans = [
            str(step[3])
            for statement, values in asked.items()
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    store.close()

    assert len(asked) > 12
    scans = {plan for plan in plans if plan.startswith("SCAN") and "mail_queue" in plan}
    # Of the claimed rows, which are never many, those of one owner.
    assert scans <= {"SCAN mail_queue USING INDEX mail_queue_lease"}


def test_altering_in_transactions_that_an_app_begins(tmp_path: Path) -> None:
    """An app may begin every transaction as one that reads, as SQLAlchemy's manual says for
    savepoints. A change of rows then waits for other writers, and neither fails nor loses a
    change."""
    stores = []
    for _ in range(2):
        url = f"sqlite:///{tmp_path}/app.sqlite?timeout=60"
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        stores.append(SqlalchemyStore(Database(engine, None, ours=True), "shop"))
    add(stores[0], row())

    def count(store: SqlalchemyStore) -> None:
        for _ in range(50):
            store.alter(
                [1],
                [RowState.WAITING],
                lambda found: dataclasses.replace(found, attempts=found.attempts + 1),
            )

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for done in [pool.submit(count, store) for store in stores]:
            done.result()

    assert [one.attempts for one in stores[0].rows(Filter(), 9)] == [100]
    for store in stores:
        store.close()
