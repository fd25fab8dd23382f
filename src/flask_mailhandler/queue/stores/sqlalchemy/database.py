"""The database of the SQLAlchemy stores: connections, transactions, tables, errors and forks."""

from __future__ import annotations

import contextlib
import sqlite3
import typing as t
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.schema import CreateIndex
from sqlalchemy.schema import CreateTable

from ....errors import ConfigurationError
from ....errors import QueueError
from ...fair_lock import FairLock
from ...forks import around_forks
from ...process import boot_id
from ..sqlite.transaction import begin
from ..sqlite.transaction import without_sync
from .clock import Clock
from .insert import Insertion
from .postgresql import LIFE
from .tables import mail_queue_tables

PATIENCE = 10.0
"""Seconds to wait for a lock that another transaction has."""
_MISSING = (
    "The tables of the queue are not in {}: add mail_queue_tables(db.metadata) beside your models,"
    " and make them with Flask-Migrate, or with db.create_all()."
)


class Database:
    """A database of SQLite or PostgreSQL, with the tables of the queue.

    :param engine: Of the app, or of our own. Nothing is opened.
    :param schema: In which the tables are, if it is not the usual one.
    :param ours: Whether to close what the engine has open when the queue is closed.
    :raises ConfigurationError: if it is another database, or one in memory.
    """

    def __init__(self, engine: sa.Engine, schema: str | None, *, ours: bool) -> None:
        self.engine: sa.Engine = engine
        self.name: str = engine.url.set(query={}).render_as_string()
        self.postgresql: bool = engine.dialect.name == "postgresql"
        tables = mail_queue_tables(sa.MetaData(schema=schema))
        self.rows: sa.Table = tables[0]
        self.contents: sa.Table = tables[1]
        self.accounts: sa.Table = tables[2]
        self.insertion: Insertion = Insertion(self.rows, self.contents)
        self.clock: Clock = Clock(self.single if self.postgresql else None)
        self._ours = ours
        self._ready = False
        self._wal = False
        _check(engine)
        self._single = self._transaction = engine
        if self.postgresql:
            # One statement needs no round trips for a transaction; and whatever the app prefers,
            # claiming must not fail because another worker was quicker.
            self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
            self._transaction = engine.execution_options(isolation_level="READ COMMITTED")
        self._lock = FairLock()
        self._held = False
        self._inherited: list[sa.Pool] = []
        around_forks(self._before_fork, self._after_in_parent, self._after_in_child)

    @contextlib.contextmanager
    def single(self) -> Iterator[sa.Connection]:
        """Lend a connection for one statement: in PostgreSQL any, which is on the disk when the
        context ends, unless it says otherwise itself; in SQLite one that reads.

        :raises QueueError: for every error of the database.
        """
        with self._turn():
            self.make_ready()
            with self._single.connect() as connection:
                yield connection

    @contextlib.contextmanager
    def write(self, *, at_once: bool = True) -> Iterator[sa.Connection]:
        """Lend a connection in a transaction, which is there for everybody at the end of the
        context, or, after an exception, has not happened.

        :param at_once: Whether it is on the disk then too: if not, where the machine of the
            database goes down it may be gone, unless something was written at once since. In
            SQLite without a WAL it always is.
        :raises QueueError: for every error of the database.
        """
        with self._turn():
            self.make_ready()
            with self._transaction.connect() as connection:
                if self.postgresql:
                    with connection.begin():
                        if not at_once:
                            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                        yield connection
                else:
                    with self._write_file(connection, at_once):
                        yield connection

    @contextlib.contextmanager
    def change(self, *, at_once: bool = True) -> Iterator[sa.Connection]:
        """Lend a connection for one statement that writes, without round trips for a transaction.

        :param at_once: As for :meth:`write`; in PostgreSQL the statement itself says so.
        :raises QueueError: for every error of the database.
        """
        with self.single() if self.postgresql else self.write(at_once=at_once) as connection:
            yield connection

    @contextlib.contextmanager
    def _write_file(self, connection: sa.Connection, at_once: bool) -> Iterator[None]:
        ours = _driver_of(connection)
        if ours is None:  # another driver
            with connection.begin():
                yield
            return
        # An app may let every transaction begin as soon as it has a connection.
        lazily = self._wal and not at_once and not ours.in_transaction
        with without_sync(ours) if lazily else contextlib.nullcontext(), connection.begin():
            if ours.in_transaction:
                # It may have begun without the right to write, and lose it to another one as soon
                # as it has read: it asks for it before, which SQLite waits for.
                ours.execute(f"DELETE FROM {self.accounts.name} WHERE false")
            else:
                begin(ours)
            yield

    @contextlib.contextmanager
    def trouble(self) -> Iterator[None]:
        """Every error of the database is a :exc:`.QueueError`, without the values of its statement:
        they are somebody's mail."""
        try:
            yield
        except (exc.SQLAlchemyError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, exc.DBAPIError) else error
            why = str(cause).strip().partition("\n")[0]
            if "locked" in why or "lock timeout" in why:
                why += "; has this thread a transaction of its own that waits for its commit? Then"
                why += " write send_later(..., session=db.session)"
            raise QueueError(f"The queue in {self.name} cannot be used: {why}.") from cause

    def be_patient(self, connection: sa.Connection) -> None:
        """Wait for locks, but not for ever, as SQLite's driver does anyway."""
        if self.postgresql:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE:g}s'")

    def life(self) -> str:
        """Which life of the database's server, or of the machine of a WAL, it is: what was not yet
        on the disk is gone with the last one. "" where that cannot be told, or nothing can be gone.

        :raises QueueError: for every error of the database.
        """
        if self.postgresql:
            with self.single() as connection:
                found = connection.execute(LIFE).scalar()
            return "" if found is None else str(found).replace(".", "-")
        with self._turn():
            self.make_ready()
        return boot_id() if self._wal else ""

    def make_ready(self) -> None:
        """Make the tables in SQLite; elsewhere see whether they are there.

        :raises QueueError: if they are not.
        """
        if self._ready:
            return
        with self._single.connect() as connection:
            if self.postgresql:
                self._look(connection)
            else:
                self._choose_journal(connection)
                with connection.begin():  # which waits for nobody where they are there
                    self.make_tables(connection)
        self._ready = True

    def _choose_journal(self, connection: sa.Connection) -> None:
        """A file that nobody has put anything into yet gets a WAL, for with it a message takes a
        tenth of the time. What an app has made it has chosen itself."""
        if (file := _driver_of(connection)) is None:
            return
        if self._ours and not file.execute("SELECT 1 FROM sqlite_master").fetchone():
            with contextlib.suppress(sqlite3.OperationalError):  # another process does the same
                file.execute("PRAGMA journal_mode = WAL")
        (journal,) = file.execute("PRAGMA journal_mode").fetchone()
        self._wal = journal == "wal"

    def _look(self, connection: sa.Connection) -> None:
        found = sa.inspect(connection)
        for table in (self.rows, self.contents, self.accounts):
            if not found.has_table(table.name, schema=table.schema):
                raise QueueError(_MISSING.format(self.name))

    def make_tables(self, connection: sa.Connection) -> None:
        """Make the tables that are not there. Two processes may begin at the same time."""
        for table in (self.rows, self.contents, self.accounts):
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))

    def prepare(self, connection: sa.Connection) -> None:
        """The same in a transaction of the app's. SQLite lets nobody else write meanwhile, so that
        there the tables are made in it."""
        if self._ready:
            return
        if self.postgresql:
            self._look(connection)
            self._ready = True
        else:  # not to be relied on, for they are rolled back with it
            self.make_tables(connection)

    def close(self) -> None:
        """Let go of what is open, unless it is the app's."""
        if self._ours:
            self.engine.dispose()

    # Forks. In SQLite one transaction of ours after the other, for it lets only one write anyway;
    # then none of them is open while the process forks: see SqliteFile.

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        with self.trouble():
            if self.postgresql:
                yield
            else:
                with self._lock:
                    yield

    def _before_fork(self) -> None:
        if self.postgresql:
            return
        self._held = self._lock.acquire(PATIENCE)
        if self._held:
            self.engine.dispose()

    def _after_in_parent(self) -> None:
        if self._held:
            self._held = False
            self._lock.release()

    def _after_in_child(self) -> None:
        self._lock = FairLock()
        self._held = False
        # What the pool has open is the parent's: never use or close it.
        self._inherited.append(self.engine.pool)
        self.engine.dispose(close=False)

    def __repr__(self) -> str:
        return f"<Database {self.name}>"


def _driver_of(connection: sa.Connection) -> sqlite3.Connection | None:
    """The connection of Python's own driver for SQLite, if it is one."""
    found: t.Any = connection.connection.driver_connection
    return found if isinstance(found, sqlite3.Connection) else None


def _check(engine: sa.Engine) -> None:
    if engine.dialect.name not in ("sqlite", "postgresql"):
        raise ConfigurationError(
            "MAIL_QUEUE: mail can wait in databases of SQLite and PostgreSQL, not of"
            f" {engine.dialect.name}. 'sqlite' is a file of its own."
        )
    if engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:"):
        raise ConfigurationError(
            "MAIL_QUEUE: a database in memory is gone with its process. Name a file, or set"
            " MAIL_QUEUE = 'sqlite'."
        )
