"""The database of the SQLAlchemy store: connections, transactions, tables, errors and forks."""

from __future__ import annotations

import contextlib
import sqlite3
import typing as t
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex
from sqlalchemy.schema import CreateTable

from ....errors import QueueError
from ...fair_lock import FairLock
from ...forks import around_forks
from ...process import boot_id
from ..sqlite.transaction import begin
from ..sqlite.transaction import without_sync
from .clock import Clock
from .insert import Insertion
from .lending import Lender
from .postgresql import LIMIT_LOCK_WAIT
from .postgresql import RUN
from .queue_errors import QueueErrors
from .statement import Run
from .statement import Statement
from .statement import writing
from .tables import mail_queue_tables

LOCK_TIMEOUT = 10.0
"""Seconds to wait for a lock that another transaction has."""
_NOTHING = contextlib.nullcontext()
MISSING = (
    "The tables of the queue are not in {}: call mail_queue_tables(db.metadata) next to your"
    " models, and create the tables with Flask-Migrate or db.create_all()."
)


class Database:
    """An SQLite or PostgreSQL database with the tables of the queue.

    :param engine: The app's engine, or one of our own. Nothing is opened.
    :param schema: The schema of the tables, if it is not the default one.
    :param ours: Whether to close the engine's connections when the queue is closed.
    """

    def __init__(self, engine: sa.Engine, schema: str | None, *, ours: bool) -> None:
        self.engine: sa.Engine = engine
        self.name: str = engine.url.set(query={}).render_as_string()
        self.postgresql: bool = engine.dialect.name == "postgresql"
        tables = mail_queue_tables(sa.MetaData(schema=schema))
        self.rows: sa.Table = tables[0]
        self.contents: sa.Table = tables[1]
        self.accounts: sa.Table = tables[2]
        self.events: sa.Table = tables[3]
        self.suppressed: sa.Table = tables[4]
        self._tables = tables
        self.insertion: Insertion = Insertion(self.rows, self.contents, engine.dialect)
        self.clock: Clock = Clock(self.single if self.postgresql else None)
        self._ours = ours
        self._ready = False
        self._wal = False
        self._single = self._transaction = engine
        if self.postgresql:
            # A single statement needs no round trips for a transaction. And whatever level the app
            # has chosen, a claim must not fail because another worker was quicker.
            if not ours:  # our own engine has this level for each of its connections
                self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
            self._transaction = engine.execution_options(isolation_level="READ COMMITTED")
        self._lender = Lender(engine)
        self._errors = QueueErrors(engine, self.name)
        self._run = Statement(RUN, engine.dialect)
        self._lock = FairLock()
        self._held = False
        self._inherited: list[object] = []
        around_forks(self._before_fork, self._after_in_parent, self._after_in_child)

    @contextlib.contextmanager
    def single(self) -> Iterator[sa.Connection]:
        """Lend a connection for one statement.

        In PostgreSQL it may write, and is on the disk when the context ends unless the statement
        says otherwise. In SQLite it may only read.

        :raises QueueError: for every error of the database.
        """
        with self._locked():
            self.make_ready()
            with self._single.connect() as connection, self._closed_on_error(connection):
                yield connection

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[sa.Connection]:
        """Lend a connection in a transaction.

        It commits at the end of the context, and is rolled back after an exception.

        :param durable: Whether the transaction is on the disk then. If not, it may be lost if the
            machine of the database goes down before the next durable one. In SQLite without a WAL
            every transaction is durable.
        :raises QueueError: for every error of the database.
        """
        with self._locked():
            self.make_ready()
            with self._transaction.connect() as connection:
                if self.postgresql:
                    # First before the rollback, which the half reply of an interrupt would disturb.
                    closed = self._closed_on_error(connection)
                    with closed, connection.begin(), self._closed_on_error(connection):
                        if not durable:
                            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                        yield connection
                else:
                    with self._write_file(connection, durable):
                        yield connection

    @contextlib.contextmanager
    def change(self, *, durable: bool = True) -> Iterator[sa.Connection]:
        """Lend a connection for one statement that writes, without round trips for a transaction.

        :param durable: As for :meth:`write`; in PostgreSQL the statement itself says it.
        :raises QueueError: for every error of the database.
        """
        with self.single() if self.postgresql else self.write(durable=durable) as connection:
            yield connection

    @contextlib.contextmanager
    def quick(self, *, writes: bool = True, durable: bool = True) -> Iterator[Run]:
        """Lend a function that runs a :class:`.Statement`.

        In PostgreSQL each has its own transaction. The driver runs it, unless the engine is the
        app's, or has listeners, which see each statement.

        :param writes: False if the statements only read.
        :param durable: As for :meth:`change`.
        :raises QueueError: for every error of the database.
        """
        if self._is_slow():
            change = self.change(durable=durable) if writes else self.single()
            with change as connection:
                yield lambda statement, values: statement.run_on(connection, values)
            return
        in_file = writes and not self.postgresql
        lazily = self._wal and not durable
        with self._locked():
            self.make_ready()
            lent = self._lender.take()
            try:
                with writing(lent.driver, lazily) if in_file else _NOTHING:
                    yield lent.run
            except BaseException as error:
                self._lender.drop(lent, error)
                raise
            self._lender.take_back(lent)

    @contextlib.contextmanager
    def _closed_on_error(self, connection: sa.Connection) -> Iterator[None]:
        """Close a connection of our own engine after an error, as :meth:`.Lender.drop` does."""
        try:
            yield
        except BaseException as error:
            if self._ours and self.postgresql and not connection.invalidated:
                connection.invalidate(error)
            raise

    def _is_slow(self) -> bool:
        plain = self._ours and (self.postgresql or self.engine.driver == "pysqlite")
        return not plain or getattr(self.engine, "_has_events", True)

    @contextlib.contextmanager
    def _write_file(self, connection: sa.Connection, durable: bool) -> Iterator[None]:
        ours = _driver_of(connection)
        if ours is None:  # another driver
            with connection.begin():
                yield
            return
        # An app may configure the driver to begin a transaction with each connection.
        lazily = self._wal and not durable and not ours.in_transaction
        with without_sync(ours) if lazily else contextlib.nullcontext(), connection.begin():
            if ours.in_transaction:
                # The transaction may have begun as one that reads. After its first read it could
                # no longer become one that writes if another connection has written. So it writes
                # first, for which SQLite waits.
                ours.execute(f"DELETE FROM {self.accounts.name} WHERE false")
            else:
                begin(ours)
            yield

    def as_queue_error(self) -> QueueErrors:
        """Raise every error of the database as a :exc:`.QueueError` in this context."""
        return self._errors

    def limit_lock_wait(self, connection: sa.Connection) -> None:
        """Limit the wait for a lock in this transaction.

        The database's own ``lock_timeout`` has precedence. SQLite's driver has a limit anyway.
        """
        if self.postgresql:
            connection.execute(LIMIT_LOCK_WAIT, {"limit": f"{LOCK_TIMEOUT:g}s"})

    def server_run(self) -> str:
        """Return a name for this run of the database's server, or of the machine with the WAL.
        Transactions that were not durable may be lost when it ends. "" if it cannot be found out,
        or if every transaction is durable.

        :raises QueueError: for every error of the database.
        """
        if self.postgresql:
            with self.quick(writes=False) as run:
                ((found,),) = run(self._run, {})
            return "" if found is None else str(found).replace(".", "-")
        with self._locked():
            self.make_ready()
        return boot_id() if self._wal else ""

    def make_ready(self) -> None:
        """Create the tables in SQLite; in PostgreSQL check that they exist.

        :raises QueueError: if they do not.
        """
        if self._ready:
            return
        with self._single.connect() as connection:
            if self.postgresql:
                self._check_tables(connection)
            else:
                self._choose_journal(connection)
                with connection.begin():  # waits for no lock if the tables exist
                    self.make_tables(connection)
        self._ready = True

    def _choose_journal(self, connection: sa.Connection) -> None:
        """Switch a new file to a WAL, with which a message takes a tenth of the time.

        For a file that is not empty, the app has made its choice.
        """
        if (file := _driver_of(connection)) is None:
            return
        if self._ours and not file.execute("SELECT 1 FROM sqlite_master").fetchone():
            with contextlib.suppress(sqlite3.OperationalError):  # another process does the same
                file.execute("PRAGMA journal_mode = WAL")
        (journal,) = file.execute("PRAGMA journal_mode").fetchone()
        self._wal = journal == "wal"

    def _check_tables(self, connection: sa.Connection) -> None:
        found = sa.inspect(connection)
        # The others may be missing after an update, and queued mail does not need them.
        for table in (self.rows, self.contents, self.accounts):
            if not found.has_table(table.name, schema=table.schema):
                raise QueueError(MISSING.format(self.name))

    def make_tables(self, connection: sa.Connection) -> None:
        """Create the tables that do not exist. Two processes may do it at the same time."""
        for table in self._tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))

    def prepare(self, connection: sa.Connection) -> None:
        """Do the same as :meth:`make_ready` in a transaction of the app.

        SQLite lets no other connection write meanwhile, so the tables are created in that
        transaction.
        """
        if self._ready:
            return
        if self.postgresql:
            self._check_tables(connection)
            self._ready = True
        else:  # not marked as ready, because a rollback removes them
            self.make_tables(connection)

    def close(self) -> None:
        """Close the engine's connections, unless it is the app's engine."""
        if self._ours:
            self._lender.close()
            self.engine.dispose()

    # Forks. In SQLite our transactions run one after the other, because only one may write anyway.
    # So none of them is open while the process forks: see SqliteFile.

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self._errors, _NOTHING if self.postgresql else self._lock:
            yield

    def _before_fork(self) -> None:
        if self.postgresql:
            return
        self._held = self._lock.acquire(LOCK_TIMEOUT)
        if self._held:
            self._lender.close()
            self.engine.dispose()

    def _after_in_parent(self) -> None:
        if self._held:
            self._held = False
            self._lock.release()

    def _after_in_child(self) -> None:
        self._lock = FairLock()
        self._held = False
        # The connections in the pool are the parent's: never use or close them.
        self._inherited += [self.engine.pool, *self._lender.forget()]
        self.engine.dispose(close=False)

    def __repr__(self) -> str:
        return f"<Database {self.name}>"


def _driver_of(connection: sa.Connection) -> sqlite3.Connection | None:
    """Return the connection of the standard library's sqlite3; None with another driver."""
    found: t.Any = connection.connection.driver_connection
    return found if isinstance(found, sqlite3.Connection) else None
