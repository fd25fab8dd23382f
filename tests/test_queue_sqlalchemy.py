"""The SQLAlchemy stores: which database, and what is asked of it."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing as t

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_mailhandler import ConfigurationError
from flask_mailhandler import mail_queue_tables
from flask_mailhandler.queue.places import store_of
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.sqlalchemy_store import SqlalchemyStore
from flask_mailhandler.queue.store import Filter
from flask_mailhandler.queue_settings import QueueSettings
from queueing import shop
from sending import letter
from storing import add
from storing import lease
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler.queue.store import Store
    from storing import Place


def store_named(named: str, app: Flask | None = None) -> Store:
    return store_of(app or Flask("shop"), QueueSettings(queue=named))


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ("sqlalchemy", r"this app has not: call db\.init_app\(app\)"),
        ("postgres://ann:s3cret@db/shop", r"no URL of SQLAlchemy: write it as in 'postgresql\+"),
        ("postgresql+nosuch://ann:s3cret@db/shop", "no URL of SQLAlchemy"),
        ("postgresql+pg8000://ann:s3cret@db/shop", "the driver pg8000 is not installed"),
        ("sqlite://", "a database in memory is gone with its process"),
        ("sqlite:///:memory:", "a database in memory"),
    ],
)
def test_wrong_places(named: str, error: str) -> None:
    """A database that there is not, or where mail cannot wait, is an error that says what to
    write, and shows no password."""
    with pytest.raises(ConfigurationError, match=error) as caught:
        store_named(named)

    assert "s3cret" not in str(caught.value)


def test_another_kind_of_database() -> None:
    """Only what can hand out rows to many workers, and was tried here, is taken."""
    app = Flask("shop")
    driver = types.SimpleNamespace(paramstyle="format", version_info=(2, 0))
    app.extensions["sqlalchemy"] = Engines(sa.create_engine("mysql+mysqldb://", module=driver))

    with pytest.raises(ConfigurationError, match=r"SQLite and PostgreSQL, not of\s+mysql"):
        store_named("sqlalchemy", app)


@dataclasses.dataclass
class Engines:
    """What an extension for SQLAlchemy must have."""

    engine: sa.Engine


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where SQLAlchemy is not installed an error names the extra."""
    for name in [name for name in sys.modules if "queue.sqlalchemy_" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'Flask-MailHandler\[sqlalchemy\]'"):
        store_named("sqlalchemy")


def test_a_relative_file(tmp_path: Path) -> None:
    """A file of SQLite is named from the app's instance folder on, as Flask-SQLAlchemy does."""
    with shop(tmp_path / "instance", MAIL_QUEUE="sqlite:///mail.sqlite") as here:
        here.mail.send_later(letter())

        assert (tmp_path / "instance" / "mail.sqlite").exists()
        assert repr(here.queue) == (
            f"<MailQueue <SqlalchemyStore sqlite:///{tmp_path}/instance/mail.sqlite>>"
        )


def test_no_password_is_shown() -> None:
    """The name of a store has the database in it, and no password, wherever that stands."""
    store = store_named("postgresql+psycopg://ann:s3cret@db:5433/shop?password=s3cret")

    assert str(store) == "postgresql+psycopg://ann:***@db:5433/shop"
    assert "s3cret" not in repr(store)
    assert store.begun


def test_the_same_in_a_schema(tmp_path: Path) -> None:
    """The tables are where the app's metadata say."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.sqlite"
    db = SQLAlchemy(app, metadata=sa.MetaData(schema="mail"))
    store = store_named("sqlalchemy", app)

    assert isinstance(store, SqlalchemyStore)
    tables = mail_queue_tables(db.metadata)
    assert [table.schema for table in tables] == ["mail"] * 3
    assert store.database.rows.schema == "mail"
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(
    "place",
    ["sqlalchemy", pytest.param("postgresql", marks=pytest.mark.services)],
    indirect=True,
)
def test_an_error_of_any_kind(place: Place) -> None:
    """What went wrong is written down whatever characters are in it."""
    store = place.store()
    add(store, row())
    (claimed,) = store.claim("default", lease(), NOW, 1)
    failed = dataclasses.replace(claimed, state=RowState.FAILED, error="a\0b\ud800")

    assert store.settle(failed, "me")
    assert [one.error for one in store.rows(Filter(), 1)] == ["a\N{REPLACEMENT CHARACTER}b?"]


def test_no_question_reads_the_whole_table(tmp_path: Path) -> None:
    """What a worker asks for each message is answered by an index: a million rows cost no more."""
    store = store_named(f"sqlite:///{tmp_path}/shop.sqlite")
    assert isinstance(store, SqlalchemyStore)
    asked: dict[str, t.Any] = {}

    def note(_: object, __: object, statement: str, values: t.Any, *rest: object) -> None:
        asked[statement] = values

    sa.event.listen(store.database.engine, "before_cursor_execute", note)
    add(store, row(key="k"))
    asked.clear()
    store.claim("default", lease(), NOW, 10)
    store.claim_these([1], lease(), NOW)
    store.announce(1, "me", "[]")
    store.renew(lease())
    store.release([1], "me")
    store.lost(NOW, 120)
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
