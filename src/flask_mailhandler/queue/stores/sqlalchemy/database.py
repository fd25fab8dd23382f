"""The database of the SQLAlchemy store: connections, transactions, tables, errors and forks."""

from __future__ import annotations

import contextlib
import time
import typing as t
from collections.abc import Iterator

import sqlalchemy as sa

from ...fair_lock import FairLock
from ...forks import around_forks
from ...process import boot_id
from ..sqlite.opened_file import OpenedFile
from ..sqlite.transaction import begin
from ..sqlite.transaction import Line
from ..sqlite.transaction import without_sync
from .clock import Clock
from .insert import Insertion
from .kinds import Kind
from .kinds import KINDS
from .lending import Lender
from .queue_errors import QueueErrors
from .schema import driver_of
from .schema import Schema
from .statement import Run
from .statement import Statement
from .statement import writing
from .statement import writing_on_server

LOCK_TIMEOUT = 10.0
"""Seconds to wait for a lock that another transaction has."""
_NOTHING = contextlib.nullcontext()


class Database:
    """A database with the tables of the queue.

    :param engine: The app's engine, or one of our own. Nothing is opened.
    :param schema: The schema of the tables, if it is not the default one.
    :param ours: Whether to close the engine's connections when the queue is closed.
    """

    def __init__(self, engine: sa.Engine, schema: str | None, *, ours: bool) -> None:
        self.engine: sa.Engine = engine
        self.name: str = engine.url.set(query={}).render_as_string()
        self.kind: Kind = KINDS[engine.dialect.name]
        self.schema: Schema = Schema(self.kind, self.name, schema, ours=ours)
        tables = self.schema.tables
        self.rows: sa.Table = tables[0]
        self.contents: sa.Table = tables[1]
        self.accounts: sa.Table = tables[2]
        self.events: sa.Table = tables[3]
        self.suppressed: sa.Table = tables[4]
        self.insertion: Insertion = Insertion(self.rows, self.contents, engine.dialect)
        self.clock: Clock = Clock(self.single, self.kind.now)
        self._ours = ours
        self._single = self._transaction = engine
        if self.kind.on_server:
            # A single statement needs no round trips for a transaction. And whatever level the app
            # has chosen, a claim must not fail because another worker was quicker.
            if not ours:  # our own engine has this level for each of its connections
                self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
            if not (ours and self.kind.begins_itself):
                self._transaction = engine.execution_options(isolation_level="READ COMMITTED")
        self._lender = Lender(engine)
        self._errors = QueueErrors(engine, self.name)
        named = self.kind.run
        self._run = None if named is None else Statement(named, engine.dialect)
        self._lock = FairLock()
        self._line = Line()
        path = self._ours and not self.kind.on_server and engine.url.database
        self._opened_file = OpenedFile(path) if path else None
        self._held = False
        self._inherited: list[object] = []
        around_forks(self._before_fork, self._after_in_parent, self._after_in_child)

    @contextlib.contextmanager
    def single(self, *, ready: bool = True) -> Iterator[sa.Connection]:
        """Lend a connection for one statement.

        On a server it may write, and is on the disk when the context ends unless the statement
        says otherwise. In SQLite it may only read.

        :param ready: Whether the tables must be there. In SQLite they are created then.
        :raises QueueError: for every error of the database.
        """
        with self._locked():
            if ready:
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
        with self._locked(now=durable):
            self.make_ready()
            with self._transaction.connect() as connection:
                write = self._write_on_server if self.kind.on_server else self._write_file
                try:
                    with write(connection, durable):
                        yield connection
                finally:
                    if not self._ours:
                        self.kind.unlimit_lock_wait(connection)

    @contextlib.contextmanager
    def quick(
        self, *, writes: bool = True, durable: bool = True, several: bool = False
    ) -> Iterator[Run]:
        """Lend a function that runs a :class:`.Statement`.

        On a server each has its own transaction, unless there are several that write. The driver
        runs it, unless the engine is the app's, or has listeners, which see each statement.

        :param writes: False if the statements only read.
        :param durable: As for :meth:`write`; in PostgreSQL the statement itself says it.
        :param several: Whether several statements write, all or none.
        :raises QueueError: for every error of the database.
        """
        alone = self.kind.on_server and not several
        if self._is_slow():
            change = self.single() if alone or not writes else self.write(durable=durable)
            with change as connection:
                yield lambda statement, values: statement.run_on(connection, values)
            return
        with self._locked(now=writes and durable):
            self.make_ready()
            lent = self._lender.take()
            try:
                if alone or not writes:
                    yield lent.run
                else:
                    with self._writing(lent.driver, durable):
                        yield lent.run
            except BaseException as error:
                self._lender.drop(lent, error)
                raise
            self._lender.take_back(lent)

    def _writing(self, driver: t.Any, durable: bool) -> contextlib.AbstractContextManager[None]:
        if self.kind.on_server:
            return writing_on_server(driver)
        return writing(driver, self.schema.wal and not durable, self._line)

    @contextlib.contextmanager
    def _write_on_server(self, connection: sa.Connection, durable: bool) -> Iterator[None]:
        # First before the rollback, which the half reply of an interrupt would disturb.
        closed = self._closed_on_error(connection)
        with closed, connection.begin(), self._closed_on_error(connection):
            if self._ours and self.kind.begins_itself:
                connection.exec_driver_sql("START TRANSACTION")
            if self.kind.one_statement and not durable:
                connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
            yield

    @contextlib.contextmanager
    def _closed_on_error(self, connection: sa.Connection) -> Iterator[None]:
        """Close a connection of our own engine after an error, as :meth:`.Lender.drop` does."""
        try:
            yield
        except BaseException as error:
            if self._ours and self.kind.on_server and not connection.invalidated:
                connection.invalidate(error)
            raise

    def _is_slow(self) -> bool:
        plain = self._ours and (self.kind.on_server or self.engine.driver == "pysqlite")
        return not plain or getattr(self.engine, "_has_events", True)

    @contextlib.contextmanager
    def _write_file(self, connection: sa.Connection, durable: bool) -> Iterator[None]:
        ours = driver_of(connection)
        if ours is None:  # another driver
            with connection.begin():
                yield
            return
        # An app may configure the driver to begin a transaction with each connection.
        lazily = self.schema.wal and not durable and not ours.in_transaction
        with without_sync(ours) if lazily else contextlib.nullcontext(), connection.begin():
            if ours.in_transaction:
                # The transaction may have begun as one that reads. After its first read it could
                # no longer become one that writes if another connection has written. So it writes
                # first, for which SQLite waits.
                ours.execute(f"DELETE FROM {self.accounts.name} WHERE false")
            else:
                begin(ours, self._line)
            yield

    def as_queue_error(self) -> QueueErrors:
        """Raise every error of the database as a :exc:`.QueueError` in this context."""
        return self._errors

    def limit_lock_wait(self, connection: sa.Connection) -> None:
        """Limit the wait for a lock in this transaction.

        The database's own ``lock_timeout`` has precedence. SQLite's driver has a limit anyway.
        """
        self.kind.limit_lock_wait(connection, LOCK_TIMEOUT)

    def server_run(self) -> str:
        """Return a name for this run of the database's server, or of the machine with the WAL.
        Transactions that were not durable may be lost when it ends. "" if it cannot be found out,
        or if every transaction is durable.

        :raises QueueError: for every error of the database.
        """
        if self._run is not None:
            with self.quick(writes=False) as run:
                ((found,),) = run(self._run, {})
            return "" if found is None else str(found).replace(".", "-")
        with self._locked():
            self.make_ready()
        return boot_id() if self.schema.wal else ""

    def make_ready(self) -> None:
        """Create the tables in SQLite; on a server check that they exist.

        :raises QueueError: if they do not, or the queue cannot use the server.
        """
        is_new = self.schema.make_ready(self._single)
        if is_new and self._opened_file is not None:
            self._opened_file.remember()

    def prepare(self, connection: sa.Connection) -> None:
        """Do the same as :meth:`make_ready` in a transaction of the app."""
        self.schema.prepare(connection)

    @property
    def largest(self) -> int | None:
        """The most octets of a content, if the server has a limit.

        :raises QueueError: for every error of the database.
        """
        if self.kind.on_server:
            with self._errors:
                self.make_ready()
        return self.schema.largest

    def close(self) -> None:
        """Close the engine's connections, unless it is the app's engine."""
        if self._ours:
            self._lender.close()
            self.engine.dispose()

    # Forks. In SQLite our transactions run one after the other, because only one may write anyway.
    # So none of them is open while the process forks: see SqliteFile.

    @contextlib.contextmanager
    def _locked(self, *, now: bool = False) -> Iterator[None]:
        """Take the turn.

        :param now: Whether to look in any case whether the file is still there, as for new mail.
        """
        came = time.monotonic()
        with self._errors, _NOTHING if self.kind.on_server else self._lock:
            self._line.came = came
            if self._opened_file is not None and self._opened_file.has_another(now=now):
                self._opened_file.leave()
                self.close()
                self.schema.forget()
            yield

    def _before_fork(self) -> None:
        if self.kind.on_server:
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
