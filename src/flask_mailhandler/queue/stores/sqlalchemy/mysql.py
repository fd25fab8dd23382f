"""The statements, errors and settings of connections that only MariaDB and MySQL have."""

from __future__ import annotations

import math
import typing as t
from collections.abc import Mapping
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy import exc

# Not UNIX_TIMESTAMP(), which has one value for two hours in the night when summer time ends.
NOW = sa.text("SELECT TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6")
_DUPLICATE, _LOCK_TIMEOUT, _DEADLOCK = 1062, 1205, 1213
_LIMITED = "flask_mailhandler_limited"
_ATTEMPTS: dict[object, int] = {_LOCK_TIMEOUT: 2, _DEADLOCK: 10}


def insert_row(rows: sa.Table, names: Sequence[str]) -> sa.Executable:
    """Return a statement that inserts a row of the queue. It fails if the key is there already."""
    # Inline, or SQLAlchemy asks MariaDB, but not MySQL, to return the number.
    return sa.insert(rows).values({name: sa.bindparam(name) for name in names}).inline()


def insert_missing(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, t.Any]]
) -> Sequence[Sequence[t.Any]]:
    """Insert the rows whose key is not in the table. Return one item for each of them: for a table
    with numbers, which takes one row at a time, the number."""
    if table.autoincrement_column is None:
        # IGNORE also makes a value fit that is too long. Those of these tables are short enough.
        ignoring = sa.insert(table).prefix_with("IGNORE").values([*rows])
        return [()] * connection.execute(ignoring).rowcount
    (row,) = rows
    try:
        return [(connection.execute(sa.insert(table).values(row).inline()).lastrowid,)]
    except exc.IntegrityError as error:
        if not is_duplicate(error):
            raise
        return []


def is_duplicate(error: BaseException) -> bool:
    """Whether the key is in the table already. The server has rolled back only the statement."""
    return code_of(error) == _DUPLICATE


def attempts(error: BaseException | None) -> int:
    """Return how often to try a transaction that has failed with an error.

    InnoDB ends one of two transactions that wait for each other. It also locks the gaps between the
    rows of an index, so a transaction may wait for one that has other rows.
    """
    return _ATTEMPTS.get(code_of(error), 1)


def code_of(error: BaseException | None) -> object:
    """Return the number of an error of the server."""
    cause = error.orig if isinstance(error, exc.DBAPIError) else error
    return cause.args[0] if cause is not None and cause.args else None


def limit_lock_wait(connection: sa.Connection, seconds: float) -> None:
    """Limit the wait for a lock on this connection, for all attempts together."""
    most = math.ceil(seconds / _ATTEMPTS[_LOCK_TIMEOUT])
    connection.info[_LIMITED] = True
    # The CAST is for MySQL, to which LEAST of the two is not a whole number.
    connection.exec_driver_sql(
        "SET @flask_mailhandler_wait = @@innodb_lock_wait_timeout, SESSION"
        " innodb_lock_wait_timeout"
        f" = CAST(LEAST(@@innodb_lock_wait_timeout, {most}) AS UNSIGNED)"
    )


def set_up(engine: sa.Engine) -> None:
    """Set up each connection of an engine of our own.

    A claim must not wait for the gaps between rows, which REPEATABLE READ locks, and a value that
    does not fit must be an error.
    """

    def connected(connection: t.Any, record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')")

    event.listen(engine, "connect", connected)


def unlimit_lock_wait(connection: sa.Connection) -> None:
    """Undo :func:`limit_lock_wait` on a connection of the app."""
    if not connection.invalidated and connection.info.pop(_LIMITED, False):
        connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = @flask_mailhandler_wait")
