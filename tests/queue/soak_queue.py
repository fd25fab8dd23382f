"""``make soak``: 300 mails and 11 kills at random moments, with each engine (F-100).

The name keeps it out of the other tests, for it takes minutes. A failure names the seed; with
SOAK_SEED=... in the environment it kills at the same commands again.
"""

from __future__ import annotations

import collections
import os
import random
import threading
import typing as t

import pytest
from test_queue_gunicorn import gunicorn

from example_shops import CELERY
from example_shops import DRAMATIQ
from example_shops import DRAMATIQ_RABBITMQ
from example_shops import ExampleShop
from example_shops import RQ
from example_shops import WORKER
from queueing import shop
from sending import Scripted
from servers.rabbitmq_server import RabbitMQServer
from servers.redis_server import RedisServer
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from example_shops import Example
    from servers import ScriptedServer
    from servers.connection import Connection
    from servers.postgresql import Postgresql

pytestmark = pytest.mark.services

MAILS, KILLS = 300, 11
# A message takes four steps, so that all kills come before the last one.
STEPS = {
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "end of data": "250 2.0.0 accepted",
}
SOON = 0.01


class RandomKills:
    """Kills a worker a while after some steps of the conversation with the mail server: between two
    commands, or in the middle of whatever the worker does."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._steps_left = self._some()
        self._counting = threading.Lock()
        self.left = KILLS
        self.kill: Callable[[], None] = lambda: None

    def _some(self) -> int:
        return self._random.randint(1, MAILS * len(STEPS) // (KILLS + 2))

    def on(self) -> dict[str, t.Any]:
        """The actions of a scripted server."""
        return {step: self._action(answer) for step, answer in STEPS.items()}

    def _action(self, answer: str) -> t.Any:
        def act(line: str, connection: Connection) -> str:
            with self._counting:
                self._steps_left -= 1
                if not self._steps_left and self.left:
                    delay = self._random.uniform(0, SOON)
                    threading.Timer(delay, self._kill).start()
            return answer

        return act

    def _kill(self) -> None:
        self.kill()
        with self._counting:
            self.left -= 1
            self._steps_left = self._some()


@pytest.fixture
def seed() -> int:
    """The seed of the moments, which is printed if a test fails."""
    found = int(os.environ.get("SOAK_SEED", "0")) or random.SystemRandom().randint(1, 10**6)
    print(f"SOAK_SEED={found}")
    return found


def judge(
    states: list[str], server: ScriptedServer, mails: int, policy: str, in_hand: int = 1
) -> None:
    """No message is lost. With "retry", a message may be sent twice for each kill that came while a
    worker was sending it, and in no other case."""
    came = collections.Counter(one.recipients[0] for one in server.received)
    again = sum(came.values()) - len(came)
    print(f"{policy}: {len(came)} of {mails} came, {again} again; {collections.Counter(states)}")
    assert len(states) == mails
    if policy == "hold":
        assert again == 0
        assert states.count("held") <= KILLS * in_hand
        assert len(came) >= states.count("sent") >= mails - KILLS * in_hand
    else:
        assert again <= KILLS
        assert len(came) == states.count("sent") == mails


def soak(
    example: Example,
    policy: str,
    broker: str,
    folder: Path,
    scripted: Scripted,
    seed: int,
    **keys: str,
) -> None:
    kills = RandomKills(seed)
    server = scripted(on=kills.on())
    keys = {"MAIL_QUEUE": "sqlite", "MAIL_QUEUE_UNKNOWN": policy, **keys}
    with (
        ExampleShop(example, folder, broker, server, **keys) as running,
        shop(running.instance, server, MAIL_QUEUE=keys["MAIL_QUEUE"]) as here,
    ):
        kills.kill = running.kill
        running.take(20, MAILS - 20)
        running.until(lambda: {*here.states} <= {"sent", "held"}, 600)
        states = here.states
    judge(states, server, MAILS, policy)
    # The last one counts itself when it is done, perhaps a moment later.
    until(lambda: kills.left == 0, 60, "the last kill")


@pytest.mark.parametrize("policy", ["hold", "retry"])
@pytest.mark.parametrize("example", [CELERY, RQ, DRAMATIQ], ids=str)
def test_redis(
    example: Example,
    policy: str,
    redis: RedisServer,
    tmp_path: Path,
    scripted: Scripted,
    seed: int,
) -> None:
    """Workers that hear of mail through Redis."""
    soak(example, policy, redis.url, tmp_path, scripted, seed)


@pytest.mark.parametrize("policy", ["hold", "retry"])
@pytest.mark.parametrize("example", [CELERY, DRAMATIQ_RABBITMQ], ids=str)
def test_rabbitmq(
    example: Example,
    policy: str,
    rabbitmq: RabbitMQServer,
    tmp_path: Path,
    scripted: Scripted,
    seed: int,
) -> None:
    """Workers that hear of mail through RabbitMQ."""
    soak(example, policy, rabbitmq.url, tmp_path, scripted, seed)


@pytest.mark.parametrize("policy", ["hold", "retry"])
def test_worker(policy: str, tmp_path: Path, scripted: Scripted, seed: int) -> None:
    """``flask mail worker``."""
    keys = {"MAIL_QUEUE_ENGINE": "none"}
    soak(WORKER, policy, "memory://", tmp_path, scripted, seed, **keys)


@pytest.mark.parametrize("policy", ["hold", "retry"])
@pytest.mark.parametrize("example", [CELERY, RQ, DRAMATIQ], ids=str)
def test_postgresql(
    example: Example,
    policy: str,
    redis: RedisServer,
    postgresql: Postgresql,
    tmp_path: Path,
    scripted: Scripted,
    seed: int,
) -> None:
    """The rows in PostgreSQL."""
    with postgresql.database() as url:
        soak(example, policy, redis.url, tmp_path, scripted, seed, MAIL_QUEUE=url)


def test_thread(tmp_path: Path, scripted: Scripted, seed: int) -> None:
    """The threads of gunicorn's processes, with a loaded app that forks. The whole server is
    killed, and each of its three processes may be sending a message."""
    moments = random.Random(seed)
    server = scripted()
    left = [f"n{number}" for number in range(MAILS)]
    for kills_left in range(KILLS, 0, -1):
        with gunicorn(tmp_path, server) as running:
            timer = threading.Timer(moments.uniform(0, 0.5), running.kill)
            timer.start()
            now = len(left) // kills_left
            left = running.post(left[:now]) + left[now:]
            timer.join()
    with gunicorn(tmp_path, server) as running, shop(tmp_path, server) as here:
        assert running.post(left) == []
        until(lambda: {*here.states} <= {"sent", "held"}, 120, "everything to be sent or held")
        states = here.states
    judge(states, server, MAILS + 1, "hold", in_hand=3)
