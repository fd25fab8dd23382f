"""The abilities of each kind of database, and the statements that differ.

::

    kind          on a server   one statement for two tables   rows of an UPDATE
    SQLite        no            no                             yes
    PostgreSQL    yes           yes                            yes
    MySQL         yes           no                             no

MariaDB and MySQL are one kind. Which of the two a server is, is known only when it answers.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import Insert

from . import mysql
from . import postgresql

Values: t.TypeAlias = Mapping[str, t.Any]


def _insert_missing(
    insert: Callable[[sa.Table], sqlite.Insert | Insert],
    connection: sa.Connection,
    table: sa.Table,
    rows: Sequence[Values],
) -> Sequence[Sequence[t.Any]]:
    new = insert(table).values([*rows]).on_conflict_do_nothing()
    return connection.execute(new.returning(*table.primary_key)).all()


def _insert_row(rows: sa.Table, names: Sequence[str]) -> sa.Executable:
    new = sqlite.insert(rows).values({name: sa.bindparam(name) for name in names})
    new = new.on_conflict_do_nothing(
        index_elements=["app", "account", "key"], index_where=sa.text("key IS NOT NULL")
    )
    return new.returning(rows.c.id)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Kind:
    """A kind of database."""

    name: str
    on_server: bool = True
    """Whether many connections write at the same time, and the app creates the tables."""
    one_statement: bool = False
    """Whether a statement can write to two tables, and say whether it is synced to the disk."""
    updated_rows: bool = True
    """Whether an UPDATE can return the rows."""
    begins_itself: bool = False
    """Whether a connection that commits each statement begins a transaction with its own words."""
    now: sa.Executable | None = None
    """Asks the server for the time. None for the clock of this machine."""
    run: sa.Executable | None = None
    """Asks the server for the name of its run, if a commit is not always on the disk at once."""
    repeats_state: bool = False
    """Whether a search must name the state twice: see :func:`.listing.searched`."""
    position: Callable[..., sa.ColumnElement[int]] = sa.func.instr
    """The function that finds a text in another."""
    insert_row: Callable[[sa.Table, Sequence[str]], sa.Executable] = _insert_row
    """Makes a statement that inserts a row of the queue, and returns its number."""
    insert_missing: Callable[[sa.Connection, sa.Table, Sequence[Values]], Sequence[Sequence[t.Any]]]
    """Inserts the rows whose key is not there. It returns the first column of the key of each."""
    is_duplicate: Callable[[BaseException], bool] = lambda error: False
    """Whether :attr:`insert_row` has found the key of its row in the table."""
    attempts: Callable[[BaseException | None], int] = lambda error: 1
    """How often to try a transaction that has failed with an error."""
    limit_lock_wait: Callable[[sa.Connection, float], None] = lambda connection, seconds: None
    """Limits the wait for a lock in this transaction. SQLite's driver has a limit anyway."""
    unlimit_lock_wait: Callable[[sa.Connection], None] = lambda connection: None
    """Undoes that on a connection of the app, if the limit outlives the transaction."""
    set_up: Callable[[sa.Engine], None] = lambda engine: None
    """Sets up the connections of an engine of our own."""


SQLITE = Kind(
    name="SQLite",
    on_server=False,
    insert_missing=functools.partial(_insert_missing, sqlite.insert),
)
POSTGRESQL = Kind(
    name="PostgreSQL",
    one_statement=True,
    now=postgresql.NOW,
    run=postgresql.RUN,
    repeats_state=True,
    position=sa.func.strpos,
    insert_missing=functools.partial(_insert_missing, postgresql.insert),
    limit_lock_wait=postgresql.limit_lock_wait,
)
MYSQL = Kind(
    name="MySQL",
    updated_rows=False,
    begins_itself=True,
    now=mysql.NOW,
    insert_row=mysql.insert_row,
    insert_missing=mysql.insert_missing,
    is_duplicate=mysql.is_duplicate,
    attempts=mysql.attempts,
    limit_lock_wait=mysql.limit_lock_wait,
    unlimit_lock_wait=mysql.unlimit_lock_wait,
    set_up=mysql.set_up,
)
KINDS: Mapping[str, Kind] = {
    "sqlite": SQLITE,
    "postgresql": POSTGRESQL,
    "mysql": MYSQL,
    "mariadb": MYSQL,
}
"""The kinds by SQLAlchemy's names of their dialects."""
