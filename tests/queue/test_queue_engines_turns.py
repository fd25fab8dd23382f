"""Jobs are short turns: none waits for a server that hangs, for less urgent mail, or for a rate
limit that is over, and a broker has one ring for each account. Nothing here depends on time. If a
lookout would hide a fault, it does not search."""

from __future__ import annotations

import collections
import json
import threading
import typing as t

import pytest
from redis import Redis

from example_shops import CELERY
from example_shops import DRAMATIQ
from example_shops import DRAMATIQ_RABBITMQ
from example_shops import ExampleShop
from example_shops import RQ
from queueing import shop
from queueing import url_of
from sending import Scripted
from servers import SILENCE
from servers.actions import Delay
from servers.rabbitmq_server import RabbitMQServer
from servers.redis_server import RedisServer

if t.TYPE_CHECKING:
    from pathlib import Path

    from example_shops import Example
    from servers import ScriptedServer
    from servers.actions import Action
    from servers.connection import Connection

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]

NO_LOOKS = """
lookout.EVERY = lookout.UNDER_WAY = 3000.0
"""


@pytest.fixture(autouse=True)
def nothing_is_left(redis: RedisServer) -> None:
    """No worker hears a ring of another test."""
    with Redis.from_url(redis.url) as broker:
        broker.flushdb()


every_engine = pytest.mark.parametrize("example", [CELERY, RQ, DRAMATIQ], ids=str)


def paced(seconds: float) -> dict[str, Action]:
    """The action of a server that takes its time for each message."""
    return {"end of data": Delay(seconds, "250 2.0.0 accepted")}


def recipients(server: ScriptedServer) -> list[str]:
    """The recipients that got a message, in order."""
    return [one.recipients[0] for one in server.accepted]


# R2


def another_account_is_sent(
    example: Example, broker: str, folder: Path, scripted: Scripted
) -> None:
    reached = threading.Event()

    def hang(line: str, connection: Connection) -> Action:
        reached.set()
        return SILENCE

    server, stuck = scripted(), scripted(on={"MAIL": hang})
    accounts = json.dumps({"news": {"url": url_of(stuck)}})
    with ExampleShop(
        example, folder, broker, server, begin=NO_LOOKS, MAIL_ACCOUNTS=accounts
    ) as running:
        running.take(0, to="news@example.com", using="news")
        running.until(reached.is_set)
        # The first ones while that job is there, and the last ones when it has gone away.
        for number in range(8):
            running.take(0, to=f"r{number}@example.com")
            running.until(lambda: len(server.accepted) == number + 1)  # noqa: B023  asked at once

        assert stuck.accepted == []


@every_engine
def test_a_server_hangs(
    example: Example, redis: RedisServer, tmp_path: Path, scripted: Scripted
) -> None:
    """R2: while the server of one account hangs, the only process of a worker sends another
    account's mail, told by Redis."""
    another_account_is_sent(example, redis.url, tmp_path, scripted)


@pytest.mark.parametrize("example", [CELERY, DRAMATIQ_RABBITMQ], ids=str)
def test_a_server_hangs_with_rabbitmq(
    example: Example, rabbitmq: RabbitMQServer, tmp_path: Path, scripted: Scripted
) -> None:
    """R2: the same, told by RabbitMQ."""
    another_account_is_sent(example, rabbitmq.url, tmp_path, scripted)


# E1


@every_engine
def test_a_rate_is_reached(
    example: Example, redis: RedisServer, tmp_path: Path, scripted: Scripted
) -> None:
    """E1: under a rate limit, jobs go on by themselves when the limit allows more, without another
    search."""
    server = scripted()
    with ExampleShop(
        example, tmp_path, redis.url, server, begin=NO_LOOKS, MAIL_RATE_LIMIT="10/s"
    ) as running:
        running.take(0, 45)
        running.until(lambda: len(server.accepted) == 45)

        assert len({*recipients(server)}) == 45


# E2


@every_engine
def test_what_is_urgent_overtakes(
    example: Example, redis: RedisServer, tmp_path: Path, scripted: Scripted
) -> None:
    """E2: a message of high priority overtakes a list of 1,500. At most the claimed messages come
    before it."""
    begun, waiting = threading.Event(), threading.Event()

    def hold(line: str, connection: Connection) -> str:
        if len(server.accepted) == 50:
            begun.set()
            waiting.wait(120)
        return "250 2.1.0 ok"

    server = scripted(on={"MAIL": hold})
    with ExampleShop(example, tmp_path, redis.url, server) as running:
        running.take(0, 1500)
        running.until(begun.is_set)
        running.take(0, to="urgent@example.com", priority="high")
        waiting.set()
        running.until(lambda: "urgent@example.com" in recipients(server))

        assert recipients(server).index("urgent@example.com") <= 50 + 20


# E3


@every_engine
def test_a_worker_is_stopped(
    example: Example, redis: RedisServer, tmp_path: Path, scripted: Scripted
) -> None:
    """E3: a worker that gets SIGTERM ends after its turn, although much mail waits. Nothing is
    held, and no row stays claimed."""
    server = scripted(on=paced(0.03))
    with ExampleShop(example, tmp_path, redis.url, server) as running:
        running.take(0, 600)
        running.until(lambda: len(server.accepted) >= 20)
        running.terminate()
        with shop(running.instance, server) as here:
            states = collections.Counter(here.states)

    assert {*states} == {"sent", "waiting"}
    assert states["sent"] == len(server.accepted) < 600


