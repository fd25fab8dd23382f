"""The file of the SQLite store: opened once in each process, created and checked when opened."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import time
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

from ....errors import QueueError
from ....log import logger
from ...fair_lock import FairLock
from ...forks import around_forks
from .history_tables import make_tables
from .opened_file import OpenedFile
from .row_tables import make_row_tables
from .transaction import Line
from .transaction import LOOK
from .transaction import use_wal

LOCK_TIMEOUT = 10.0
"""Seconds to wait for another process that writes."""


class SqliteFile:
    """One connection for each process, which its threads share.

    SQLite lets one connection write at a time anyway, and a connection for each thread would stay
    open after its thread has ended.

    The connection is closed while the process forks. SQLite keeps its locks in the memory of the
    process, so a child with an inherited connection would believe that it holds locks which it does
    not hold. Opening another connection does not help
    (https://www.sqlite.org/howtocorrupt.html, section 2.6).

    :param path: The path of the file, which is created with mode 0600 when it is first used.
    :param made: Called with the path when the file is created.
    """

    def __init__(self, path: str, made: Callable[[str], None] | None = None) -> None:
        self.path: str = path
        self._made = made
        self._lock = FairLock()
        self._line = Line()
        self._connection: sqlite3.Connection | None = None
        self._opened_file = OpenedFile(path)
        self._inherited: list[sqlite3.Connection] = []
        self._durable = True
        self._waits = 0
        self._ready_for_forks = False
        self._held = False

    @property
    def begun(self) -> bool:
        """Whether the file exists. It is not created to find out."""
        return os.path.exists(self.path)

    @contextlib.contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lend the connection, for one statement.

        :raises QueueError: for every error of SQLite.
        """
        with self._lock:
            try:
                connection = self._current(now=False) or self._opened()
                self._wait_for(connection, int(LOCK_TIMEOUT * 1000))
                yield connection
            except sqlite3.Error as error:
                raise self._error(error) from error

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """Lend the connection in a transaction.

        It commits at the end of the context, and is rolled back after an exception.

        :param durable: Whether the transaction is on the disk then. If not, it survives a killed
            process, but if the machine goes down it may be lost, with all transactions after it.
        :raises QueueError: for every error of SQLite.
        """
        came = time.monotonic()
        with self._lock:
            self._line.came = came
            try:
                connection = self._current(now=durable) or self._opened()
                if durable is not self._durable:
                    mode = "FULL" if durable else "NORMAL"
                    connection.execute(f"PRAGMA synchronous = {mode}")
                    self._durable = durable
                self._wait_for(connection, LOOK)
                self._line.begin(connection, int(LOCK_TIMEOUT * 1000))
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    # After some errors, such as a full disk, SQLite has rolled back already.
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise self._error(error) from error

    @contextlib.contextmanager
    def alone(self) -> Iterator[sqlite3.Connection | None]:
        """Lend the connection if it is open. No other thread uses the file meanwhile, and no fork
        begins.

        :raises QueueError: for every error of SQLite.
        """
        self._prepare_for_forks()
        with self._lock:
            try:
                yield self._current()
            except sqlite3.Error as error:
                raise self._error(error) from error

    def _wait_for(self, connection: sqlite3.Connection, milliseconds: int) -> None:
        """Set for how long SQLite waits for a lock. A process that only queues mail sets it once,
        which saves 8 microseconds for each message."""
        if milliseconds != self._waits:
            connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
            self._waits = milliseconds

    def _error(self, error: sqlite3.Error) -> QueueError:
        return QueueError(f"The queue in {self.path} cannot be used: {error}.")

    def close(self) -> None:
        """Close the connection. The next use opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        self._connection = connection = self._open()
        self._opened_file.remember()
        return connection

    def _current(self, *, now: bool = True) -> sqlite3.Connection | None:
        """Return the connection, unless its file is not the one at the path any more.

        :param now: Whether to look in any case, as for new mail.
        """
        connection = self._connection
        if connection is None or not self._opened_file.has_another(now=now):
            return connection
        if connection.in_transaction:  # the handler of a signal has interrupted this thread
            return connection
        self._opened_file.leave()
        self._close()
        return None

    def _open(self) -> sqlite3.Connection:
        self._prepare_for_forks()
        try:
            Path(self.path).parent.mkdir(parents=True, exist_ok=True)
            self._make_file()
        except OSError as error:
            raise QueueError(
                f"MAIL_QUEUE: the file {self.path} cannot be written: {error.strerror}. Name"
                " another file, or give the app permission to write there."
            ) from error
        connection = sqlite3.connect(
            self.path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            use_wal(connection)
            connection.execute("PRAGMA synchronous = FULL")
            self._durable, self._waits = True, int(LOCK_TIMEOUT * 1000)
            self._make(connection)
        except BaseException:
            connection.close()
            raise
        weakref.finalize(self, _close, connection, os.getpid())
        return connection

    def _make_file(self) -> None:
        # SQLite gives the files next to it the same mode.
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            # The file is not opened to find out: closing it again would drop the locks that SQLite
            # holds on it for another app of this process
            # (https://www.sqlite.org/howtocorrupt.html, section 2.2).
            if os.path.isdir(self.path):
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
            if not os.access(self.path, os.R_OK | os.W_OK):
                raise OSError(errno.EACCES, os.strerror(errno.EACCES)) from None
            self._make_private()
            return
        if self._made is not None:
            self._made(self.path)

    def _make_private(self) -> None:
        """Make an existing file private, and the files next to it, because it holds mail.

        If its group may write it, the file is shared with the group on purpose.
        """
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
                    "Other users can read the queue in %s, and its mode cannot be changed: %s. As"
                    " the owner of the file, run chmod 600.",
                    path,
                    error.strerror,
                )

    def _make(self, connection: sqlite3.Connection) -> None:
        make_row_tables(connection, self.path)
        make_tables(connection)

    # Forks

    def _prepare_for_forks(self) -> None:
        if self._ready_for_forks:
            return
        self._ready_for_forks = True
        around_forks(self._before_fork, self._after_in_parent, self._after_in_child)

    def _before_fork(self) -> None:
        # A thread that uses the connection gives it back in a moment. A fork must not hang forever.
        self._held = self._lock.acquire(LOCK_TIMEOUT)
        if self._held:
            self.close()

    def _after_in_parent(self) -> None:
        if self._held:
            self._lock.release()

    def _after_in_child(self) -> None:
        # The lock may be held by a thread that the child does not have.
        self._lock = FairLock()
        if (
            self._connection is not None
        ):  # the wait before the fork timed out: never use or close it
            self._inherited.append(self._connection)
            self._connection = None

    def __repr__(self) -> str:
        return f"<SqliteFile {self.path}>"


def _close(connection: sqlite3.Connection, process: int) -> None:
    """Close a connection, but only in the process that has opened it."""
    if process == os.getpid():
        connection.close()
