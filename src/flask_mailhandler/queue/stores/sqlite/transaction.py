"""How to wait for a lock of SQLite, and when a commit is written to the disk."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator

LOOK = 25
"""Milliseconds for which SQLite waits by itself. It tries again after 1, 2, 5 and 10 ms, but in the
end only every 100 ms, in which a busy writer would never be found idle."""
_NORMAL = 1
"""PRAGMA synchronous: the WAL is written to the disk at a checkpoint."""


def begin(connection: sqlite3.Connection, line: Line | None = None) -> None:
    """Begin to write as soon as no other connection does.

    :param line: The threads that share the connection.
    :raises sqlite3.OperationalError: if the connection's ``busy_timeout`` was not long enough.
    """
    patience = int(connection.execute("PRAGMA busy_timeout").fetchone()[0])
    connection.execute(f"PRAGMA busy_timeout = {min(LOOK, patience)}")
    try:
        (line or Line()).begin(connection, patience)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}")


def begin_when_free(connection: sqlite3.Connection, patience: float) -> None:
    """Do the same for a connection whose ``busy_timeout`` is :data:`LOOK` or less.

    :param patience: How many milliseconds to wait.
    """
    _when_free(connection, "BEGIN IMMEDIATE", patience, 0)


class Line:
    """The threads that wait in line for one connection, to write with it.

    A thread that has waited in line while the one before it waited for another process in vain,
    waits only for the rest of its own time. If each waited for the whole time, the last of ten
    threads would wait ten times as long.
    """

    def __init__(self) -> None:
        self.came: float = 0.0
        """When the thread that has the connection now came, by the monotonic clock."""
        self._in_vain = float("-inf")

    def begin(self, connection: sqlite3.Connection, patience: float) -> None:
        """Do the same as :func:`begin_when_free`, in time."""
        now = time.monotonic()
        if self._in_vain > self.came:
            patience = max(0.0, patience - 1000 * (now - self.came))
        try:
            begin_when_free(connection, patience)
        except sqlite3.OperationalError:
            self._in_vain = time.monotonic()
            raise


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch a file to a WAL as soon as no other connection changes it.

    Several processes may create the file at the same time.

    :raises sqlite3.OperationalError: if the ``busy_timeout`` was not long enough.
    """
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    _when_free(connection, "PRAGMA journal_mode = WAL", patience, LOOK)


def _when_free(connection: sqlite3.Connection, statement: str, patience: float, rest: int) -> None:
    """Run a statement again and again while the file is busy.

    :param patience: How many milliseconds to try.
    :param rest: Milliseconds between two tries. 0 if SQLite itself waits, as it does for a lock but
        not for another journal mode.
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
    """Let commits be written to the disk a moment later.

    Use it with a WAL only, where nothing but the last transactions can be lost when the machine
    goes down.
    """
    (before,) = connection.execute("PRAGMA synchronous").fetchone()
    connection.execute(f"PRAGMA synchronous = {min(_NORMAL, before)}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA synchronous = {before}")
