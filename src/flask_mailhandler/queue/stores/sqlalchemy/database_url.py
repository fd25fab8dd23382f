"""Finding the database that MAIL_QUEUE names."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t

import sqlalchemy as sa
from flask import appcontext_tearing_down
from flask import current_app
from sqlalchemy import event
from sqlalchemy import exc

from ....errors import ConfigurationError
from ....secret import Secret
from .database import Database
from .session import context_ends
from .store import SqlalchemyStore

if t.TYPE_CHECKING:
    from flask import Flask

IDLE = 1.0
"""Seconds after which a connection is not trusted any more."""
_KEY = "flask_mailhandler_idle"


def store_at(app: Flask, url: Secret | None) -> SqlalchemyStore:
    """Build the store of an app in a database. Nothing is opened.

    :param url: Of the database, or None for that of the app's Flask-SQLAlchemy.
    :raises ConfigurationError: if there is none, or mail cannot wait there.
    """
    if url is None:
        engine, schema = _of_app(app)
        database = Database(engine, schema, ours=False)
    else:
        database = Database(_at(url, app.instance_path), None, ours=True)
    appcontext_tearing_down.connect(context_ends, app)
    return SqlalchemyStore(database, app.name)


def _of_app(app: Flask) -> tuple[sa.Engine, str | None]:
    db = app.extensions.get("sqlalchemy")
    if db is None:
        raise ConfigurationError(
            "MAIL_QUEUE = 'sqlalchemy' is the database of Flask-SQLAlchemy, which this app has not:"
            " call db.init_app(app) before the first mail, or write its URL into MAIL_QUEUE."
        )
    inside = bool(current_app) and current_app._get_current_object() is app  # type: ignore[attr-defined]
    # Another context in this one would end with it what the app has open.
    with contextlib.nullcontext() if inside else app.app_context():
        engine: sa.Engine = db.engine.engine  # a test may have put a connection in its place
    return engine, getattr(getattr(db, "metadata", None), "schema", None)


def _at(url: Secret, folder: str) -> sa.Engine:
    """Make an engine of our own. The URL may hold a password, and is not shown."""
    try:
        place = sa.make_url(url.reveal())
        here = place.get_backend_name() == "sqlite"
        if here and place.database not in (None, "", ":memory:"):
            os.makedirs(folder, exist_ok=True)
            place = place.set(database=os.path.join(folder, str(place.database)))
        if place.get_dialect().is_async:
            raise ConfigurationError(
                f"MAIL_QUEUE: {place.get_driver_name()} is a driver for asyncio. Threads send what"
                " is queued: name another, as in 'postgresql+psycopg://'."
            )
        place, options = _options(place)
        engine = sa.create_engine(place, connect_args=options)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"MAIL_QUEUE: the driver {error.name} is not installed. Install it, or name another in"
            " the URL, as in 'postgresql+psycopg://'."
        ) from None
    except exc.ArgumentError:
        raise ConfigurationError(
            "MAIL_QUEUE is no URL of SQLAlchemy: write it as in"
            " 'postgresql+psycopg://user@host/database' or 'sqlite:////srv/shop/app.db'."
        ) from None
    if not here:
        _look_at_idle(engine)
    return engine


def _options(place: sa.URL) -> tuple[sa.URL, dict[str, object]]:
    """What the driver is told beside the URL, whose own options come first.

    After five times psycopg has a statement prepared by the server. Behind a pooler that hands out
    a connection for each transaction, the next one may be another, where that name is unknown or
    means somebody else's statement.

    :raises ConfigurationError: for a value that means nothing.
    """
    if place.get_driver_name() != "psycopg":
        return place, {}
    given = place.query.get("prepare_threshold", "none")
    place = place.difference_update_query(["prepare_threshold"])
    if given == "none":
        return place, {"prepare_threshold": None}
    if not isinstance(given, str) or not given.isdecimal():
        raise ConfigurationError(
            "MAIL_QUEUE: prepare_threshold= in the URL takes a whole number, after so many times"
            " psycopg has a statement prepared by the server, or 'none', which is the default."
        )
    return place, {"prepare_threshold": int(given)}


def _look_at_idle(engine: sa.Engine) -> None:
    """Ask for a connection that was idle for a while whether it is there still: the server may have
    been restarted. SQLAlchemy's own ``pool_pre_ping`` asks each time, which a worker feels."""

    def checked_in(connection: object, record: t.Any) -> None:
        record.info[_KEY] = time.monotonic()

    def checked_out(connection: t.Any, record: t.Any, proxy: object) -> None:
        since = record.info.pop(_KEY, None)
        if since is None or time.monotonic() - since < IDLE:
            return
        try:
            engine.dialect.do_ping(connection)
        except Exception:
            raise exc.InvalidatePoolError from None

    event.listen(engine, "checkin", checked_in)
    event.listen(engine, "checkout", checked_out)
