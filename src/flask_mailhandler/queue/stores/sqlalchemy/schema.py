"""The tables of the queue in one database: found, or in SQLite created."""

from __future__ import annotations

import contextlib
import sqlite3
import typing as t

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex
from sqlalchemy.schema import CreateTable

from ....errors import QueueError
from ..base import TablesError
from .kinds import Kind
from .kinds import MYSQL
from .mysql_server import Server
from .tables import mail_queue_tables

MISSING = (
    "The tables of the queue are not in {}: call mail_queue_tables(db.metadata) next to your"
    " models, and create the tables with Flask-Migrate or db.create_all()."
)


class Schema:
    """The tables of the queue in a database.

    :param database: The name of the database.
    :param schema: The schema of the tables, if it is not the default one.
    :param ours: Whether the app does not use the engine.
    """

    def __init__(self, kind: Kind, database: str, schema: str | None, *, ours: bool) -> None:
        self._kind = kind
        self._database = database
        self._ours = ours
        self._ready = False
        self.tables: tuple[sa.Table, ...] = mail_queue_tables(sa.MetaData(schema=schema))
        self.wal: bool = False
        """Whether SQLite writes ahead to a log."""
        self.largest: int | None = None
        """The most octets of a content, if the server has a limit."""

    def make_ready(self, engine: sa.Engine) -> bool:
        """Create the tables in SQLite; on a server check that they exist.

        :return: Whether this is the first time.
        :raises QueueError: if they do not, or the queue cannot use the server.
        """
        if self._ready:
            return False
        with engine.connect() as connection:
            if self._kind.on_server:
                self._check(connection)
            else:
                self._choose_journal(connection)
                with connection.begin():  # waits for no lock if the tables exist
                    self._create(connection)
        self._ready = True
        return True

    def prepare(self, connection: sa.Connection) -> None:
        """Do the same as :meth:`make_ready` in a transaction of the app.

        SQLite lets no other connection write meanwhile, so the tables are created in that
        transaction.
        """
        if self._ready:
            return
        if self._kind.on_server:
            self._check(connection)
            self._ready = True
        else:  # not marked as ready, because a rollback removes them
            self._create(connection)

    def forget(self) -> None:
        """Look for the tables again, because another file of SQLite is in its place."""
        self._ready = False

    def _check(self, connection: sa.Connection) -> None:
        found = sa.inspect(connection)
        # The others may be missing after an update, and queued mail does not need them.
        for table in self.tables[:3]:
            if not found.has_table(table.name, schema=table.schema):
                raise TablesError(MISSING.format(self._database))
        if self._kind is MYSQL:
            server = Server.of(connection, self.tables)
            if fault := server.fault():
                raise QueueError(f"The queue in {self._database} cannot be used: {fault}.")
            server.warn(self._database)
            self.largest = server.largest

    def _create(self, connection: sa.Connection) -> None:
        """Create the tables that do not exist. Two processes may do it at the same time."""
        for table in self.tables:
            connection.execute(CreateTable(table, if_not_exists=True))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(CreateIndex(index, if_not_exists=True))

    def _choose_journal(self, connection: sa.Connection) -> None:
        """Switch a new file to a WAL, with which a message takes a tenth of the time.

        For a file that is not empty, the app has made its choice.
        """
        if (file := driver_of(connection)) is None:
            return
        if self._ours and not file.execute("SELECT 1 FROM sqlite_master").fetchone():
            with contextlib.suppress(sqlite3.OperationalError):  # another process does the same
                file.execute("PRAGMA journal_mode = WAL")
        (journal,) = file.execute("PRAGMA journal_mode").fetchone()
        self.wal = journal == "wal"

    def __repr__(self) -> str:
        return f"<Schema {self._database}>"


def driver_of(connection: sa.Connection) -> sqlite3.Connection | None:
    """Return the connection of the standard library's sqlite3; None with another driver."""
    found: t.Any = connection.connection.driver_connection
    return found if isinstance(found, sqlite3.Connection) else None
