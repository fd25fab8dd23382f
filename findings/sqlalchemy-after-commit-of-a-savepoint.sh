#!/usr/bin/env bash
# An app sends the mail of an order when its transaction is committed, from SQLAlchemy's event "after_commit" of the
# session. One guesses that the event comes when the data is safe. But it also comes at the end of each begin_nested(),
# which only releases a savepoint: the mail is sent, and the transaction around it can still be rolled back, with the
# order. Its handler has to ask session.in_nested_transaction(), which is still true then. The event "after_rollback"
# comes at the end of the outer transaction, too late for the mail.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlalchemy==2.1.9
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy import orm
from sqlalchemy.pool import StaticPool

engine = sa.create_engine("sqlite://", poolclass=StaticPool)


# As SQLAlchemy's page on pysqlite says, so that SQLite has savepoints.
@event.listens_for(engine, "connect")
def leave_begin_to_us(connection, _):
    connection.isolation_level = None


@event.listens_for(engine, "begin")
def begin(connection):
    connection.exec_driver_sql("BEGIN")


class Base(orm.DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)


Base.metadata.create_all(engine)
Session = orm.sessionmaker(engine)
mails = []
event.listen(Session, "after_commit", lambda session: mails.append(session.in_nested_transaction()))


def stored():
    with engine.connect() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(Order))


with Session() as session:
    with session.begin_nested():
        session.add(Order())
    session.rollback()
nested, rows = list(mails), stored()
mails.clear()
with Session() as session:
    session.add(Order())
    session.commit()
print("SQLAlchemy", version("sqlalchemy"))
print(f"    begin_nested(), then rollback(): {len(nested)} mail, {rows} orders; in a nested transaction: {nested}")
print(f"    commit(): {len(mails)} mail, {stored()} orders; in a nested transaction: {mails}")
assert (mails, stored()) == ([False], 1), "the event is not sent"
assert (nested, rows) == ([True], 0), "the behaviour has changed"
PYTHON
