"""What a preview writes into a database is rolled back.

::

    session ── savepoint ── connection ── transaction ── rolled back
       commit() ends this      of ours
"""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterator

if t.TYPE_CHECKING:
    from flask.sansio.app import App


@contextlib.contextmanager
def rolled_back(app: App) -> Iterator[None]:
    """Roll back everything that the session of Flask-SQLAlchemy or Flask-SQLAlchemy-Lite writes in
    this app context, even after ``commit()``. Do nothing in an app without them.

    No connection is opened until the session needs it.
    """
    session: t.Any = getattr(app.extensions.get("sqlalchemy"), "session", None)
    if session is None:
        yield
        return
    if callable(session):  # Flask-SQLAlchemy's is a registry, with a session for this context
        session = session()
    with contextlib.ExitStack() as undo:
        _bind_to_transactions(session, undo)
        try:
            yield
        finally:
            session.close()  # before its connections are closed


def _bind_to_transactions(session: t.Any, undo: contextlib.ExitStack) -> None:
    """Run a session in our own transactions, as SQLAlchemy's documentation describes in "Joining a
    Session into an External Transaction"."""
    engine_of = session.get_bind
    ours: dict[t.Any, t.Any] = {}

    def connection_of(*args: t.Any, **kwargs: t.Any) -> t.Any:
        engine = engine_of(*args, **kwargs)
        if engine not in ours:
            ours[engine] = _begin(engine, undo)
        return ours[engine]

    session.get_bind = connection_of
    session.join_transaction_mode = "create_savepoint"


def _begin(engine: t.Any, undo: contextlib.ExitStack) -> t.Any:
    if not hasattr(engine, "connect"):  # a test bound the session to its own connection
        undo.callback(engine.begin_nested().rollback)
        return engine
    connection = undo.enter_context(engine.connect())
    undo.callback(connection.begin().rollback)
    # Python's sqlite3 begins a transaction only at the first write, and without one SQLite commits
    # when the outermost savepoint is released.
    if not getattr(connection.connection.dbapi_connection, "in_transaction", True):
        connection.exec_driver_sql("BEGIN")
    return connection
