"""The app's own transaction: rows are written in it, and the bell rings when it has committed.

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
from flask import g
from flask import has_app_context
from sqlalchemy import event
from sqlalchemy import orm

from ....errors import ConfigurationError
from ....errors import MessageError
from ....log import logger
from ...row import Row
from ...ticket import Ticket

if t.TYPE_CHECKING:
    from .database import Database

_KEY = "flask_mailhandler_promises"


class _Fate(enum.Enum):
    OPEN = enum.auto()
    COMMITTED = enum.auto()
    ROLLED_BACK = enum.auto()
    CLOSED = enum.auto()
    """Its savepoint ended without either, and took the row with it."""


@dataclasses.dataclass(slots=True, eq=False)
class Promise:
    """What is to be done when a transaction has committed."""

    transaction: orm.SessionTransaction
    """The innermost one that it was made in: a savepoint, or the whole."""
    message_id: str
    name: tuple[str, str] | None
    action: Callable[[], object]
    context: object
    """The app's context that it was made in."""
    fate: _Fate = _Fate.OPEN
    warned: bool = False


class JoinedSession:
    """A session of the app's, of which the queue wants to know what becomes of its transaction.

    ``after_commit`` alone does not tell: it fires for a savepoint too, while the whole may still be
    rolled back. So each promise belongs to one transaction, and when that ends it is kept, broken,
    or handed to the one around it.
    """

    def __init__(self, session: orm.Session, database: Database) -> None:
        self._session = session
        self._database = database
        self._promises: list[Promise] = []

    @classmethod
    def of(cls, session: t.Any, database: Database) -> JoinedSession:
        """The one of a session, made when it is first asked for.

        :raises MessageError: if it is no session.
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
        """Write rows in the transaction of the session, as :meth:`.Store.add` does in one of its
        own.

        :raises ConfigurationError: if the session is one of another database.
        :raises QueueError: for every error of the database.
        """
        database = self._database
        with database.trouble():
            connection = self._session.connection(bind_arguments={"clause": database.rows})
            theirs, ours = _place(connection.engine), _place(database.engine)
            if connection.engine is not database.engine and theirs != ours:
                raise ConfigurationError(
                    f"session= is one of another database than the queue's, {database.name}: its"
                    " rows would not be found there. MAIL_QUEUE takes the URL of the right one."
                )
            database.prepare(connection)
            return database.insertion.insert(connection, rows)

    def at_commit(
        self, action: Callable[[], object], message_id: str, name: tuple[str, str] | None = None
    ) -> None:
        """Do something when the transaction has committed, and nothing if it is rolled back. If
        the session or the app's context ends without either, a line in the log says so.

        :param name: The account and the key of the message, if it has one.
        """
        if not self._session.in_transaction():
            self._session.begin()
        context = g._get_current_object() if has_app_context() else None
        self._promises.append(Promise(self._innermost(), message_id, name, action, context))
        if context is not None:
            g.setdefault(_KEY, set()).add(self)

    def promised(self, name: tuple[str, str]) -> str | None:
        """The Message-ID that is to be queued by that account and key."""
        names = {promise.name: promise.message_id for promise in self._promises}
        return names.get(name)

    def left_by(self, context: object) -> list[Promise]:
        """What was promised in a context of the app, and is open still."""
        return [one for one in self._promises if one.context is context]

    def _innermost(self) -> orm.SessionTransaction:
        found = self._session.get_nested_transaction() or self._session.get_transaction()
        assert found is not None
        return found

    # Events of the session

    def _after_commit(self, session: orm.Session) -> None:
        self._mark(_Fate.COMMITTED)

    def _after_rollback(self, session: orm.Session) -> None:
        self._mark(_Fate.ROLLED_BACK)

    def _mark(self, fate: _Fate) -> None:
        if not self._promises:
            return
        ending = self._innermost()
        for promise in self._promises:
            lost = promise.fate is _Fate.CLOSED and fate is _Fate.COMMITTED
            if promise.transaction is ending and not lost:
                promise.fate = fate

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
            if promise.fate is _Fate.COMMITTED:
                promise.fate = _Fate.OPEN
            elif promise.fate is _Fate.OPEN:
                promise.fate = _Fate.CLOSED
        self._promises = [one for one in self._promises if one.fate is not _Fate.ROLLED_BACK]

    def _end(self, ended: Sequence[Promise]) -> None:
        committed = [promise for promise in ended if promise.fate is _Fate.COMMITTED]
        warn_of([one for one in ended if one.fate in (_Fate.OPEN, _Fate.CLOSED)])
        for promise in committed:
            promise.action()


def context_ends(sender: object, **extra: object) -> None:
    """Warn of what was promised in a context of the app that is over, if its transaction is not."""
    context = g._get_current_object()
    for joined in g.pop(_KEY, ()):
        warn_of(joined.left_by(context))


def warn_of(promises: Sequence[Promise]) -> None:
    """Say that messages are not queued because nobody has committed."""
    ids = [promise.message_id for promise in promises if not promise.warned]
    for promise in promises:
        promise.warned = True
    if not ids:
        return
    logger.warning(
        "Mail was given to a session whose transaction was not committed, so it is not queued: %s."
        " Call session.commit() after send_later(..., session=session).",
        ", ".join(ids),
    )


def _place(engine: sa.Engine) -> tuple[object, ...]:
    url = engine.url
    file = url.get_backend_name() == "sqlite" and url.database
    database = os.path.realpath(file) if file else url.database
    return url.get_backend_name(), url.host, url.port, database
