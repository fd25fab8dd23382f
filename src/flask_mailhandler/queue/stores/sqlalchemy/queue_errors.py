"""Errors of the database as errors of the queue, with what to do about them."""

from __future__ import annotations

import types

import sqlalchemy as sa
from sqlalchemy import exc

from ....errors import QueueError

_NO_COLUMN = ("no such", "has no column", "does not exist", "Unknown column")


class QueueErrors:
    """A context that raises every error of a database as a :exc:`.QueueError`.

    It does not show the parameters of the statement, because they hold mail. It is a class and not
    a generator, because each statement enters it: that saves 2 microseconds.

    :param name: The name of the database.
    """

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._kinds = (exc.SQLAlchemyError, engine.dialect.loaded_dbapi.Error)
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if error is None or not isinstance(error, self._kinds):
            return
        cause = error.orig if isinstance(error, exc.DBAPIError) else error
        why = _text(cause).strip().partition("\n")[0]
        if "locked" in why or "lock timeout" in why or "Lock wait timeout" in why:
            why += "; if this thread has an open transaction of its own, write"
            why += " send_later(..., session=db.session)"
        raise QueueError(f"The queue in {self._name} cannot be used: {why}.{_hint(why)}") from cause

    def __repr__(self) -> str:
        return f"<QueueErrors {self._name}>"


def _text(error: BaseException | None) -> str:
    """Return the text of an error. MySQL's drivers have a number before it."""
    if error is not None and len(error.args) == 2 and isinstance(error.args[0], int):
        return f"{error.args[1]} (error {error.args[0]})"
    return str(error)


def _hint(why: str) -> str:
    """Return what to do about an error of the database, by its text."""
    if "unable to open database file" in why:
        return " Create its folder, and give the app permission to write there."
    if (
        "refused" in why
        or "Can't connect" in why
        or "could not translate host" in why
        or "resolve" in why
    ):
        return " Start the database server, or set MAIL_QUEUE to another one."
    if "column" in why and any(words in why for words in _NO_COLUMN):
        return (
            " The tables may be of an older release. Update them with Flask-Migrate: flask db"
            " migrate, and flask db upgrade."
        )
    return ""
