"""Mail in the app's own transaction: it is queued with the transaction, or not at all."""

from __future__ import annotations

import contextlib
import logging
import typing as t

import pytest
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import orm

from flask_mailhandler import ConfigurationError
from flask_mailhandler import mail_queue_tables
from flask_mailhandler import message_queued
from flask_mailhandler import MessageError
from flask_mailhandler import QueueError
from flask_mailhandler.queue.engines.base import Engine
from flask_mailhandler.queue.stores.sqlalchemy import database as sqlalchemy_database
from queueing import Shop
from queueing import shop
from sending import letter
from sending import letters
from sending import Scripted

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.database_server import DatabaseServer


class Rings(Engine):
    """Records the accounts for which it was rung."""

    def ring(self, account: str, due: float) -> None:
        self.queue.rung = [*getattr(self.queue, "rung", []), account]  # type: ignore[attr-defined]


def rung(here: Shop) -> list[str]:
    """The accounts for which the bell has rung."""
    return [*getattr(here.queue, "rung", [])]


class Store(t.NamedTuple):
    """An app with a database."""

    here: Shop
    db: SQLAlchemy


@pytest.fixture(
    params=[
        "sqlite",
        *(pytest.param(name, marks=pytest.mark.services) for name in ("postgresql", "mariadb")),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database; SQLite's is empty, a server's has the tables of the queue."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/shop.sqlite"
        return
    server: DatabaseServer = request.getfixturevalue(request.param)
    with server.database() as found:
        yield found


@pytest.fixture
def store(url: str, tmp_path: Path) -> Iterator[Store]:
    """An app whose mail waits in the database of its Flask-SQLAlchemy, with a table of its own."""
    with with_db(tmp_path, url) as found:
        yield found


@contextlib.contextmanager
def with_db(folder: Path, url: str, server: t.Any = None, **keys: t.Any) -> Iterator[Store]:
    keys = {"SQLALCHEMY_DATABASE_URI": url, "MAIL_QUEUE": "sqlalchemy", **keys}
    keys.setdefault("MAIL_QUEUE_ENGINE", Rings)
    made = Shop(folder, server, **keys)
    db = SQLAlchemy(made.app)
    sa.Table("orders", db.metadata, sa.Column("id", sa.Integer, primary_key=True))
    with made.app.app_context():
        db.create_all()
        try:
            yield Store(made, db)
        finally:
            made.queue.close()
            db.session.remove()
            db.engine.dispose()


def order(db: SQLAlchemy) -> None:
    """Add something of the app's own in the transaction."""
    db.session.execute(sa.insert(db.metadata.tables["orders"]))


def orders(db: SQLAlchemy) -> int:
    """How many there are. This ends the transaction."""
    found = db.session.scalar(sa.select(sa.func.count()).select_from(db.metadata.tables["orders"]))
    db.session.rollback()
    return found or 0


def test_committed(store: Store) -> None:
    """With session= a message is queued, and the bell rings, when the transaction commits."""
    here, db = store
    order(db)
    ticket = here.mail.send_later(letter(), session=db.session)
    order(db)
    before = rung(here)
    db.session.commit()

    assert (before, rung(here)) == ([], ["default"])
    assert (here.states, orders(db)) == (["waiting"], 2)
    assert here.rows[0].message_id == ticket.message_id


def test_rolled_back(store: Store) -> None:
    """A transaction that is rolled back takes its mail along, and the session may be used again."""
    here, db = store
    order(db)
    here.mail.send_later(letter(), session=db.session)
    db.session.rollback()

    assert (rung(here), here.states, orders(db)) == ([], [], 0)

    here.mail.send_later(letter(), session=db.session)
    db.session.commit()
    assert (len(rung(here)), here.states) == (1, ["waiting"])


def test_savepoints(store: Store) -> None:
    """Mail of a savepoint goes with the savepoint, and then with the transaction around it:
    releasing a savepoint commits nothing."""
    here, db = store
    order(db)
    with db.session.begin_nested():
        kept = here.mail.send_later(letter(), session=db.session)
        with db.session.begin_nested():
            deep = here.mail.send_later(letter(), session=db.session)
    released = rung(here)
    with contextlib.suppress(LookupError), db.session.begin_nested():
        with db.session.begin_nested():
            here.mail.send_later(letter(), session=db.session)
        here.mail.send_later(letter(), session=db.session)
        raise LookupError
    last = here.mail.send_later(letter(), session=db.session)
    db.session.commit()

    assert (released, rung(here)) == ([], ["default"] * 3)
    assert [row.id for row in here.rows] == [kept.id, deep.id, last.id]


def test_a_released_savepoint_in_what_is_rolled_back(store: Store) -> None:
    """If a savepoint is released and then the whole transaction is rolled back, nothing is
    queued."""
    here, db = store
    order(db)  # SQLite's driver takes a savepoint that nothing was written before for the whole
    with db.session.begin_nested():
        here.mail.send_later(letter(), session=db.session)
    db.session.rollback()

    assert (rung(here), here.states) == ([], [])


def test_a_commit_inside_a_savepoint(store: Store) -> None:
    """A commit in the middle of a savepoint commits everything."""
    here, db = store
    db.session.begin_nested()
    here.mail.send_later(letter(), session=db.session)
    db.session.commit()

    assert (rung(here), here.states) == (["default"], ["waiting"])


def test_a_commit_that_fails(store: Store) -> None:
    """A transaction whose COMMIT or flush fails is rolled back, and its mail with it."""
    here, db = store
    here.mail.send_later(letter(), session=db.session)
    table = db.metadata.tables["orders"]
    with pytest.raises(sa.exc.IntegrityError):
        db.session.execute(sa.insert(table), [{"id": 1}, {"id": 1}])
    db.session.rollback()

    assert (rung(here), here.states) == ([], [])


def test_many_and_keys(store: Store) -> None:
    """send_later_each takes a session too; and a key is one message, in a transaction as well."""
    here, db = store
    tickets = [*here.mail.send_later_each(letters(3), session=db.session)]
    first = here.mail.send_later(letter(), key="k", session=db.session)
    again = here.mail.send_later(letter(), key="k", session=db.session)
    db.session.commit()
    later = here.mail.send_later(letter(), key="k")

    assert (first.created, again.created, later.created) == (True, False, False)
    assert {again.id, later.id} == {first.id}
    assert rung(here) == ["default"] * (len(tickets) + 1)


def test_the_signal(store: Store) -> None:
    """message_queued is sent after the commit, when its receiver may use the session again."""
    here, db = store
    told = []

    def note(sender: object, **facts: t.Any) -> None:
        db.session.execute(sa.select(1))
        told.append(facts["ticket"].id)

    message_queued.connect(note, here.app)
    ticket = here.mail.send_later(letter(), session=db.session)
    before = [*told]
    db.session.commit()
    db.session.rollback()

    assert (before, told) == ([], [ticket.id])


def test_it_is_sent(tmp_path: Path, url: str, scripted: Scripted) -> None:
    """Committed mail is sent once, by any worker that looks, and other mail is not."""
    server = scripted()
    with with_db(tmp_path, url, server) as (here, db):
        here.mail.send_later(letter(), session=db.session)
        here.queue.run_once()
        before = len(server.accepted)
        db.session.commit()
        here.queue.run_once()

        assert (before, len(server.accepted), here.states) == (0, 1, ["sent"])


def test_a_plain_session(store: Store) -> None:
    """A session without Flask-SQLAlchemy works as well, in its own block."""
    here, db = store
    with orm.Session(db.engine) as session, session.begin():
        here.mail.send_later(letter(), session=session)

    assert (rung(here), here.states) == (["default"], ["waiting"])


def test_an_outer_transaction(store: Store) -> None:
    """In a transaction that outer code holds, the bell may ring too early, and the worker finds
    nothing. A worker that looks after the COMMIT finds the row."""
    here, db = store
    here.mail.send_later(letter())
    with db.engine.connect() as connection, connection.begin():
        with orm.Session(connection, join_transaction_mode="create_savepoint") as session:
            here.mail.send_later(letter(), session=session)
            session.commit()
        early = (len(rung(here)), len(here.queue.store.due("default")))

    assert (early, len(here.states)) == ((2, 1), 2)


# What is forgotten


def test_a_context_that_ends_without_a_commit(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """When the app context ends without a commit, a warning says which mail is not queued."""
    here, db = store
    with here.app.app_context():
        lost = here.mail.send_later(letter(), session=db.session)
        db.session.begin_nested()
        deep = here.mail.send_later(letter(), session=db.session)

    (record,) = warnings_of(caplog)
    assert lost.message_id in record
    assert deep.message_id in record
    assert "session.commit()" in record
    assert here.states == []


def test_a_session_that_is_left_open(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A session that outlives the app context causes one warning, and may still be committed."""
    here, db = store
    with orm.Session(db.engine) as session:
        with here.app.app_context():
            here.mail.send_later(letter(), session=session)
        assert len(warnings_of(caplog)) == 1
        session.commit()

    assert len(warnings_of(caplog)) == 1
    assert (rung(here), here.states) == (["default"], ["waiting"])


def test_another_context_that_ends(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """The end of one context causes no warning about mail of another context."""
    here, db = store
    with orm.Session(db.engine) as session:
        here.mail.send_later(letter(), session=session)
        with here.app.app_context():
            inner = here.mail.send_later(letter(), session=session)
        (record,) = warnings_of(caplog)
        session.commit()

    assert record.count("@") == record.count(inner.message_id) == 1
    assert here.states == ["waiting"] * 2


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_no_warning(end: str, store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """A commit or a rollback causes no warning."""
    here, db = store
    with here.app.app_context():
        here.mail.send_later(letter(), session=db.session)
        with contextlib.suppress(LookupError), db.session.begin_nested():
            here.mail.send_later(letter(), session=db.session)
            raise LookupError
        getattr(db.session, end)()

    assert warnings_of(caplog) == []


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings that were logged about it."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and "not committed" in record.getMessage()
    ]


# What is wrong


@pytest.mark.parametrize("testing", [False, True])
def test_the_file_of_its_own(testing: bool, tmp_path: Path) -> None:
    """The default queue is not in the app's database. With session= an error says what to set, also
    in a test."""
    with (
        shop(tmp_path, TESTING=testing) as here,
        orm.Session() as session,
        pytest.raises(ConfigurationError, match=r"MAIL_QUEUE = 'sqlalchemy'"),
    ):
        here.mail.send_later(letter(), session=session)


def test_another_database(store: Store, tmp_path: Path) -> None:
    """A session of another database is an error, because no worker would look there."""
    engine = sa.create_engine(f"sqlite:///{tmp_path}/other.sqlite")
    with orm.Session(engine) as session, pytest.raises(ConfigurationError, match="another data"):
        store.here.mail.send_later(letter(), session=session)
    engine.dispose()


def test_no_session(store: Store) -> None:
    """A value that is not a session is an error that says how to use an asynchronous session."""
    with pytest.raises(MessageError, match=r"session= takes a Session.*not a SQLAlchemy.*run_sync"):
        store.here.mail.send_later(letter(), session=store.db)


def test_a_lock_of_ones_own(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller that waits for a transaction of its own gets an error that says how to join it."""
    here, db = store
    monkeypatch.setattr(sqlalchemy_database, "LOCK_TIMEOUT", 0.1)
    if db.engine.dialect.name == "sqlite":
        db.session.execute(sa.text("PRAGMA busy_timeout = 50"))
        sa.event.listen(db.engine, "connect", _impatient)
        db.session.remove()
        db.engine.dispose()
    here.mail.send_later(letter(), key="k", session=db.session)
    with pytest.raises(QueueError, match=r"session=db\.session"):
        here.mail.send_later(letter(), key="k")
    db.session.rollback()

    assert here.mail.send_later(letter(), key="k").created


def _impatient(connection: t.Any, record: object) -> None:
    connection.execute("PRAGMA busy_timeout = 50")


def test_tables_in_a_transaction_of_the_app(tmp_path: Path) -> None:
    """In SQLite the tables are created when they are needed, also in a transaction of the app that
    is then rolled back."""
    with with_db(tmp_path, f"sqlite:///{tmp_path}/new.sqlite") as (here, db):
        for end in (db.session.rollback, db.session.commit):
            order(db)
            here.mail.send_later(letter(), session=db.session)
            end()

        assert here.states == ["waiting"]


@pytest.mark.parametrize("joined", [True, False])
def test_no_tables(joined: bool, tmp_path: Path, database_server: DatabaseServer) -> None:
    """On a server the app creates the tables. An error says how, and the app's transaction goes
    on."""
    with (
        database_server.database(tables=False) as url,
        with_db(tmp_path, url) as (here, db),
    ):
        with pytest.raises(QueueError, match=r"mail_queue_tables\(db\.metadata\)"):
            here.mail.send_later(letter(), session=db.session if joined else None)
        assert orders(db) == 0
        mail_queue_tables(db.metadata)
        db.create_all()

        assert here.mail.send_later(letter()).created


def test_tables_of_flask_sqlalchemy(tmp_path: Path, url: str) -> None:
    """The tables may be among those of the app, even if added twice, and create_all creates
    them."""
    with with_db(tmp_path, url) as (here, db):
        assert mail_queue_tables(db.metadata) == mail_queue_tables(db.metadata)
        db.create_all()
        here.mail.send_later(letter(), session=db.session)
        db.session.commit()

        assert here.states == ["waiting"]


def test_after_a_failure(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error of the database shows the values of its statement, because they are mail."""
    here, db = store
    here.mail.send_later(letter(subject="Private"))
    with db.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE mail_queue_content"))
    with pytest.raises(QueueError) as caught:
        here.mail.send_later(letter(subject="Private"))

    assert "mail_queue_content" in str(caught.value)
    assert "Private" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert here.states == ["waiting"]
