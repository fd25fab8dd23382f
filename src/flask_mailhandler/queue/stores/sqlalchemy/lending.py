"""Lend connections of the driver, and test those that were idle.

SQLAlchemy's pool takes 30 to 50 microseconds to lend a connection and to take it back, for each of
the three statements of a message. So the last connection stays lent for the next statement.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy import exc

IDLE = 1.0
"""Seconds after which an idle connection is tested before it is used."""
_KEY = "flask_mailhandler_idle"


class Lender:
    """Lends the connections of an engine of our own.

    At most one connection for each thread stays lent, and one in all most of the time.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._kept: list[tuple[t.Any, float]] = []

    @contextlib.contextmanager
    def lend(self) -> Iterator[t.Any]:
        """Lend a connection of the driver.

        If the server has closed it, all others of the engine are dropped too, as SQLAlchemy does.
        """
        lent = self._take()
        try:
            yield lent.driver_connection
        except BaseException as error:
            self._drop(lent, error)
            raise
        if self._kept:
            lent.close()
        else:
            self._kept.append((lent, time.monotonic()))

    def _take(self) -> t.Any:
        """Return a kept connection, or one of the pool."""
        try:
            lent, since = self._kept.pop()
        except IndexError:
            return self._engine.raw_connection()
        if is_lost(self._engine, lent.driver_connection, since):
            lent.invalidate()
            lent.close()
            return self._engine.raw_connection()
        return lent

    def _drop(self, lent: t.Any, error: BaseException) -> None:
        """Give a connection back to the pool, which rolls back, or close it."""
        dialect = self._engine.dialect
        if not isinstance(error, Exception):  # the reply may be half read
            lent.invalidate(error)
        elif isinstance(error, dialect.loaded_dbapi.Error) and dialect.is_disconnect(
            error, lent.driver_connection, None
        ):
            lent.invalidate(error)
            self.close()
            self._engine.dispose()
        lent.close()

    def close(self) -> None:
        """Give the kept connections back to the pool."""
        while self._kept:
            lent, _ = self._kept.pop()
            lent.close()

    def forget(self) -> list[object]:
        """Return the kept connections, which are a parent process's: never use or close them."""
        kept, self._kept = self._kept, []
        return [lent for lent, _ in kept]


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
        if connection is not None and not getattr(connection, "autocommit", False):
            engine.dialect.set_isolation_level(connection, "AUTOCOMMIT")

    def checked_out(connection: t.Any, record: t.Any, proxy: object) -> None:
        since = record.info.pop(_KEY, None)
        if since is not None and is_lost(engine, connection, since):
            raise exc.InvalidatePoolError

    event.listen(engine, "checkin", checked_in)
    event.listen(engine, "checkout", checked_out)
