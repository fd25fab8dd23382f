"""Lend connections of the driver, and test those that were idle.

SQLAlchemy's pool takes 30 to 50 microseconds to lend a connection and to take it back, for each of
the three statements of a message. So the last connection stays lent for the next statement.
"""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy import exc

if t.TYPE_CHECKING:
    from .statement import Statement

IDLE = 1.0
"""Seconds after which an idle connection is tested before it is used."""
_KEY = "flask_mailhandler_idle"


class Lent:
    """A connection of the driver that is lent, and one cursor for all of its statements.

    :param engine: The engine whose pool lends it.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.pool: sa.Pool = engine.pool
        self.proxy: t.Any = engine.raw_connection()
        self.driver: t.Any = t.cast("t.Any", self.proxy.driver_connection)
        self.used: float = 0.0
        """When it was used last, by the monotonic clock."""
        # Otherwise PostgreSQL sends octets as hexadecimal digits: 30 µs more for 10 kB.
        binary = {"binary": True} if engine.dialect.driver == "psycopg" else {}
        self._cursor = self.driver.cursor(**binary)

    def run(self, statement: Statement, values: Mapping[str, t.Any]) -> list[t.Any]:
        """Run a statement, and return its rows."""
        return statement.run_with(self._cursor, values)

    def close(self, error: BaseException | None = None, *, lost: bool = False) -> None:
        """Give the connection back to the pool, or close it if it is lost."""
        self._cursor.close()  # first, because SQLite's raises if the connection is closed
        if lost:
            self.proxy.invalidate(error)
        self.proxy.close()

    def __repr__(self) -> str:
        return f"<Lent {self.driver!r}>"


class Lender:
    """Lends the connections of an engine of our own.

    ::

        take ──▶ the caller ──▶ take_back ──▶ kept for the next, if none is
                     └── error ─▶ drop        closed, which rolls back
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._kept: list[Lent] = []

    def take(self) -> Lent:
        """Lend a connection. The caller gives it to :meth:`take_back` or :meth:`drop`."""
        try:
            lent = self._kept.pop()
        except IndexError:
            return Lent(self._engine)
        if is_lost(self._engine, lent.driver, lent.used):
            lent.close(lost=True)
            return Lent(self._engine)
        return lent

    def take_back(self, lent: Lent) -> None:
        """Keep a connection for the next caller, or give it back to the pool."""
        lent.used = time.monotonic()
        if lent.pool is not self._engine.pool:
            lent.close(lost=True)  # its pool was dropped meanwhile, and would not close it
        elif self._kept:
            lent.close()
        else:
            self._kept.append(lent)

    def drop(self, lent: Lent, error: BaseException) -> None:
        """Close a connection after an error.

        An exception that a signal handler has raised leaves half a reply in it, and after an
        ``ALTER TABLE`` a prepared statement may fail each time. If the server has closed it, all
        others of the engine are dropped too, as SQLAlchemy does.
        """
        dialect = self._engine.dialect
        cut = isinstance(error, dialect.loaded_dbapi.Error) and dialect.is_disconnect(
            error, lent.driver, None
        )
        lent.close(error, lost=True)
        if cut:
            self.close()
            self._engine.dispose()

    def close(self) -> None:
        """Give the kept connections back to the pool."""
        while self._kept:
            self._kept.pop().close()

    def forget(self) -> list[Lent]:
        """Return the kept connections, which are a parent process's: never use or close them."""
        kept, self._kept = self._kept, []
        return kept

    def __repr__(self) -> str:
        return f"<Lender {self._engine.url!r}, {len(self._kept)} kept>"


def is_lost(engine: sa.Engine, driver: t.Any, since: float) -> bool:
    """Whether a connection was idle for a while, and its server has closed it.

    :param since: When it was used last. The server may have been restarted since. SQLAlchemy's
        ``pool_pre_ping`` tests a connection each time, which slows a worker down.
    """
    if engine.dialect.name == "sqlite" or time.monotonic() - since < IDLE:
        return False
    try:
        return not engine.dialect.do_ping(driver)
    except Exception:
        return True


def look_at_idle(engine: sa.Engine) -> None:
    """Test the connections of an engine's pool that were idle for a while before they are used."""

    def checked_in(connection: t.Any, record: t.Any) -> None:
        record.info[_KEY] = time.monotonic()
        # After a transaction, SQLAlchemy up to 2.0.18 restores the server's level and
        # not the engine's. What the driver then inserts would never be committed.
        if connection is not None and not _commits(connection):
            engine.dialect.set_isolation_level(connection, "AUTOCOMMIT")

    def checked_out(connection: t.Any, record: t.Any, proxy: object) -> None:
        since = record.info.pop(_KEY, None)
        if since is not None and is_lost(engine, connection, since):
            raise exc.InvalidatePoolError

    event.listen(engine, "checkin", checked_in)
    event.listen(engine, "checkout", checked_out)


def _commits(connection: t.Any) -> bool:
    """Whether a connection of a driver commits each statement."""
    if hasattr(connection, "get_autocommit"):  # the drivers of MySQL
        return bool(connection.get_autocommit())
    return bool(getattr(connection, "autocommit", False))
