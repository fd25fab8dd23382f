"""F-100 with the engines of other libraries: their workers are killed, and their brokers are down.
The mail server kills the worker, because it knows the phase, so nothing depends on time."""

from __future__ import annotations

import collections
import functools
import queue
import typing as t

import pytest
from test_queue_gunicorn import Gunicorn
from test_queue_gunicorn import gunicorn

from example_shops import CELERY
from example_shops import DRAMATIQ
from example_shops import DRAMATIQ_RABBITMQ
from example_shops import ExampleShop
from example_shops import RQ
from queueing import shop
from sending import Scripted
from servers import DROP
from servers.rabbitmq_server import RabbitMQServer
from servers.redis_server import RedisServer
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from example_shops import Example
    from queueing import Shop
    from servers.connection import Connection
    from servers.mariadb import Mariadb
    from servers.postgresql import Postgresql

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]

HONEST = {"RCPT": "250 2.1.5 ok", "end of data": "250 2.0.0 accepted"}


class Steps:
    """Counts the steps of a conversation, and acts at the n-th time of one."""

    def __init__(self) -> None:
        self._times: collections.Counter[str] = collections.Counter()
        self.act: Callable[[], None] = lambda: None

    def at(self, step: str, *times: int, answer: t.Any = DROP) -> t.Any:
        """Return an action of a scripted server."""

        def action(line: str, connection: Connection) -> t.Any:
            self._times[step] += 1
            if self._times[step] not in times:
                return HONEST[step]
            self.act()
            return answer

        return action


def forty_mails_and_three_kills(
    example: Example,
    policy: str,
    broker: str,
    folder: Path,
    scripted: Scripted,
    place: str = "sqlite",
) -> None:
    steps = Steps()
    server = scripted(
        on={
            "RCPT": steps.at("RCPT", 7),
            "end of data": steps.at("end of data", 15, 30, answer=HONEST["end of data"]),
        }
    )
    with (
        ExampleShop(
            example, folder, broker, server, MAIL_QUEUE_UNKNOWN=policy, MAIL_QUEUE=place
        ) as running,
        shop(running.instance, server, MAIL_QUEUE=place) as here,
    ):
        steps.act = running.kill
        running.take(5, 35)
        running.until(lambda: {*here.states} <= {"sent", "held"})
        kills, states = running.kills, here.states

    came = collections.Counter(one.recipients[0] for one in server.received)
    assert kills == 3
    assert len(states) == len(came) == 40
    # Two kills were after an end of data, perhaps both times of the same message.
    assert sum(came.values()) == (40 if policy == "hold" else 42)
    assert states.count("held") == (2 if policy == "hold" else 0)


@pytest.mark.parametrize("policy", ["hold", "retry"])
@pytest.mark.parametrize("example", [CELERY, RQ, DRAMATIQ], ids=str)
def test_redis(
    example: Example, policy: str, redis: RedisServer, tmp_path: Path, scripted: Scripted
) -> None:
    """F-100: of 40 messages and 3 kills of workers that Redis tells, none is lost. With "hold" none
    is sent twice; with "retry" only those whose end of data had been sent."""
    forty_mails_and_three_kills(example, policy, redis.url, tmp_path, scripted)


@pytest.mark.parametrize(
    ("example", "policy"),
    [(CELERY, "hold"), (CELERY, "retry"), (DRAMATIQ_RABBITMQ, "hold")],
    ids=str,
)
def test_rabbitmq(
    example: Example, policy: str, rabbitmq: RabbitMQServer, tmp_path: Path, scripted: Scripted
) -> None:
    """F-100: the same with workers that RabbitMQ tells."""
    forty_mails_and_three_kills(example, policy, rabbitmq.url, tmp_path, scripted)


@pytest.mark.parametrize("example", [CELERY, RQ, DRAMATIQ], ids=str)
def test_postgresql(
    example: Example,
    redis: RedisServer,
    postgresql: Postgresql,
    tmp_path: Path,
    scripted: Scripted,
) -> None:
    """F-100: the same, with the rows in PostgreSQL."""
    with postgresql.database() as url:
        forty_mails_and_three_kills(example, "hold", redis.url, tmp_path, scripted, url)


def test_mariadb(redis: RedisServer, mariadb: Mariadb, tmp_path: Path, scripted: Scripted) -> None:
    """F-100: the same, with the rows in MariaDB."""
    with mariadb.database() as url:
        forty_mails_and_three_kills(CELERY, "hold", redis.url, tmp_path, scripted, url)


def test_gunicorn(tmp_path: Path, scripted: Scripted) -> None:
    """F-100: of 40 messages and 3 kills of a whole gunicorn, whose loaded app has forked, none is
    lost and none is sent twice."""
    steps = Steps()
    server = scripted(
        on={
            "RCPT": steps.at("RCPT", 7),
            "end of data": steps.at("end of data", 15, 30, answer=HONEST["end of data"]),
        }
    )
    left, kills = [f"n{number}" for number in range(39)], -1  # and one when the app is loaded
    # One that has begun may be at work before it is known here.
    servers: queue.SimpleQueue[Gunicorn] = queue.SimpleQueue()
    steps.act = lambda: servers.get(timeout=60).kill()
    with shop(tmp_path, server) as here:
        over = False
        while not over:
            kills += 1
            with gunicorn(tmp_path, server) as running:
                servers.put(running)
                left = running.post(left)
                ended = functools.partial(_ended, running, here, left)
                over = until(ended, 60, "the end or a kill") == "end"
        states = here.states

    came = collections.Counter(one.recipients[0] for one in server.received)
    assert kills == 3
    assert len(states) == 40
    assert max(came.values()) == 1
    # Each of its three processes may be sending one message.
    assert 2 <= states.count("held") <= 9
    assert len(came) >= states.count("sent") == 40 - states.count("held")


def _ended(running: Gunicorn, here: Shop, left: list[str]) -> str:
    if running.process.poll() is not None:
        return "kill"
    return "end" if not left and {*here.states} <= {"sent", "held"} else ""


def gone_for_a_while(
    example: Example, broker: RedisServer | RabbitMQServer, folder: Path, scripted: Scripted
) -> None:
    server = scripted()
    with (
        ExampleShop(example, folder, broker.url, server) as running,
        shop(running.instance, server) as here,
    ):
        running.take(2)
        running.until(lambda: here.states == ["sent"] * 2)
        # It may have been told more often than it has looked.
        running.kill()
        broker.kill()
        running.take(2, 3)
        assert here.states == ["sent"] * 2 + ["waiting"] * 5
        running.until(lambda: "could not be told" in running.log)
        broker.start()
        running.until(lambda: here.states == ["sent"] * 7)

    assert len(server.received) == 7


@pytest.mark.parametrize("example", [CELERY, RQ, DRAMATIQ], ids=str)
def test_redis_is_gone(
    example: Example, redis: RedisServer, tmp_path: Path, scripted: Scripted
) -> None:
    """While Redis is down, mail is queued and a line is logged. It is sent when Redis is back,
    although Redis has forgotten everything."""
    gone_for_a_while(example, redis, tmp_path, scripted)


def test_rabbitmq_is_gone(rabbitmq: RabbitMQServer, tmp_path: Path, scripted: Scripted) -> None:
    """While RabbitMQ is down, mail is queued; it is sent when RabbitMQ is back."""
    gone_for_a_while(CELERY, rabbitmq, tmp_path, scripted)
