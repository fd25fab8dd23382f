"""Insert rows and their contents. A key= that is there already inserts nothing.

It works in any transaction: the store's own, or the app's.
"""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import exc

from ...newer import read_word
from ...row import COLUMNS
from ...row import Row
from ...row import RowState
from ...ticket import Ticket
from . import postgresql
from .kinds import KINDS
from .statement import Run
from .statement import Statement


class Insertion:
    """Inserts rows and their contents.

    :param rows: The table of the rows.
    :param contents: The table of their contents.
    """

    def __init__(self, rows: sa.Table, contents: sa.Table, dialect: sa.Dialect) -> None:
        self._rows = rows
        self._contents = contents
        self._kind = KINDS[dialect.name]
        if self._kind.one_statement:
            self._whole = Statement(postgresql.insertion(rows, contents), dialect)
            return
        kept = sa.insert(contents).values(id=sa.bindparam("id"), octets=sa.bindparam("octets"))
        self._new = Statement(self._kind.insert_row(rows, COLUMNS[1:]), dialect)
        self._kept = Statement(kept.inline(), dialect)

    def insert(self, connection: sa.Connection, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        """Insert rows.

        For a key that is there already, return the first ticket with ``created=False``.
        """
        keyed = any(row.key is not None for row, _ in rows)
        if len(rows) == 1 or keyed or not self._kind.updated_rows:
            return [self._insert_one(connection, row, content) for row, content in rows]
        new = sa.insert(self._rows).returning(self._rows.c.id, sort_by_parameter_order=True)
        ids = [*connection.execute(new, [values_of(row) for row, _ in rows]).scalars()]
        contents = [
            {"id": number, "octets": content}
            for number, (_, content) in zip(ids, rows, strict=True)
        ]
        connection.execute(sa.insert(self._contents), contents)
        return [Ticket(number, row.message_id) for number, (row, _) in zip(ids, rows, strict=True)]

    def insert_new(self, run: Run, row: Row, content: bytes) -> Ticket:
        """Insert a row that has no key."""
        return Ticket(self._number_of_new(run, row, content), row.message_id)

    def _insert_one(self, connection: sa.Connection, row: Row, content: bytes) -> Ticket:
        def run(statement: Statement, values: Mapping[str, t.Any]) -> list[t.Any]:
            return statement.run_on(connection, values)

        while True:
            with self._unless_duplicate():
                if number := self._number_of_new(run, row, content):
                    return Ticket(number, row.message_id)
            if found := self._first_of(connection, row):
                return Ticket(found.id, found.message_id, created=False)
            # The first row was purged between the two statements: try again.

    @contextlib.contextmanager
    def _unless_duplicate(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            if not self._kind.is_duplicate(error):
                raise

    def _first_of(self, connection: sa.Connection, row: Row) -> t.Any:
        """Return the row that has the key of another one."""
        columns = self._rows.c
        same = (columns.app == row.app) & (columns.account == row.account)
        first = sa.select(columns.id, columns.message_id).where(same, columns.key == row.key)
        found = connection.execute(first).first()
        if found is None and not self._kind.updated_rows:
            # In MySQL, a transaction of the app may not see the row without a lock. Workers skip
            # the row, or wait, until that transaction ends.
            found = connection.execute(first.with_for_update(read=True)).first()
        return found

    def _number_of_new(self, run: Run, row: Row, content: bytes) -> int:
        """Insert a row. Return its number, or 0 if its key is there already."""
        values = values_of(row)
        if self._kind.one_statement:
            found = run(self._whole, {**values, "octets": content})
            return found[0][0] if found else 0
        found = run(self._new, values)
        number: int = found[0][0] if found else 0
        if number:
            run(self._kept, {"id": number, "octets": content})
        return number


def values_of(row: Row) -> dict[str, t.Any]:
    """Return the values of all columns except the number."""
    found = {name: getattr(row, name) for name in COLUMNS[1:]}
    plain = {"recipients": clean(row.recipients), "error": clean(row.error)}
    return found | plain | {"state": row.state.value}


def clean(words: str) -> str:
    """Replace NUL and lone surrogates, which PostgreSQL refuses. An error may quote anything."""
    return words.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def row_of(found: Sequence[t.Any]) -> Row:
    """Return a row as it was read."""
    values = dict(zip(COLUMNS, found, strict=True))
    return Row(**{**values, "state": read_word(RowState, values["state"])})
