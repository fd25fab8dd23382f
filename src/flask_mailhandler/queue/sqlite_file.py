"""The file of the SQLite store: opened once in each process, made and checked when opened."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

from ..errors import QueueError

VERSION = 1
"""Of the tables, as it stands in the file."""
PATIENCE = 10.0
"""Seconds to wait for another process that writes."""

# What is written often is kept apart from the octets: SQLite writes a row as a whole.
_TABLES = """
CREATE TABLE mail_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    app TEXT NOT NULL,
    account TEXT NOT NULL,
    key TEXT,
    message_id TEXT NOT NULL,
    priority INTEGER NOT NULL,
    due REAL NOT NULL,
    expires REAL NOT NULL,
    created REAL NOT NULL,
    changed REAL NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    lease_owner TEXT,
    lease_until REAL,
    ended TEXT,
    options TEXT NOT NULL,
    recipients TEXT NOT NULL,
    size INTEGER NOT NULL,
    error TEXT NOT NULL
);
CREATE UNIQUE INDEX mail_queue_key ON mail_queue (app, account, key) WHERE key IS NOT NULL;
CREATE INDEX mail_queue_due ON mail_queue (app, account, priority, due)
    WHERE state = 'waiting';
CREATE INDEX mail_queue_lease ON mail_queue (lease_until) WHERE state = 'claimed';
CREATE INDEX mail_queue_state ON mail_queue (app, state, changed);
CREATE TABLE mail_queue_content (id INTEGER PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE mail_queue_account (
    app TEXT NOT NULL,
    account TEXT NOT NULL,
    paused_until REAL NOT NULL DEFAULT 0,
    pauses INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL DEFAULT '',
    rate TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY (app, account)
) WITHOUT ROWID;
"""


class SqliteFile:
    """One connection for each process, which its threads take in turn: SQLite lets one write at a
    time anyway, and a connection of each thread would be left open by every thread that ends.

    :param path: Of the file, made with mode 0600 when it is first needed.
    :param made: Called with the path when the file is made.
    """

    def __init__(self, path: str, made: Callable[[str], None] | None = None) -> None:
        self.path = path
        self._made = made
        # By process id. A child of a fork must neither use nor close what it has inherited, and
        # could find the lock held by a thread that it has not.
        self._opened: dict[int, _Opened] = {}

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection, for one statement.

        :raises QueueError: for every error of SQLite.
        """
        mine = self._opened.setdefault(os.getpid(), _Opened())
        with mine.lock:
            try:
                if mine.connection is None:
                    mine.connection = self._open()
                yield mine.connection
            except sqlite3.Error as error:
                raise QueueError(f"The queue in {self.path} cannot be used: {error}.") from error

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection in a transaction, which is on the disk at the end of the context,
        or, after an exception, has not happened.

        :raises QueueError: for every error of SQLite.
        """
        with self.read() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # After some errors, a full disk among them, SQLite has rolled back already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection of this process."""
        mine = self._opened.pop(os.getpid(), None)
        if mine is not None:
            with mine.lock:
                if mine.connection is not None:
                    mine.connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self._make_file()
        except OSError as error:
            raise QueueError(
                f"MAIL_QUEUE: the file {self.path} cannot be written: {error.strerror}. Name"
                " another place, or let the app write there."
            ) from error
        connection = sqlite3.connect(
            self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            self._make(connection)
        except BaseException:
            connection.close()
            raise
        weakref.finalize(self, _close, connection, os.getpid())
        return connection

    def _make_file(self) -> None:
        # SQLite gives the files beside it the mode of this one.
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            os.close(os.open(self.path, os.O_RDWR))
            return
        if self._made is not None:
            self._made(self.path)

    def _make(self, connection: sqlite3.Connection) -> None:
        """Make the tables if there are none, and check that they are these.

        :raises QueueError: if the file was made by another version.
        """
        if self._version(connection) == 0:
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have been quicker.
            if self._version(connection) == 0:
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        if (found := self._version(connection)) != VERSION:
            raise QueueError(
                f"The queue in {self.path} has version {found}, and this release of"
                f" Flask-MailHandler knows version {VERSION}. Let the release that made it send"
                " what waits there, or name another file in MAIL_QUEUE."
            )

    def _version(self, connection: sqlite3.Connection) -> int:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        return int(found)

    def __repr__(self) -> str:
        return f"<SqliteFile {self.path}>"


def _close(connection: sqlite3.Connection, process: int) -> None:
    """Close a connection in the process that has opened it, and leave it alone in a child."""
    if process == os.getpid():
        connection.close()


class _Opened:
    """What one process has."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
