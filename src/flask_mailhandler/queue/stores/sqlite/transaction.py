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
    connection.execute(f"PRAGMA busy_timeout = {min(_LOOK, patience)}")
    try:
        _when_free(connection, "BEGIN IMMEDIATE", patience, 0)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


def use_wal(connection: sqlite3.Connection) -> None:
    """Have a file keep a WAL, as soon as nobody else changes it, as processes do that make it
    together.

    :raises sqlite3.OperationalError: if the ``busy_timeout`` was not long enough.
    """
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    _when_free(connection, "PRAGMA journal_mode = WAL", patience, _LOOK)


def _when_free(connection: sqlite3.Connection, statement: str, patience: int, rest: int) -> None:
    """Try again and again while the file is busy.

    :param patience: For so many milliseconds.
    :param rest: Milliseconds between two tries. It takes none where SQLite itself waits, as it does
        for a lock, and does not for another journal.
    """
    end = time.monotonic() + patience / 1000
    while True:
        try:
            connection.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(rest / 1000)


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
