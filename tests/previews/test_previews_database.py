"""What a preview writes into a database is rolled back: Flask-SQLAlchemy."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import sqlalchemy.orm
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.previews.rendering import render
from flask_mailhandler.previews.rendering import Rendered


class Shop:
    """An app with a table of users in one database, with Ann, and a table of entries in another."""

    def __init__(self, users: str, entries: str) -> None:
        self.app = Flask("shop")
        self.app.config["SQLALCHEMY_DATABASE_URI"] = users
        self.app.config["SQLALCHEMY_BINDS"] = {"log": entries}
        self.db = db = SQLAlchemy(self.app)
        self.mail = Mail(self.app)

        class User(db.Model):  # type: ignore[name-defined, misc]
            name = db.Column(db.String, primary_key=True)

        class Entry(db.Model):  # type: ignore[name-defined, misc]
            __bind_key__ = "log"
            name = db.Column(db.String, primary_key=True)

        self.user, self.entry = User, Entry
        with self.app.app_context():
            db.create_all()
            db.session.add(User(name="Ann"))
            db.session.commit()

    def preview(self, function: t.Callable[[], None]) -> Rendered:
        """Render a preview that does this, and return the users in the database."""

        @self.mail.preview("Hi")
        def hi() -> Message:
            function()
            names = self.db.session.scalars(self.db.select(self.user.name).order_by("name"))
            return Message(subject=" ".join(names), text="x")

        sample = self.mail.previews.find("Hi")
        assert sample is not None
        return render(self.app, sample)

    def kept(self) -> list[str]:
        """Return the users in the databases, as another session sees them."""
        with self.app.app_context():
            users = self.db.session.scalars(self.db.select(self.user.name))
            entries = self.db.session.scalars(self.db.select(self.entry.name))
            return sorted([*users, *entries])

    def close(self) -> None:
        with self.app.app_context():
            for engine in self.db.engines.values():
                engine.dispose()


@pytest.fixture(params=["file", "memory"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[Shop]:
    in_files = request.param == "file"
    found = Shop(*(f"sqlite:///{tmp_path / name}" if in_files else "sqlite://" for name in "ab"))
    yield found
    found.close()


def add(shop: Shop, end: str) -> None:
    shop.db.session.add_all([shop.user(name="Bob"), shop.entry(name="Bob was here")])
    getattr(shop.db.session, end)()


@pytest.mark.parametrize("end", ["commit", "flush"])
def test_what_is_added(shop: Shop, end: str) -> None:
    """A preview reads what it added, committed or not, and no other session does."""
    rendered = shop.preview(lambda: add(shop, end))

    assert b"Subject: Ann Bob\r\n" in rendered.content
    assert shop.kept() == ["Ann"]


def test_a_rollback_in_between(shop: Shop) -> None:
    """The preview's own rollback takes back what came after its last commit."""

    def work() -> None:
        add(shop, "commit")
        shop.db.session.add(shop.user(name="Cid"))
        shop.db.session.rollback()

    assert b"Subject: Ann Bob\r\n" in shop.preview(work).content
    assert shop.kept() == ["Ann"]


def test_a_savepoint(shop: Shop) -> None:
    """The preview's own savepoint works."""

    def work() -> None:
        with shop.db.session.begin_nested():
            shop.db.session.add(shop.user(name="Bob"))
        shop.db.session.commit()

    assert b"Subject: Ann Bob\r\n" in shop.preview(work).content
    assert shop.kept() == ["Ann"]


def test_what_is_deleted(shop: Shop) -> None:
    """Rows that a preview deletes and commits still exist afterwards."""

    def work() -> None:
        shop.db.session.execute(shop.db.delete(shop.user))
        shop.db.session.commit()

    assert b"Subject:" not in shop.preview(work).content
    assert shop.kept() == ["Ann"]


def test_an_error(shop: Shop) -> None:
    """Rows that a preview committed before it failed are rolled back."""

    def work() -> None:
        add(shop, "commit")
        raise LookupError

    rendered = shop.preview(work)

    assert rendered.failure is not None
    assert rendered.failure.kind == "LookupError"
    assert shop.kept() == ["Ann"]


def test_the_session_of_who_looks(shop: Shop) -> None:
    """The session of the page that shows a preview, or of a test, is not touched."""
    with shop.app.app_context():
        shop.db.session.add(shop.user(name="Dee"))
        shop.preview(lambda: None)
        shop.db.session.commit()

    assert shop.kept() == ["Ann", "Dee"]


def test_a_database_that_is_not_used(tmp_path: Path) -> None:
    """A preview that reads nothing opens no connection."""
    app = Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'missing' / 'x.db'}"
    SQLAlchemy(app)
    mail = Mail(app)
    mail.preview("Hi")(lambda: Message(subject="Hi", text="x"))

    (sample,) = mail.previews.samples()

    assert render(app, sample).failure is None


def test_a_session_in_a_transaction_of_a_test(shop: Shop) -> None:
    """If a test replaced the engine with its own connection, that connection's transaction is the
    same after the preview."""
    db = shop.db
    with shop.app.app_context(), db.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        connection.execute(db.insert(shop.user).values(name="Eve"))
        engines = t.cast(t.Any, db)._app_engines[shop.app]
        engine, engines[None] = engines[None], connection
        rendered = shop.preview(lambda: add_user(shop))
        engines[None] = engine

        assert b"Subject: Ann Bob Eve\r\n" in rendered.content
        names = connection.scalars(db.select(shop.user.name).order_by("name"))
        assert [*names] == ["Ann", "Eve"]
        connection.rollback()


def add_user(shop: Shop) -> None:
    shop.db.session.add(shop.user(name="Bob"))
    shop.db.session.commit()


def test_a_session_that_is_no_registry(tmp_path: Path) -> None:
    """If the extension has one session for the context, as Flask-SQLAlchemy-Lite, it is rolled back
    too."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with engine.begin() as connection:
        connection.exec_driver_sql("create table user (name text)")

    class Lite:
        session = sqlalchemy.orm.Session(engine)

    app = Flask("shop")
    app.extensions["sqlalchemy"] = Lite
    mail = Mail(app)

    @mail.preview("Hi")
    def hi() -> Message:
        Lite.session.execute(sqlalchemy.text("insert into user values ('Ann')"))
        Lite.session.commit()
        found = Lite.session.scalars(sqlalchemy.text("select name from user"))
        return Message(subject=" ".join(found), text="x")

    (sample,) = mail.previews.samples()
    rendered = render(app, sample)

    assert b"Subject: Ann\r\n" in rendered.content
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select count(*) from user").scalar_one() == 0
    engine.dispose()
