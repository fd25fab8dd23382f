"""The file of the SQLite store: opened once in each process, made and checked when opened."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

from ....errors import QueueError
from ....log import logger
from ...fair_lock import FairLock
from ...forks import around_forks
from .transaction import begin
from .transaction import use_wal

VERSION = 2
"""Of the tables, as it stands in the file."""
PATIENCE = 10.0
"""Seconds to wait for another process that writes."""

# What is written often is kept apart from the octets: SQLite writes a row as a whole. Each state
# has an index of its own, so that a new row is written into one of them, and a sent one into
# another, once. AUTOINCREMENT, for a number must not be given again when its row is purged.
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
    origin TEXT NOT NULL,
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
CREATE INDEX mail_queue_origin ON mail_queue (app, account, priority, origin, due)
    WHERE state = 'waiting' AND origin <> '';
CREATE INDEX mail_queue_lease ON mail_queue (lease_until) WHERE state = 'claimed';
CREATE INDEX mail_queue_finished ON mail_queue (app, state, changed)
    WHERE state NOT IN ('waiting', 'claimed');
CREATE TABLE mail_queue_content (id INTEGER PRIMARY KEY, octets BLOB NOT NULL);
CREATE TABLE mail_queue_account (
    app TEXT NOT NULL,
    account TEXT NOT NULL,
    paused_until REAL NOT NULL DEFAULT 0,
    pauses INTEGER NOT NULL DEFAULT 0,
    why TEXT NOT NULL DEFAULT '',
    rate TEXT NOT NULL DEFAULT '{}',
    rung_until REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (app, account)
) WITHOUT ROWID;
"""


class SqliteFile:
    """One connection for each process, which its threads take in turn: SQLite lets one write at a
    time anyway, and a connection of each thread would be left open by every thread that ends.

    It is closed while the process forks. SQLite keeps its locks in the memory of the process: a
    child that inherits an open connection believes that it has locks that it has not, and opening
    another one does not help (https://www.sqlite.org/howtocorrupt.html, section 2.6).

    :param path: Of the file, made with mode 0600 when it is first needed.
    :param made: Called with the path when the file is made.
    """

    def __init__(self, path: str, made: Callable[[str], None] | None = None) -> None:
        self.path: str = path
        self._made = made
        self._lock = FairLock()
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection] = []
        self._at_once = True
        self._ready_for_forks = False
        self._held = False

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection, for one statement.

        :raises QueueError: for every error of SQLite.
        """
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = self._open()
                yield self._connection
            except sqlite3.Error as error:
                raise QueueError(f"The queue in {self.path} cannot be used: {error}.") from error

    @contextlib.contextmanager
    def write(self, *, at_once: bool = True) -> Iterator[sqlite3.Connection]:
        """Lend the connection in a transaction, which is there for everybody at the end of the
        context, or, after an exception, has not happened.

        :param at_once: Whether it is on the disk then too. If not, a killed process changes
            nothing, but where the machine goes down it may be gone, and everything behind it.
        :raises QueueError: for every error of SQLite.
        """
        with self.read() as connection:
            if at_once is not self._at_once:
                mode = "FULL" if at_once else "NORMAL"
                connection.execute(f"PRAGMA synchronous = {mode}")
                self._at_once = at_once
            begin(connection)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # After some errors, a full disk among them, SQLite has rolled back already.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection. It is opened again when it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        self._prepare_for_forks()
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
            use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            self._at_once = True
            # Most pages are written again and again before they have to stand in the file itself.
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
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
            # Asked, not tried: closing it would take from the whole process the locks that SQLite
            # has on it for another app (https://www.sqlite.org/howtocorrupt.html, section 2.2).
            if os.path.isdir(self.path):
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
            if not os.access(self.path, os.R_OK | os.W_OK):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES)) from None
            self._make_private()
            return
        if self._made is not None:
            self._made(self.path)

    def _make_private(self) -> None:
        """Keep others from reading a file that is there already, and those beside it: it holds
        mail. A group that may write shares it on purpose."""
        for path in (self.path, f"{self.path}-wal", f"{self.path}-shm"):
            try:
                mode = stat.S_IMODE(os.stat(path).st_mode)
                private = mode & (0o770 if mode & 0o020 else 0o700)
                if private != mode:
                    os.chmod(path, private)
            except FileNotFoundError:
                continue
            except OSError as error:
                logger.warning(
                    "Others can read the queue in %s, and its mode cannot be changed: %s. Its owner"
                    " says: chmod 600.",
                    path,
                    error.strerror,
                )

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

    # Forks

    def _prepare_for_forks(self) -> None:
        if self._ready_for_forks:
            return
        self._ready_for_forks = True
        around_forks(self._before_fork, self._after_in_parent, self._after_in_child)

    def _before_fork(self) -> None:
        # Who has the connection in hand gives it back in a moment. A fork is not to hang for ever.
        self._held = self._lock.acquire(PATIENCE)
        if self._held:
            self.close()

    def _after_in_parent(self) -> None:
        if self._held:
            self._lock.release()

    def _after_in_child(self) -> None:
        # The turn may be that of a thread which the child has not.
        self._lock = FairLock()
        if self._connection is not None:  # the fork did not wait for it: never use or close it
            self._inherited.append(self._connection)
            self._connection = None

    def __repr__(self) -> str:
        return f"<SqliteFile {self.path}>"


def _close(connection: sqlite3.Connection, process: int) -> None:
    """Close a connection in the process that has opened it, and leave it alone in a child."""
    if process == os.getpid():
        connection.close()
