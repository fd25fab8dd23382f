"""Insert rows and their contents. A key= that is there already inserts nothing.

It works in any transaction: the store's own, or the app's.
"""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ...row import COLUMNS
from ...row import Row
from ...row import RowState
from ...ticket import Ticket
from . import postgresql as postgresql


class Insertion:
    """Inserts rows and their contents.

    :param rows: The table of the rows.
    :param contents: The table of their contents.
    """

    def __init__(self, rows: sa.Table, contents: sa.Table) -> None:
        self._rows = rows
        self._contents = contents
        self._whole = postgresql.insertion(rows, contents)

    def insert(self, connection: sa.Connection, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        """Insert rows.

        For a key that is there already, return the first ticket with ``created=False``.
        """
        if len(rows) == 1 or any(row.key is not None for row, _ in rows):
            return [self._insert_one(connection, row, content) for row, content in rows]
        new = sa.insert(self._rows).returning(self._rows.c.id, sort_by_parameter_order=True)
        ids = [*connection.execute(new, [values_of(row) for row, _ in rows]).scalars()]
        contents = [
            {"id": number, "octets": content}
            for number, (_, content) in zip(ids, rows, strict=True)
        ]
        connection.execute(sa.insert(self._contents), contents)
        return [Ticket(number, row.message_id) for number, (row, _) in zip(ids, rows, strict=True)]

    def _insert_one(self, connection: sa.Connection, row: Row, content: bytes) -> Ticket:
        while True:
            number = self._insert_new(connection, row, content)
            if number is not None:
                return Ticket(number, row.message_id)
            if found := connection.execute(self._first_of(row)).first():
                return Ticket(found.id, found.message_id, created=False)
            # The first row was purged between the two statements: try again.

    def _first_of(self, row: Row) -> sa.Select[t.Any]:
        columns = self._rows.c
        same = (columns.app == row.app) & (columns.account == row.account)
        return sa.select(self._rows).where(same, columns.key == row.key)

    def _insert_new(self, connection: sa.Connection, row: Row, content: bytes) -> int | None:
        values = values_of(row)
        if connection.dialect.name == "postgresql":
            return connection.execute(self._whole, {**values, "octets": content}).scalar()
        new = sqlite.insert(self._rows).on_conflict_do_nothing(
            index_elements=["app", "account", "key"], index_where=sa.text("key IS NOT NULL")
        )
        number: int | None = connection.execute(new.returning(self._rows.c.id), values).scalar()
        if number is not None:
            connection.execute(sa.insert(self._contents), {"id": number, "octets": content})
        return number


def values_of(row: Row) -> dict[str, t.Any]:
    """Return the values of all columns except the number."""
    found = {name: getattr(row, name) for name in COLUMNS[1:]}
    plain = {"recipients": clean(row.recipients), "error": clean(row.error)}
    return found | plain | {"state": row.state.value}


def clean(words: str) -> str:
    """Replace NUL and lone surrogates, which PostgreSQL refuses. An error may quote anything."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def row_of(found: sa.Row[t.Any]) -> Row:
    """Return a row as it was read."""
    values = found._asdict()
    return Row(**{**values, "state": RowState(values["state"])})
