"""The keys of the queue."""

from __future__ import annotations

import datetime
import importlib.metadata
import traceback
import typing as t

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import QueueError
from flask_mailhandler.app.queue_keys import duration
from flask_mailhandler.app.queue_keys import octets
from flask_mailhandler.cli import queue_group
from flask_mailhandler.queue import engines
from flask_mailhandler.queue.engines import find
from flask_mailhandler.queue.engines.none import NoEngine
from flask_mailhandler.queue.engines.thread import ThreadEngine
from flask_mailhandler.queue.row import RowState
from queueing import Shop
from queueing import shop
from sending import letter

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("24h", 86400.0),
        ("30d", 2592000.0),
        ("90 s", 90.0),
        ("1.5 min", 90.0),
        ("2w", 1209600.0),
        (" 5H ", 18000.0),
        (60, 60.0),
        ("0.5", 0.5),
        (datetime.timedelta(hours=1), 3600.0),
    ],
)
def test_times(value: object, seconds: float) -> None:
    """A time is a number of seconds, a text with a unit, or a timedelta."""
    assert duration(value, "MAIL_QUEUE_KEEP") == seconds


@pytest.mark.parametrize("value", ["", "h", "1y", "-1h", 0, True, None, "0h", [], "1h 5min", "nan"])
def test_no_times(value: object) -> None:
    """A value that is not a time is an error that names the key and says what to write."""
    with pytest.raises(ConfigurationError, match="MAIL_QUEUE_KEEP must be a time like '24h'"):
        duration(value, "MAIL_QUEUE_KEEP")


@pytest.mark.parametrize(
    ("value", "number"),
    [("25MB", 25_000_000), ("1 KiB", 1024), (10, 10), ("10", 10), ("3gib", 3 << 30), ("5B", 5)],
)
def test_sizes(value: object, number: int) -> None:
    """A size is a number of octets, or a text with a unit."""
    assert octets(value, "MAIL_QUEUE_MAX_SIZE") == number


@pytest.mark.parametrize("value", ["", "MB", "0MB", 0, -1, "1.5MB", True, None, "9PB"])
def test_no_sizes(value: object) -> None:
    """A value that is not a size is an error that names the key and says what to write."""
    with pytest.raises(ConfigurationError, match="MAIL_QUEUE_MAX_SIZE must be a size like '25MB'"):
        octets(value, "MAIL_QUEUE_MAX_SIZE")


@pytest.mark.parametrize(
    "keys",
    [
        {"MAIL_QUEUE_MAX_AGE": "soon"},
        {"MAIL_QUEUE_KEEP": "soon"},
        {"MAIL_QUEUE_MAX_SIZE": "big"},
        {"MAIL_QUEUE_UNKNOWN": "resend"},
        {"MAIL_TESTING_QUEUE": "real"},
        {"MAIL_QUEUE": 5.0},
        {"MAIL_QUEUE_ENGINE": 5.0},
    ],
)
def test_wrong_keys(keys: dict[str, t.Any], tmp_path: Path) -> None:
    """A wrong value fails in init_app, and names its key."""
    with pytest.raises(ConfigurationError, match=next(iter(keys))):
        Shop(tmp_path, None, **keys)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("mssql+pyodbc://u:s3cret@h/d", "MariaDB or MySQL, not of 'mssql'"),
        ("oracle+oracledb://u:s3cret@h/d", "MariaDB or MySQL, not of 'oracle'"),
        ("mongodb://u:s3cret@h/d", "MariaDB or MySQL, not of 'mongodb'"),
        ("mysql+mysqlconnector://u:s3cret@h/d", r"Write 'mysql\+pymysql://'"),
        ("mariadb+mariadbconnector://u:s3cret@h/d", r"or 'mariadb\+mysqldb://'"),
        ("mysql+asyncmy://u:s3cret@h/d", "not with 'asyncmy'"),
        ("MySQL+aiomysql://u:s3cret@h/d", "not with 'aiomysql'"),
        ("redis://:s3cret@h/0", "not a broker"),
        ("AMQP://u:s3cret@h/", "not a broker"),
        ("postgres://u:s3cret@h/d", r"write it like\s+'postgresql\+psycopg://"),
        ("mysql", r"a file of this name.*'mysql\+pymysql://user@host/database'"),
        ("MariaDB", r"a file of this name.*'mariadb\+pymysql://"),
        ("postgres", r"a file of this name.*'postgresql\+psycopg://"),
    ],
)
def test_databases_that_are_not_supported(place: str, error: str, tmp_path: Path) -> None:
    """A database in which mail cannot wait is refused in init_app, before an error asks to install
    its driver, and no password is shown."""
    with pytest.raises(ConfigurationError, match=error) as caught:
        Shop(tmp_path, None, MAIL_QUEUE=place)

    assert "MAIL_QUEUE" in str(caught.value)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "place",
    [
        *("sqlite:///x.db", "SQLite:///x.db", "postgresql+psycopg://h/d", "mysql://h/d"),
        *("MySQL+PyMySQL://h/d", "mariadb+pymysql://h/d", "mariadb+mysqldb://h/d"),
    ],
)
def test_databases_that_are_supported(place: str, tmp_path: Path) -> None:
    """SQLite and PostgreSQL are allowed with any driver, MySQL with two. The driver is loaded when
    it is used."""
    Shop(tmp_path, None, MAIL_QUEUE=place)


