"""Writing rows through a connection of SQLAlchemy, whosever transaction it is in."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite

from .row import COLUMNS
from .row import Row
from .row import RowState
from .ticket import Ticket

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from .sqlalchemy_database import Database


def insert(
    database: Database, connection: sa.Connection, rows: Sequence[tuple[Row, bytes]]
) -> list[Ticket]:
    """Insert rows and their contents; of a key that is there already return its first ticket, with
    ``created=False``."""
    if any(row.key is not None for row, _ in rows):
        return [_insert_with_key(database, connection, row, content) for row, content in rows]
    new = sa.insert(database.rows).returning(database.rows.c.id, sort_by_parameter_order=True)
    ids = [*connection.execute(new, [values_of(row) for row, _ in rows]).scalars()]
    contents = [
        {"id": number, "octets": content} for number, (_, content) in zip(ids, rows, strict=True)
    ]
    connection.execute(sa.insert(database.contents), contents)
    return [Ticket(number, row.message_id) for number, (row, _) in zip(ids, rows, strict=True)]


def _insert_with_key(
    database: Database, connection: sa.Connection, row: Row, content: bytes
) -> Ticket:
    columns = database.rows.c
    new = insert_of(connection)(database.rows).on_conflict_do_nothing(
        index_elements=["app", "account", "key"], index_where=sa.text("key IS NOT NULL")
    )
    first = sa.select(columns.id, columns.message_id).where(
        columns.app == row.app, columns.account == row.account, columns.key == row.key
    )
    while True:
        number = connection.execute(new.returning(columns.id), values_of(row)).scalar()
        if number is not None:
            connection.execute(sa.insert(database.contents), [{"id": number, "octets": content}])
            return Ticket(number, row.message_id)
        if found := connection.execute(first).first():
            return Ticket(found.id, found.message_id, created=False)
        # It was there, and was purged at this very moment.


def insert_of(connection: sa.Connection) -> Callable[[sa.Table], postgresql.Insert | sqlite.Insert]:
    """The INSERT of a database that knows ON CONFLICT."""
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def values_of(row: Row) -> dict[str, t.Any]:
    """The values of all columns but the number."""
    found = {name: getattr(row, name) for name in COLUMNS[1:]}
    plain = {"recipients": _text(row.recipients), "error": _text(row.error)}
    return found | plain | {"state": row.state.value}


def _text(words: str) -> str:
    """Without NUL and half characters, which PostgreSQL refuses: an error may quote anything."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def row_of(found: sa.Row[t.Any]) -> Row:
    """A row as it was read."""
    values = found._asdict()
    return Row(**{**values, "state": RowState(values["state"])})
