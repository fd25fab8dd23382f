"""The app's own transaction: rows are added in it, and the bell rings when it has committed.

::

    send_later(session=) ── INSERT through the session ──▶ COMMIT ──▶ the bell, message_queued
                            │                              ROLLBACK ─▶ nothing
                            └ savepoint ── released ──▶ belongs to the transaction around it
                                           rolled back ─▶ nothing
"""

from __future__ import annotations

import dataclasses
import enum
import os
import typing as t
from collections.abc import Callable
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy import orm

from ....app.framework import current_globals
from ....errors import ConfigurationError
from ....errors import MessageError
from ....log import logger
from ...row import Row
from ...ticket import Ticket
from .kinds import KINDS
from .kinds import SQLITE

if t.TYPE_CHECKING:
    from .database import Database

_KEY = "flask_mailhandler_promises"


class _End(enum.Enum):
    """How the transaction of a promise ended.

    ::

        OPEN ── commit ──────▶ COMMITTED     of a savepoint: OPEN again, in the one around it
          ├──── rollback ────▶ ROLLED_BACK
          └──── neither ─────▶ CLOSED        of a savepoint; a later commit does not change it
    """

    OPEN = enum.auto()
    COMMITTED = enum.auto()
    ROLLED_BACK = enum.auto()
    CLOSED = enum.auto()
    """The savepoint ended without a commit or a rollback, and the row is gone."""


@dataclasses.dataclass(slots=True, eq=False)
class Promise:
    """A function that is called when a transaction has committed."""

    transaction: orm.SessionTransaction
    """The innermost transaction in which it was made: a savepoint, or the whole transaction."""
    message_id: str
    name: tuple[str, str] | None
    """The account and the key of the message, if it has a key."""
    action: Callable[[], object]
    context: object
    """The app context in which it was made."""
    end: _End = _End.OPEN
    warned: bool = False


class JoinedSession:
    """A session of the app whose transactions the queue follows.

    ``after_commit`` alone is not enough: it also fires for a savepoint, whose transaction may still
    be rolled back. So each promise belongs to one transaction. When that one ends, the promise is
    kept, dropped, or passed on to the transaction around it.
    """

    def __init__(self, session: orm.Session, database: Database) -> None:
        self._session = session
        self._database = database
        self._promises: list[Promise] = []

    @classmethod
    def of(cls, session: t.Any, database: Database) -> JoinedSession:
        """Return the JoinedSession of a session, made when it is first used.

        :raises MessageError: if *session* is not a session.
        """
        if isinstance(session, orm.scoped_session):
            session = session()
        if not isinstance(session, orm.Session):
            raise MessageError(
                f"session= takes a Session of SQLAlchemy, not a {type(session).__name__}. With an"
                " AsyncSession: await session.run_sync(lambda s: mail.send_later(message,"
                " session=s))."
            )
        joined: dict[Database, JoinedSession] = session.info.setdefault(_KEY, {})
        if database not in joined:
            joined[database] = cls(session, database)
            joined[database]._listen()
        return joined[database]

    def _listen(self) -> None:
        event.listen(self._session, "after_commit", self._after_commit)
        event.listen(self._session, "after_rollback", self._after_rollback)
        event.listen(self._session, "after_transaction_end", self._after_end)

    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        """Add rows in the transaction of the session, as :meth:`.Store.add` does in its own.

        :raises ConfigurationError: if the session uses another database.
        :raises QueueError: for every error of the database.
        """
        database = self._database
        with database.as_queue_error():
            connection = self._session.connection(bind_arguments={"clause": database.rows})
            theirs, ours = _place(connection.engine), _place(database.engine)
            if connection.engine is not database.engine and theirs != ours:
                raise ConfigurationError(
                    f"session= uses another database than the queue, which is in {database.name}:"
                    " workers would not find its rows. Set MAIL_QUEUE to the URL of the session's"
                    " database."
                )
            database.prepare(connection)
            return database.insertion.insert(connection, rows)

    def at_commit(
        self, action: Callable[[], object], message_id: str, name: tuple[str, str] | None = None
    ) -> None:
        """Call *action* when the transaction has committed, and never if it is rolled back.

        If the session or the app context ends without either, a warning is logged.

        :param name: The account and the key of the message, if it has a key.
        """
        if not self._session.in_transaction():
            self._session.begin()
        context = current_globals()
        self._promises.append(Promise(self._innermost(), message_id, name, action, context))
        if context is not None:
            context.setdefault(_KEY, set()).add(self)

    def promised(self, name: tuple[str, str]) -> str | None:
        """Return the Message-ID that the transaction queues for this account and key."""
        names = {promise.name: promise.message_id for promise in self._promises}
        return names.get(name)

    def left_by(self, context: object) -> list[Promise]:
        """Return the promises that were made in an app context and are still open."""
        return [one for one in self._promises if one.context is context]

    def _innermost(self) -> orm.SessionTransaction:
        found = self._session.get_nested_transaction() or self._session.get_transaction()
        assert found is not None
        return found

    # Events of the session

    def _after_commit(self, session: orm.Session) -> None:
        self._mark(_End.COMMITTED)

    def _after_rollback(self, session: orm.Session) -> None:
        self._mark(_End.ROLLED_BACK)

    def _mark(self, end: _End) -> None:
        if not self._promises:
            return
        ending = self._innermost()
        for promise in self._promises:
            lost = promise.end is _End.CLOSED and end is _End.COMMITTED
            if promise.transaction is ending and not lost:
                promise.end = end

    def _after_end(self, session: orm.Session, transaction: orm.SessionTransaction) -> None:
        ended = [promise for promise in self._promises if promise.transaction is transaction]
        if not ended:
            return
        if transaction.parent is None:
            self._promises = []
            self._end(ended)
            return
        around = self._innermost()
        for promise in ended:
            promise.transaction = around
            if promise.end is _End.COMMITTED:
                promise.end = _End.OPEN
            elif promise.end is _End.OPEN:
                promise.end = _End.CLOSED
        self._promises = [one for one in self._promises if one.end is not _End.ROLLED_BACK]

    def _end(self, ended: Sequence[Promise]) -> None:
        committed = [promise for promise in ended if promise.end is _End.COMMITTED]
        warn_of([one for one in ended if one.end in (_End.OPEN, _End.CLOSED)])
        for promise in committed:
            promise.action()


def context_ends(sender: object, **extra: object) -> None:
    """Warn of promises that are still open at the end of their app context."""
    context = current_globals()
    for joined in context.pop(_KEY, ()):
        warn_of(joined.left_by(context))


def warn_of(promises: Sequence[Promise]) -> None:
    """Warn that messages are not queued because their transaction was not committed."""
    ids = [promise.message_id for promise in promises if not promise.warned]
    for promise in promises:
        promise.warned = True
    if not ids:
        return
    logger.warning(
        "Mail is not queued, because the transaction of its session was not committed: %s."
        " Call session.commit() after send_later(..., session=session).",
        ", ".join(ids),
    )


def _place(engine: sa.Engine) -> tuple[object, ...]:
    url, kind = engine.url, KINDS.get(engine.dialect.name)
    file = kind is SQLITE and url.database
    database = os.path.realpath(file) if file else url.database
    return kind, url.host, url.port, database
