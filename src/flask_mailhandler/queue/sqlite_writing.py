"""How SQLite is waited for and told to write, on whosever connection."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator

_LOOK = 25
"""Milliseconds for which SQLite waits by itself: it looks after 1, 2, 5 and 10 of them, and in the
end only every 100. Who writes again and again would never be found idle."""
_NORMAL = 1
"""PRAGMA synchronous: the WAL is written to the disk when it is cleared away."""


def begin(connection: sqlite3.Connection) -> None:
    """Begin to write, as soon as nobody else does. The connection's own ``busy_timeout`` says how
    long to wait for that.

    :raises sqlite3.OperationalError: if it was not long enough.
    """
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    end = time.monotonic() + patience / 1000
    connection.execute(f"PRAGMA busy_timeout = {min(_LOOK, patience)}")
    try:
        while not _done(connection, "BEGIN IMMEDIATE", end):
            pass
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


def use_wal(connection: sqlite3.Connection) -> None:
    """Have a file keep a WAL. Where several processes make a new file at the same time, SQLite does
    not wait by itself.

    :raises sqlite3.OperationalError: if the ``busy_timeout`` was not long enough.
    """
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    end = time.monotonic() + patience / 1000
    while not _done(connection, "PRAGMA journal_mode = WAL", end):
        time.sleep(_LOOK / 1000)


def _done(connection: sqlite3.Connection, statement: str, end: float) -> bool:
    try:
        connection.execute(statement)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
            raise
        return False
    return True


@contextlib.contextmanager
def without_sync(connection: sqlite3.Connection) -> Iterator[None]:
    """Let what is committed be written to the disk a moment later. Only where the journal is a WAL
    nothing but the last transactions can be gone then, when the machine goes down."""
    (before,) = connection.execute("PRAGMA synchronous").fetchone()
    connection.execute(f"PRAGMA synchronous = {min(_NORMAL, before)}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA synchronous = {before}")
