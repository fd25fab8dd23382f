"""Statements that are compiled once, and run by the driver itself.

A worker and ``send_later`` run the same few statements again and again. SQLAlchemy finds the
compiled text of a statement by a key that it makes of all parts of the statement, and makes objects
for the connection, the transaction and the result. That takes 300 to 600 microseconds for each
message's insert, announcement and result, and the driver itself takes 150.
"""

from __future__ import annotations

import contextlib
import sqlite3
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping

import sqlalchemy as sa

from ..sqlite.transaction import begin
from ..sqlite.transaction import Line
from ..sqlite.transaction import without_sync

Run: t.TypeAlias = "Callable[[Statement, Mapping[str, t.Any]], list[t.Any]]"
"""Runs a statement with its parameters, and returns its rows.

If it returns none: the number that an INSERT gave to its row, or an empty row for each row that was
changed."""


class Statement:
    """A statement of SQLAlchemy and its text in one dialect.

    No type may need a conversion: the driver gets the parameters as they are.

    :param core: The statement. Each parameter is a ``bindparam`` without a value.
    """

    def __init__(self, core: sa.Executable, dialect: sa.Dialect) -> None:
        self.core = core
        compiled: t.Any = t.cast("sa.ClauseElement", core).compile(dialect=dialect)
        self._text = str(compiled)
        self._order: list[str] | None = compiled.positiontup
        # Known here, because psycopg makes a cursor's description each time it is asked.
        self._has_rows = bool(compiled.statement.is_select or compiled.effective_returning)
        self._inserts = bool(compiled.isinsert)
        self._literals = {
            name: value
            for name, value in compiled.params.items()
            if not compiled.binds[name].required
        }

    def run_with(self, cursor: t.Any, values: Mapping[str, t.Any]) -> list[t.Any]:
        """Run the statement with a cursor of the driver."""
        found = {**self._literals, **values}
        order = self._order
        cursor.execute(self._text, found if order is None else [found[name] for name in order])
        return cursor.fetchall() if self._has_rows else self._done(cursor)

    def run_on(self, connection: sa.Connection, values: Mapping[str, t.Any]) -> list[t.Any]:
        """Run the statement with a connection of SQLAlchemy, which its events see."""
        result = connection.execute(self.core, values)
        return [*result] if self._has_rows else self._done(result)

    def _done(self, result: t.Any) -> list[t.Any]:
        return [(result.lastrowid,)] if self._inserts else [()] * result.rowcount

    def __repr__(self) -> str:
        return f"<Statement {self._text.partition(chr(10))[0]}>"


@contextlib.contextmanager
def writing(file: sqlite3.Connection, lazily: bool, line: Line) -> Iterator[None]:
    """Write in a transaction of SQLite.

    :param lazily: Whether it may be written to the disk a moment later.
    :param line: The threads that share the connection.
    """
    with without_sync(file) if lazily else contextlib.nullcontext():
        begin(file, line)
        with file:  # commits, or rolls back
            yield


@contextlib.contextmanager
def writing_on_server(connection: t.Any) -> Iterator[None]:
    """Write in a transaction of a connection that otherwise commits each statement."""
    with connection.cursor() as cursor:
        cursor.execute("START TRANSACTION")
    yield
    connection.commit()  # the caller closes the connection after an error
