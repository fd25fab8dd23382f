"""Mail in the app's own transaction, in the tests of an app: in the outbox when it commits."""

from __future__ import annotations

import typing as t

import pytest
import sqlalchemy as sa
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import orm

from flask_mailhandler import MessageError
from queueing import Shop
from sending import letter
from sending import letters

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler import Outbox


class Case(t.NamedTuple):
    """An app in a test, with a database and the captured mail."""

    here: Shop
    db: SQLAlchemy
    outbox: Outbox


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    """An app with a database that has no tables of the queue."""
    url = f"sqlite:///{tmp_path}/shop.sqlite"
    here = Shop(tmp_path, TESTING=True, MAIL_QUEUE="sqlalchemy", SQLALCHEMY_DATABASE_URI=url)
    db = SQLAlchemy(here.app)
    sa.Table("orders", db.metadata, sa.Column("id", sa.Integer, primary_key=True))

    @here.app.post("/order")
    def order() -> str:
        db.session.execute(sa.insert(db.metadata.tables["orders"]))
        here.mail.send_later(letter(), key="order:1", session=db.session)
        db.session.commit()
        return "ok"

    with here.app.app_context(), here.mail.capture() as outbox:
        db.create_all()
        yield Case(here, db, outbox)
        db.session.remove()
        db.engine.dispose()


def test_it_lands_at_commit(case: Case) -> None:
    """A captured message is in the outbox when its transaction commits."""
    here, db, outbox = case
    ticket = here.mail.send_later(letter(), session=db.session)
    before = len(outbox)
    db.session.commit()

    (captured,) = outbox
    assert (before, captured.queued, captured.message_id) == (0, True, ticket.message_id)
    assert sa.inspect(db.engine).get_table_names() == ["orders"]


def test_it_does_not_land_after_a_rollback(case: Case) -> None:
    """Mail that was rolled back, with the whole transaction or to a savepoint, is not in the
    outbox."""
    here, db, outbox = case
    here.mail.send_later(letter(), session=db.session)
    db.session.rollback()
    kept = here.mail.send_later(letter(), session=db.session)
    savepoint = db.session.begin_nested()
    here.mail.send_later(letter(), session=db.session)
    savepoint.rollback()
    with db.session.begin_nested():
        released = here.mail.send_later(letter(), session=db.session)
    before = len(outbox)
    db.session.commit()

    assert before == 0
    assert [one.message_id for one in outbox] == [kept.message_id, released.message_id]


def test_a_key(case: Case) -> None:
    """A key is one message, before and after the commit. The key of a message that was rolled back
    is free."""
    here, db, outbox = case
    here.mail.send_later(letter(), key="k", session=db.session)
    db.session.rollback()
    first = here.mail.send_later(letter(), key="k", session=db.session)
    again = here.mail.send_later(letter(), key="k", session=db.session)
    db.session.commit()
    late = here.mail.send_later(letter(), key="k", session=db.session)
    db.session.commit()

    assert [ticket.created for ticket in (first, again, late)] == [True, False, False]
    assert {again.message_id, late.message_id} == {first.message_id}
    assert [one.key for one in outbox] == ["k"]


def test_many(case: Case) -> None:
    """send_later_each lands at commit too."""
    here, db, outbox = case
    tickets = [*here.mail.send_later_each(letters(3), session=db.session)]
    before = len(outbox)
    db.session.commit()

    assert (before, len(outbox)) == (0, 3)
    assert [one.message_id for one in outbox] == [ticket.message_id for ticket in tickets]


def test_what_is_wrong(case: Case) -> None:
    """A value that is not a session is refused in a test as well."""
    with pytest.raises(MessageError, match="session= takes a Session"):
        case.here.mail.send_later(letter(), session="db.session")


def test_a_view(case: Case) -> None:
    """When a view commits, the mail is sent, in the context of the request."""
    assert case.here.app.test_client().post("/order").text == "ok"
    assert len(case.outbox) == 1


# The usual outer transactions, which are rolled back when a test is over.


def test_joined_by_a_session(case: Case) -> None:
    """If a session has joined an outer transaction (SQLAlchemy's recipe), mail that the app commits
    is in the outbox, and mail that it rolls back is not."""
    here, db, outbox = case
    with db.engine.connect() as connection:
        outer = connection.begin()
        with orm.Session(connection, join_transaction_mode="create_savepoint") as session:
            here.mail.send_later(letter(), session=session)
            session.rollback()
            kept = here.mail.send_later(letter(), session=session)
            before = len(outbox)
            session.commit()
            landed = len(outbox)
        outer.rollback()

    assert (before, landed) == (0, 1)
    assert [one.message_id for one in outbox] == [kept.message_id]


def test_joined_by_flask_sqlalchemy(case: Case) -> None:
    """If an outer transaction replaces Flask-SQLAlchemy's engine, the mail of a view that commits
    is in the outbox."""
    here, db, outbox = case
    engine = db.engine
    with engine.connect() as connection:
        outer = connection.begin()
        engines = t.cast("dict[str | None, t.Any]", db.engines)
        engines[None] = connection
        here.app.test_client().post("/order")
        landed = len(outbox)
        engines[None] = engine
        outer.rollback()

    assert landed == 1
    rows = db.session.scalar(sa.select(sa.func.count()).select_from(db.metadata.tables["orders"]))
    assert rows == 0
