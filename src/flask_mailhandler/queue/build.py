"""Build the queue of an app from its ``MAIL_QUEUE*`` keys: the store and the engine."""

from __future__ import annotations

import os
import typing as t

from ..errors import ConfigurationError
from ..log import logger
from ..secret import Secret
from .app_access import AppAccess
from .engines import find
from .mail_queue import MailQueue
from .stores.sqlite.store import SqliteStore

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..app.queue_keys import QueueSettings
    from ..app.registration import Registration
    from .engines.base import Engine
    from .stores.base import Store

FILE = "mail-queue.sqlite"
"""The file of the default store, in the app's instance folder."""


def queue_of(registration: Registration) -> MailQueue:
    """Return the queue of an app, built when it is first used."""
    found: MailQueue | None = registration.edges.get("queue")
    if found is not None:
        return found
    # No lock: the child of a fork could find it held. If two threads build one, both use the first.
    queue: MailQueue = registration.edges.setdefault("queue", _build(registration))
    return queue


def _build(registration: Registration) -> MailQueue:
    settings = registration.settings.queue
    return MailQueue(
        AppAccess(registration),
        lambda: store_of(registration.app, settings),
        lambda queue: engine_of(queue, settings),
    )


def store_of(app: App, settings: QueueSettings) -> Store:
    """Build the store of an app. Nothing is opened.

    :raises ConfigurationError: if MAIL_QUEUE does not name a store.
    """
    place = settings.queue
    if isinstance(place, Secret) or place == "sqlalchemy":
        return _sqlalchemy_store(app, place)
    by_default = place == "sqlite"
    path = os.path.join(app.instance_path, FILE if by_default else place)
    return SqliteStore(path, app.name, _warn if by_default and not app.debug else None)


def _sqlalchemy_store(app: App, place: str | Secret) -> Store:
    try:
        from .stores.sqlalchemy.database_url import store_at
    except ModuleNotFoundError as error:
        if error.name != "sqlalchemy":
            raise
        raise ConfigurationError(
            "MAIL_QUEUE needs SQLAlchemy: pip install 'Flask-MailHandler[sqlalchemy]'."
        ) from None
    return store_at(app, place if isinstance(place, Secret) else None)


def _warn(path: str) -> None:
    logger.warning(
        "Mail that is sent later is stored in the new file %s. In a container without a volume"
        " there, it is lost with the container. Set MAIL_QUEUE to use another place.",
        path,
    )


def engine_of(queue: MailQueue, settings: QueueSettings) -> Engine:
    """Build the engine of a queue.

    :raises ConfigurationError: if MAIL_QUEUE_ENGINE does not name an engine.
    """
    return find(settings.queue_engine)(queue)
