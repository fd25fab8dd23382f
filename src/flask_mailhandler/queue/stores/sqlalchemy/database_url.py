"""Find the database that MAIL_QUEUE names: a URL, or the app's Flask-SQLAlchemy."""

from __future__ import annotations

import contextlib
import os
import typing as t

import sqlalchemy as sa
from sqlalchemy import exc

from ....app.framework import current_app_object
from ....app.framework import framework_of
from ....app.queue_keys import check_database
from ....errors import ConfigurationError
from ....secret import Secret
from .app_session import context_ends
from .database import Database
from .kinds import KINDS
from .kinds import MYSQL
from .lending import look_at_idle
from .prepared import prepare_if_direct
from .store import SqlalchemyStore

if t.TYPE_CHECKING:
    from flask.sansio.app import App


def store_at(app: App, url: Secret | None) -> SqlalchemyStore:
    """Build the store of an app in a database. Nothing is opened.

    :param url: The URL of the database; None for the database of the app's Flask-SQLAlchemy.
    :raises ConfigurationError: if there is no such database, or mail cannot wait in it.
    """
    if url is None:
        engine, schema = _of_app(app)
        _check(engine)
        database = Database(engine, schema, ours=False)
    else:
        engine = _at(url, app.instance_path)
        _check(engine)
        database = Database(engine, None, ours=True)
    framework_of(app).context_ends.connect(context_ends, app)
    return SqlalchemyStore(database, app.name)


def _of_app(app: App) -> tuple[sa.Engine, str | None]:
    db = app.extensions.get("sqlalchemy")
    if db is None:
        raise ConfigurationError(
            "MAIL_QUEUE = 'sqlalchemy' uses the database of Flask-SQLAlchemy, which this app does"
            " not have: call db.init_app(app) before the first mail, or set MAIL_QUEUE to the URL"
            " of a database."
        )
    inside = current_app_object() is app
    # A second context of the app would, at its end, close what the app has open in the first.
    with contextlib.nullcontext() if inside else framework_of(app).app_context(app):
        engine: sa.Engine = db.engine.engine  # a test may have replaced db.engine by a connection
    return engine, getattr(getattr(db, "metadata", None), "schema", None)


def _at(url: Secret, folder: str) -> sa.Engine:
    """Create an engine of our own. The URL may hold a password, so no error shows it."""
    try:
        place = sa.make_url(url.reveal())
    except (exc.ArgumentError, ValueError):  # ValueError: the port is not a number
        raise _not_a_url() from None
    try:
        here = place.get_backend_name() == "sqlite"
        if here and place.database not in (None, "", ":memory:"):
            os.makedirs(folder, exist_ok=True)
            place = place.set(database=os.path.join(folder, str(place.database)))
        if place.get_dialect().is_async:
            raise ConfigurationError(
                f"MAIL_QUEUE: {place.get_driver_name()} is a driver for asyncio, but threads send"
                f" queued mail. Name another driver, as in '{_example(place)}'."
            )
        place, options, decided = _options(place)
        # Set once for each connection and not each time it is used, which takes 40 microseconds.
        # A rollback that ends no transaction takes 15.
        quick: t.Any = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
        engine = sa.create_engine(place, connect_args=options, **({} if here else quick))
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"MAIL_QUEUE: the driver {error.name} is not installed. Install it, or name another"
            f" driver in the URL, as in '{_example(place)}'."
        ) from None
    except exc.ArgumentError:
        raise _not_a_url() from None
    if not here:
        look_at_idle(engine)
    if kind := KINDS.get(engine.dialect.name):
        kind.set_up(engine)
    if not decided:
        prepare_if_direct(engine)
    return engine


def _not_a_url() -> ConfigurationError:
    return ConfigurationError(
        "MAIL_QUEUE is not a URL of SQLAlchemy: write it like"
        " 'postgresql+psycopg://user@host/database' or 'sqlite:////srv/shop/app.db'."
    )


def _example(place: sa.URL) -> str:
    """Return how a URL of the same kind of database begins, with a driver that the queue can
    use."""
    backend = place.get_backend_name()
    driver = {"sqlite": "", "postgresql": "+psycopg"}.get(backend, "+pymysql")
    return f"{backend}{driver}://"


def _check(engine: sa.Engine) -> None:
    check_database(engine.dialect.name, engine.driver, "MAIL_QUEUE")
    if engine.dialect.name == "sqlite" and engine.url.database in (None, "", ":memory:"):
        raise ConfigurationError(
            "MAIL_QUEUE: a database in memory is lost with its process. Name a file, or set"
            " MAIL_QUEUE = 'sqlite'."
        )


def _options(place: sa.URL) -> tuple[sa.URL, dict[str, object], bool]:
    """Return the URL, the driver's options besides it, and whether the URL decides about prepared
    statements. If it does not, they are used unless a pooler stands before the server.

    :raises ConfigurationError: for a value that psycopg does not know.
    """
    if KINDS.get(place.get_backend_name()) is MYSQL and "charset" not in place.query:
        return place.update_query_dict({"charset": "utf8mb4"}), {}, True
    if place.get_driver_name() != "psycopg":
        return place, {}, True
    given = place.query.get("prepare_threshold", "")
    place = place.difference_update_query(["prepare_threshold"])
    if given in ("", "none"):
        return place, {"prepare_threshold": None}, given == "none"
    if not isinstance(given, str) or not given.isdecimal():
        raise ConfigurationError(
            "MAIL_QUEUE: prepare_threshold= in the URL takes the number of uses after which psycopg"
            " lets the server prepare a statement, or 'none'. Without it, statements are prepared"
            " unless a pooler stands before the server."
        )
    return place, {"prepare_threshold": int(given)}, True
