"""The shops of examples/queue_*, in separate processes: one that takes orders, and workers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

from queueing import url_of
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from sending import Listener

EXAMPLES = Path(__file__).parents[2] / "examples"

# What a process does when it starts: lookouts look often.
_QUICK = """
from flask_mailhandler.queue.stores.sqlite import file as sqlite_file
from flask_mailhandler.queue.engines import lookout
sqlite_file.LOCK_TIMEOUT = 60.0
lookout.EVERY = 0.5
lookout.UNDER_WAY = 2.0
"""
_WEB = """
import json, sys
from shop import app, mail
from sending import letter, letters
client = app.test_client()
print("ready", flush=True)
first = 1
for line in sys.stdin:
    orders, others, one, path = json.loads(line)
    for number in range(first, first + orders):
        answer = client.post(f"/orders/{number}", data={"email": f"o{number}@example.com"})
        assert answer.status_code == 202, answer.text
    first += orders
    with app.app_context():
        tickets = [*mail.send_later_each(letters(others))]
        if one:
            to = one.pop("to")
            mail.send_later(letter(to), **one)
    if path:
        assert client.post(path).status_code == 202
    print("queued", flush=True)
"""


@dataclasses.dataclass(frozen=True)
class Example:
    """An example, and the command that starts its worker."""

    name: str
    worker: Sequence[str]
    broker_key: str
    """The environment variable with the URL of the broker."""
    instead: tuple[tuple[str, str], ...] = ()
    """The replacements in the source for another broker."""

    def __str__(self) -> str:
        return self.name


CELERY = Example(
    "queue_celery",
    ("-m", "celery", "--app", "shop:celery", "worker", "--concurrency", "1"),
    "FLASK_CELERY__broker_url",
)
RQ = Example("queue_rq", ("-m", "flask", "--app", "shop", "rq", "worker"), "FLASK_RQ_CONNECTION")
# The same shop, with the worker of this package alone.
WORKER = Example(
    "queue_celery",
    ("-m", "flask", "--app", "shop", "mail", "worker"),
    "FLASK_CELERY__broker_url",
)
DRAMATIQ = Example(
    "queue_dramatiq",
    ("-m", "dramatiq", "shop", "--processes", "1", "--threads", "1"),
    "BROKER_URL",
)
DRAMATIQ_RABBITMQ = dataclasses.replace(
    DRAMATIQ,
    instead=(("brokers.redis", "brokers.rabbitmq"), ("RedisBroker", "RabbitmqBroker")),
)


class ExampleShop:
    """A copy of an example in a folder, its process that takes orders, and one worker at a time.

    :param broker: The URL of the broker.
    :param server: The server to which it sends.
    :param begin: Code that each of its processes runs first.
    :param more: Code that is added to its program.
    """

    def __init__(
        self,
        example: Example,
        folder: Path,
        broker: str,
        server: Listener,
        *,
        begin: str = "",
        more: str = "",
        **keys: str,
    ) -> None:
        program = (EXAMPLES / example.name / "shop.py").read_text(encoding="utf-8")
        for written, other in example.instead:
            program = program.replace(written, other)
        (folder / "shop.py").write_text(program + more, encoding="utf-8")
        (folder / "sitecustomize.py").write_text(_QUICK + begin, encoding="utf-8")
        self.instance = folder / "instance"
        self._example = example
        self._folder = folder
        self._environment = {
            **os.environ,
            **{f"FLASK_{key}": value for key, value in keys.items()},
            "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]),
            "FLASK_MAIL_URL": url_of(server),
            example.broker_key: broker,
        }
        self._log = open(folder / "log", "ab")  # noqa: SIM115  closed at exit
        self._web: subprocess.Popen[str] | None = None
        self._worker: subprocess.Popen[bytes] | None = None
        self._killing = threading.Lock()
        self.kills = 0

    def __enter__(self) -> t.Self:
        self._web = subprocess.Popen(
            [sys.executable, "-c", _WEB],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._hear("ready")
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._web is not None
        assert self._web.stdin is not None
        assert self._web.stdout is not None
        self.kill()
        self._web.stdin.close()
        self._web.wait(60)
        self._web.stdout.close()
        self._log.close()

    def _hear(self, word: str) -> None:
        assert self._web is not None
        assert self._web.stdout is not None
        said = self._web.stdout.readline()
        assert said == f"{word}\n", self.log

    def take(self, orders: int, others: int = 0, *, post: str = "", **one: str) -> None:
        """Make the shop take orders, each in a request, and queue other letters at the same time.

        :param post: The path of another request.
        :param one: One more letter: ``to`` its recipient, and options for sending it later.
        """
        assert self._web is not None
        assert self._web.stdin is not None
        self._web.stdin.write(f"{json.dumps([orders, others, one, post])}\n")
        self._web.stdin.flush()
        self._hear("queued")

    def work(self) -> None:
        """Start a worker if there is none."""
        # kill() must know it, and there must never be a second one.
        with self._killing:
            if self._worker is None or self._worker.poll() is not None:
                self._worker = subprocess.Popen(
                    [sys.executable, *self._example.worker],
                    cwd=self._folder,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=self._log,
                    start_new_session=True,
                )

    def kill(self) -> None:
        """Kill the worker and all of its processes with SIGKILL, and wait until they have ended."""
        with self._killing:
            worker, self._worker = self._worker, None
            if worker is None:
                return
            self.kills += 1
            # A child may be born meanwhile, and lead a group of its own.
            while found := _session(worker.pid):
                for process in found:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)
                worker.poll()
            worker.wait()

    def terminate(self, timeout: float = 120.0) -> int:
        """Send SIGTERM to the worker, as a service manager does. Wait until it has ended, and
        return its exit code."""
        with self._killing:
            worker, self._worker = self._worker, None
        assert worker is not None
        worker.terminate()
        try:
            return worker.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"It does not end.\n{self.log}") from None
        finally:
            for process in _session(worker.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def until(self, condition: t.Callable[[], bool], timeout: float = 120.0) -> None:
        """Wait for a condition, and restart the worker whenever it ends, as a service manager
        does."""

        def asked() -> bool:
            self.work()
            return condition()

        try:
            until(asked, timeout, "the shop")
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.log}") from None

    @property
    def log(self) -> str:
        """The output of all processes."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")


def _session(leader: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(ValueError, OSError):
            stat = Path("/proc", str(int(entry)), "stat").read_bytes().rpartition(b")")[2].split()
            if int(stat[3]) == leader and stat[0] != b"Z":
                found.append(int(entry))
    return found