NOTE = """
def note():
    with app.app_context():
        counts = mail.queue.stats().counts
    from pathlib import Path
    Path("noted.part").write_text(str(counts.get("waiting", 0)))
    Path("noted.part").rename("noted")
@app.post("/note")
def have_noted():
    TELL
    return "", 202
"""
TELL = {
    CELERY: "celery.task(note, name='note').delay()",
    RQ: "rq.get_queue('default').enqueue(note)",
    DRAMATIQ: "noting.send()",
}
DECLARED = {CELERY: "celery.task(note, name='note')\n", DRAMATIQ: "noting = dramatiq.actor(note)\n"}


@every_engine
def test_another_task(
    example: Example, redis: RedisServer, tmp_path: Path, scripted: Scripted
) -> None:
    """E3: another task of the app does not wait until all mail is sent."""
    server = scripted(on=paced(0.03))
    more = NOTE.replace("TELL", TELL[example]) + DECLARED.get(example, "")
    with ExampleShop(example, tmp_path, redis.url, server, more=more) as running:
        running.take(0, 600)
        running.until(lambda: len(server.accepted) >= 5)
        running.take(0, post="/note")
        running.until((tmp_path / "noted").exists)

        assert int((tmp_path / "noted").read_text()) > 0


# E6


def slow_mails_are_sent(
    example: Example, broker: str, folder: Path, scripted: Scripted, begin: str, **keys: str
) -> str:
    """Send some messages that take longer than a second each, and return the log."""
    server = scripted(on=paced(1.5))
    with (
        ExampleShop(example, folder, broker, server, begin=begin, **keys) as running,
        shop(running.instance, server) as here,
    ):
        running.take(0, 6)
        running.until(lambda: {*here.states} <= {"sent", "held", "failed"})
        states = here.states

    assert states == ["sent"] * 6
    assert sorted(collections.Counter(recipients(server)).values()) == [1] * 6
    return running.log


def test_limits_of_the_app(redis: RedisServer, tmp_path: Path, scripted: Scripted) -> None:
    """E6: the app's time limits for its Celery tasks do not apply to mail."""
    keys = {"CELERY__task_time_limit": "2", "CELERY__task_soft_time_limit": "1"}
    log = slow_mails_are_sent(CELERY, redis.url, tmp_path, scripted, "", **keys)

    assert "TimeLimitExceeded" not in log


LIMITED = """
from flask_mailhandler.queue.engines.broker import BrokerEngine
BrokerEngine.time_limit = LIMIT
"""


@pytest.mark.parametrize(
    ("example", "limit", "named"),
    [
        (CELERY, 31.0, "SoftTimeLimitExceeded"),  # the soft one comes half a minute before
        (RQ, 1.0, "JobTimeoutException"),
        (DRAMATIQ, 1.0, "TimeLimitExceeded"),
    ],
    ids=str,
)
def test_a_limit_that_comes(
    example: Example,
    limit: float,
    named: str,
    redis: RedisServer,
    tmp_path: Path,
    scripted: Scripted,
) -> None:
    """E6: if a time limit comes nevertheless, the turn ends after the message that it is
    sending."""
    begin = LIMITED.replace("LIMIT", str(limit))
    log = slow_mails_are_sent(example, redis.url, tmp_path, scripted, begin)

    assert named in log, log


# E7, E8


@pytest.mark.parametrize(
    ("example", "key"),
    [(CELERY, "celery"), (RQ, "rq:queue:default"), (DRAMATIQ, "dramatiq:default")],
    ids=str,
)
def test_rings_that_are_left(
    example: Example, key: str, redis: RedisServer, tmp_path: Path, scripted: Scripted
) -> None:
    """E7: while there is no worker, one ring for each account waits in the broker, however many
    messages were queued."""
    accounts = json.dumps({"news": {}})
    with (
        Redis.from_url(redis.url) as broker,
        ExampleShop(
            example, tmp_path, redis.url, scripted(), begin=NO_LOOKS, MAIL_ACCOUNTS=accounts
        ) as running,
    ):
        running.take(60, 200)
        running.take(0, to="news@example.com", using="news")
        running.take(60)

        assert broker.llen(key) == 2


def test_many_messages_in_a_job(redis: RedisServer, tmp_path: Path, scripted: Scripted) -> None:
    """E8: an RQ job, which has a process of its own, sends all messages that were queued one by
    one."""
    server = scripted()
    begin = (
        f"{NO_LOOKS}\nfrom flask_mailhandler.queue.engines import broker\nbroker.TURN = 3000.0\n"
    )
    with ExampleShop(RQ, tmp_path, redis.url, server, begin=begin) as running:
        running.take(60)
        running.until(lambda: len(server.accepted) == 60)
        assert running.terminate() == 0

        assert running.log.count("engines.rq.send(") == 1