def test_an_account_has_no_queue_of_its_own(tmp_path: Path) -> None:
    """The keys of the queue are those of the whole app."""
    with pytest.raises(ConfigurationError, match="unknown options: queue"):
        Shop(tmp_path, None, MAIL_ACCOUNTS={"news": {"queue": "x"}})


@pytest.mark.parametrize(
    ("place", "path"),
    [("sqlite", "mail-queue.sqlite"), ("sub/other.db", "sub/other.db"), ("/x/y.db", "/x/y.db")],
)
def test_where_the_file_is(place: str, path: str, tmp_path: Path) -> None:
    """A path is taken from the instance folder."""
    assert str(Shop(tmp_path, None, MAIL_QUEUE=place).queue.store) == str(tmp_path / path)


def test_a_new_file_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A new default file is logged once, because a container would lose it; but not in debug mode,
    and not if MAIL_QUEUE names the file."""
    keys: list[dict[str, t.Any]] = [{}, {"DEBUG": True}, {"MAIL_QUEUE": "mine.db"}, {}]
    for folder, given in zip("abca", keys, strict=True):
        with shop(tmp_path / folder, None, MAIL_HANDLER="console", **given) as here:
            here.mail.send_later(letter())

    (told,) = [record.getMessage() for record in caplog.records]
    assert str(tmp_path / "a") in told
    assert "container" in told


class Elsewhere(NoEngine):
    """An engine of another package."""


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("thread", ThreadEngine),
        ("none", NoEngine),
        (Elsewhere, Elsewhere),
        ("test_queue_config:Elsewhere", Elsewhere),
    ],
)
def test_engines(wanted: object, found: type) -> None:
    """An engine is found by its name or its path, or is given as a class."""
    engine = find(wanted)

    assert (engine.__module__.rpartition(".")[2], engine.__name__) == (
        found.__module__.rpartition(".")[2],
        found.__name__,
    )


def test_an_installed_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine is found by its entry point."""
    entry = importlib.metadata.EntryPoint(
        "bell", f"{NoEngine.__module__}:NoEngine", engines.KIND.entry_points
    )
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [entry])

    assert find("bell") is NoEngine


@pytest.mark.parametrize("wanted", ["celry", "no.such:Engine", "json:dumps", "json:nothing", dict])
def test_no_engine(wanted: object) -> None:
    """A value that is not an engine is an error that lists the engines."""
    with pytest.raises(ConfigurationError, match="MAIL_QUEUE_ENGINE"):
        find(wanted)


@pytest.mark.parametrize("wanted", ["redis://:geheim@127.0.0.1/0", ["amqp://mail:geheim@mq"]])
def test_a_broker_is_no_engine(wanted: object) -> None:
    """The URL of a broker may hold a password. The error does not repeat it, and says where it
    belongs."""
    with pytest.raises(ConfigurationError, match="settings of Celery") as caught:
        find(wanted)

    assert "geheim" not in str(caught.value)


def test_a_url_is_not_shown(tmp_path: Path) -> None:
    """A URL in MAIL_QUEUE may hold a password, so no error and no repr shows it."""
    here = Shop(tmp_path, None, MAIL_QUEUE="postgresql+psycopg://mail:geheim@127.0.0.1:1/shop")

    assert "geheim" not in repr(here.queue.settings) + str(vars(here.queue.settings))
    with pytest.raises(QueueError, match=r"mail:\*\*\*@127\.0\.0\.1:1/shop") as caught:
        here.queue.store.counts()
    assert "geheim" not in "".join(traceback.format_exception(caught.value))


def test_the_states_that_can_be_chosen() -> None:
    """``--state`` takes the states of rows, although the command line does not load the queue."""
    assert {*queue_group._STATES} == {*RowState}
