"""The ``MAIL_QUEUE*`` keys: the options of an app's queue."""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping

from .. import config
from ..config import Option
from ..errors import ConfigurationError
from ..frozen import Frozen
from ..secret import Secret
from ..text.checks import shorten

_DATABASES = ("sqlite", "postgresql", "mysql", "mariadb")
# How a URL of each database server begins.
_SERVERS = {
    "mariadb": "mariadb+pymysql",
    "mysql": "mysql+pymysql",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
}
# Other drivers of MySQL convert values in other ways. mysqldb is mysqlclient, and the default.
_MYSQL_DRIVERS = ("", "pymysql", "mysqldb")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_OCTETS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3}
_OCTETS |= {"kib": 1024, "mib": 1024**2, "gib": 1024**3}


def duration(value: object, name: str) -> float:
    """Read seconds, more than 0: a number, ``"24h"`` (s, min, h, d or w) or a timedelta."""
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]+)", str(value).strip().lower())
    if found and found[2] in _SECONDS:
        value = float(found[1]) * _SECONDS[found[2]]
    try:
        return config.seconds(value, name)
    except ConfigurationError:
        raise ConfigurationError(
            f"{name} must be a time like '24h' (s, min, h, d or w) or a number of seconds over 0,"
            f" not {shorten(value)}."
        ) from None


def octets(value: object, name: str) -> int:
    """Read a number of octets, at least one: a whole number, or ``"25MB"``."""
    found = re.fullmatch(r"([0-9]{1,15}) ?([a-z]*)", str(value).strip().lower())
    number = int(found[1]) * _OCTETS.get(found[2], 0) if found else 0
    if isinstance(value, bool) or not number:
        raise ConfigurationError(
            f"{name} must be a size like '25MB' (kB, MB, GB, KiB, MiB or GiB) or a number of octets"
            f" over 0, not {shorten(value)}."
        )
    return number


def _place(value: object, name: str) -> str | Secret:
    """Read ``sqlite``, ``sqlalchemy``, the path of a file, or a URL, which may hold a password."""
    if isinstance(value, Secret):
        return value
    found = config.path(value, name)
    if "://" not in found:
        if found.lower() in _SERVERS:
            raise ConfigurationError(
                f"{name} = {found!r} would be a file of this name. Write a URL, as in"
                f" '{_SERVERS[found.lower()]}://user@host/database'."
            )
        return found
    backend, _, driver = found.partition("://")[0].lower().partition("+")
    check_database(backend, driver, name)
    return Secret(found)


def check_database(backend: str, driver: str, name: str) -> None:
    """Check the kind of database before its driver is looked for.

    :raises ConfigurationError: if the queue cannot use it.
    """
    if backend in ("amqp", "amqps", "redis", "rediss", "sqs"):
        raise ConfigurationError(
            f"{name} names the database in which mail waits, not a broker: leave it out, or name a"
            f" database. MAIL_QUEUE_ENGINE names what sends; its {backend} URL belongs in the"
            " settings of Celery, Flask-RQ or Dramatiq."
        )
    if backend == "postgres":
        raise ConfigurationError(
            f"{name} is not a URL of SQLAlchemy: write it like"
            " 'postgresql+psycopg://user@host/database'."
        )
    if backend not in _DATABASES:
        raise ConfigurationError(
            f"{name}: mail can wait in a database of SQLite, PostgreSQL, MariaDB or MySQL, not of"
            f" {shorten(backend, 40)}. 'sqlite' is a file of its own."
        )
    if backend in ("mysql", "mariadb") and driver not in _MYSQL_DRIVERS:
        raise ConfigurationError(
            f"{name}: the queue uses {backend} with PyMySQL or mysqlclient, not with"
            f" {shorten(driver, 40)}. Write '{backend}+pymysql://' or '{backend}+mysqldb://'."
        )


def _engine(value: object, name: str) -> str | type:
    return value if isinstance(value, type) else config.text(value, name)


class QueueSettings(Frozen):
    """Where mail waits, what sends it, and how long the queue keeps it.

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    queue: Option[t.Any, str | Secret] = Option(_place, "sqlite")
    """``"sqlite"``, the path of a file, ``"sqlalchemy"``, or a URL of SQLAlchemy."""
    queue_engine: Option[t.Any, str | type] = Option(_engine, "thread")
    """The engine, which is told that mail waits: ``"thread"``, ``"none"``, or another name."""
    queue_max_age: Option[t.Any, float] = Option(duration, 86400.0)
    """Seconds after its due time until the queue gives up a message."""
    queue_timeout: Option[t.Any, float] = Option(duration, 600.0)
    """Seconds in all that a worker spends on one message. They can be many, as no request waits:
    RFC 5321 section 4.5.3.2 asks for ten minutes after the end of data alone."""
    queue_threads: Option[int | None, int] = Option(config.integer(1, 1000), 8)
    """How many accounts one process serves at the same time, each in its own thread."""
    queue_keep: Option[t.Any, float] = Option(duration, 30 * 86400.0)
    """Seconds for which the queue keeps finished messages and their keys."""
    queue_max_size: Option[t.Any, int] = Option(octets, 25_000_000)
    """The size of the largest message, in octets."""
    queue_unknown: Option[str | None, str] = Option(config.choice("hold", "retry"), "hold")
    """What to do with a message if it is unknown whether the server accepted it: ``"hold"`` it, so
    that a person decides, or ``"retry"``."""
    suppressions: Option[bool | None, bool] = Option(config.boolean, False)
    """Whether addresses that must get no more mail are stored next to the queue, and refused."""
    testing_queue: Option[str | None, str] = Option(config.choice("memory", "configured"), "memory")
    """With TESTING, ``"memory"`` sends at once through the handler for tests, and ``"configured"``
    uses the queue."""


KEYS = frozenset(config.options(QueueSettings))
"""The names of these options."""


def read_queue(values: Mapping[str, object]) -> QueueSettings:
    """Read the options of the queue.

    :param values: Those among the ``MAIL_*`` keys.

    :raises ConfigurationError: for the first value that is wrong, naming its key.
    """
    settings = QueueSettings(**config.read(config.options(QueueSettings), values, config.key))
    if settings.suppressions and "queue" not in values:
        raise ConfigurationError(
            "MAIL_SUPPRESSIONS needs a place for the suppressed addresses, next to the mail that"
            " waits: set MAIL_QUEUE to 'sqlite', the path of a file, or 'sqlalchemy'."
        )
    return settings
