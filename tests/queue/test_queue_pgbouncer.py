"""E4: the queue in PostgreSQL with a pooler that assigns a connection to each transaction."""

from __future__ import annotations

import collections
import threading
import typing as t

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import orm
from test_queue_engines_kill import forty_mails_and_three_kills

from example_shops import WORKER
from flask_mailhandler import Mail
from flask_mailhandler import QueueError
from queueing import shop
from sending import letter
from sending import letters
from sending import Scripted
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from servers.pgbouncer import PgBouncer

    Poolers = Callable[..., PgBouncer]

pytestmark = pytest.mark.services


def test_the_pooler_is_one(pgbouncer: Poolers) -> None:
    """The pooler of these tests works that way: two clients that let the server prepare statements
    disturb each other."""
    pooler = pgbouncer(size=1)
    with pooler.connect("postgres") as one:
        for _ in range(10):
            one.execute("SELECT 1")
        with pooler.connect("postgres") as other:
            for number in range(5):  # the next time it is to be prepared
                other.execute("SELECT %s, %s", [number, number])
            with pytest.raises(psycopg.Error, match="_pg3_0"):
                other.execute("SELECT %s, %s", [6, 6])


def test_many_at_the_same_time(pgbouncer: Poolers, tmp_path: Path, scripted: Scripted) -> None:
    """Any number of threads and workers share one connection of the server."""
    server = scripted()
    errors = []

    pooler = pgbouncer(size=1)
    with (
        pooler.database() as url,
        shop(tmp_path / "a", server, MAIL_QUEUE=url) as here,
        shop(tmp_path / "b", server, MAIL_QUEUE=url) as there,
    ):

        def take(mails: Mail, app: Flask) -> None:
            try:
                with app.app_context():
                    for number in range(15):
                        mails.send_later(letter(f"r{number}@example.com"))
                    assert len([*mails.send_later_each(letters(15))]) == 15
                    mails.queue.run_once()
            except Exception as error:
                errors.append(error)

        threads = [
            threading.Thread(target=take, args=(one.mail, one.app)) for one in (here, there) * 2
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        here.queue.run_once()

        assert errors == []
        assert here.states == ["sent"] * 120
    assert len(server.accepted) == 120


def test_two_sessions_in_turn(pgbouncer: Poolers, tmp_path: Path, scripted: Scripted) -> None:
    """Two sessions of an app whose engine prepares no statements, and the queue itself, use one
    connection in turn."""
    pooler = pgbouncer(size=1)
    with (
        pooler.database() as url,
        shop(tmp_path, scripted(), MAIL_QUEUE=url) as here,
    ):
        engine = sa.create_engine(url, connect_args={"prepare_threshold": None})
        with orm.Session(engine) as one, orm.Session(engine) as other:
            for number in range(12):
                here.mail.send_later(letter(), session=one)
                one.commit()
                here.mail.send_later(letter(), key=f"n{number}", session=other)
                other.commit()
                here.mail.send_later(letter(), session=one)
                one.rollback()
                here.queue.run_once()
        engine.dispose()

        assert here.states == ["sent"] * 24


def test_a_pooler_that_is_restarted(pgbouncer: Poolers, tmp_path: Path, scripted: Scripted) -> None:
    """While the pooler is down no mail is queued. Sending goes on when it is back, and each message
    is sent once."""
    server = scripted()
    pooler = pgbouncer()
    with (
        pooler.database() as url,
        shop(tmp_path, server, MAIL_QUEUE=url, MAIL_QUEUE_ENGINE="thread") as here,
    ):
        assert len([*here.mail.send_later_each(letters(40))]) == 40
        until(lambda: len(server.accepted) > 3, 60, "some messages")
        pooler.kill()
        with pytest.raises(QueueError):
            here.mail.send_later(letter("lost@example.com"))
        pooler.start()
        here.forget_workers()
        until(lambda: {*here.states} <= {"sent", "held"}, 90, "all")

        came = collections.Counter(one.recipients[0] for one in server.received)
        assert max(came.values()) == 1
        assert len(here.states) == 40


def test_kills(pgbouncer: Poolers, tmp_path: Path, scripted: Scripted) -> None:
    """Of 40 messages and 3 kills of a worker with a pooler none is lost, and none is sent twice."""
    with pgbouncer().database() as url:
        forty_mails_and_three_kills(WORKER, "hold", "memory://", tmp_path, scripted, url)


@pytest.mark.parametrize(("option", "prepared"), [("", False), ("?prepare_threshold=2", True)])
def test_options_of_the_driver(
    option: str, prepared: bool, pgbouncer: Poolers, tmp_path: Path
) -> None:
    """A URL may say that statements are prepared, for a server without such a pooler. Otherwise
    none is."""
    pooler = pgbouncer(size=1)
    with pooler.database() as url:
        name = sa.make_url(url).database
        with shop(tmp_path, None, MAIL_QUEUE=url + option) as here:
            for _ in range(8):
                here.mail.send_later(letter())
            with pooler.connect(str(name)) as connection:
                (found,) = connection.execute(
                    "SELECT count(*) FROM pg_prepared_statements", prepare=False
                ).fetchall()

    assert (found[0] > 0) == prepared
