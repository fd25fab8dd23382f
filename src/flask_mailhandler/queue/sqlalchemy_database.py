"""The database of the SQLAlchemy stores: connections, transactions, tables, errors and forks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.schema import CreateIndex
from sqlalchemy.schema import CreateTable

from ..errors import ConfigurationError
from ..errors import QueueError
from .forks import around_forks
from .sqlalchemy_postgresql import LIFE
from .sqlalchemy_rows import Insertion
from .sqlalchemy_tables import mail_queue_tables
from .turns import Turns

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
        self._ours = ours
        self._ready = False
        _check(engine)
        self._single = self._transaction = engine
        if self.postgresql:
            # One statement needs no round trips for a transaction; and whatever the app prefers,
            # claiming must not fail because another worker was quicker.
            self._single = engine.execution_options(isolation_level="AUTOCOMMIT")
            self._transaction = engine.execution_options(isolation_level="READ COMMITTED")
        self._turns = Turns()
        self._held = False
        self._inherited: list[sa.Pool] = []
        around_forks(self._before_fork, self._after_in_parent, self._after_in_child)

    @contextlib.contextmanager
    def single(self) -> Iterator[sa.Connection]:
        """Lend a connection for one statement, which is on the disk when the context ends.

        :raises QueueError: for every error of the database.
        """
        with self._turn():
            self.make_ready()
            if self.postgresql:
                with self._single.connect() as connection:
                    yield connection
            else:
                with self._single.begin() as connection:
                    yield connection

    @contextlib.contextmanager
    def write(self, *, at_once: bool = True) -> Iterator[sa.Connection]:
        """Lend a connection in a transaction, which is there for everybody at the end of the
        context, or, after an exception, has not happened.

        :param at_once: Whether it is on the disk then too, in PostgreSQL: if not, where its machine
            goes down it may be gone, unless something was written at once since.
        :raises QueueError: for every error of the database.
        """
        with self._turn():
            self.make_ready()
            with self._transaction.begin() as connection:
                if self.postgresql and not at_once:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield connection

    @contextlib.contextmanager
    def trouble(self) -> Iterator[None]:
        """Every error of the database is a :exc:`.QueueError`, without the values of its statement:
        they are somebody's mail."""
        try:
            yield
        except exc.SQLAlchemyError as error:
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
        """Which life of the database's server it is: what was not yet on the disk is gone with the
        last one. "" where that cannot be told, and in SQLite.

        :raises QueueError: for every error of the database.
        """
        if not self.postgresql:
            return ""
        with self.single() as connection:
            found = connection.execute(LIFE).scalar()
        return "" if found is None else str(found).replace(".", "-")

    def make_ready(self) -> None:
        """Make the tables in SQLite; elsewhere see whether they are there.

        :raises QueueError: if they are not.
        """
        if self._ready:
            return
        if self.postgresql:
            with self._single.connect() as connection:
                self._look(connection)
        else:
            with self._transaction.begin() as connection:
                self.make_tables(connection)
        self._ready = True

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
                with self._turns:
                    yield

    def _before_fork(self) -> None:
        if self.postgresql:
            return
        self._held = self._turns.take(PATIENCE)
        if self._held:
            self.engine.dispose()

    def _after_in_parent(self) -> None:
        if self._held:
            self._held = False
            self._turns.end()

    def _after_in_child(self) -> None:
        self._turns = Turns()
        self._held = False
        # What the pool has open is the parent's: never use or close it.
        self._inherited.append(self.engine.pool)
        self.engine.dispose(close=False)

    def __repr__(self) -> str:
        return f"<Database {self.name}>"


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
