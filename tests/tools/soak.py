"""Thousands of messages, several threads, one handler, and a server that fails at random.

::

    make soak                       10,000 messages in four ways
    make soak SEED=17 MESSAGES=100000

Every report must be true, whatever happens: see :class:`ledger.Ledger`. Who is deferred is tried
again, so in the end each copy has arrived once, or was refused, or is unknown.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import threading
import time
import typing as t
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ledger import Ledger
from open_things import open_things
from sending import DEFERRED
from sending import letter
from sending import smtp
from servers import After
from servers import Delay
from servers import DROP
from servers import RESET
from servers import ScriptedServer
from servers import Taken
from servers import Then
from servers.actions import Script
from servers.certificates import make
from servers.plan import clients

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from flask_mailhandler import Message
    from flask_mailhandler.handlers.smtp import SMTPEmailHandler
    from servers.actions import Action
    from servers.certificates import Certificates

#: Of 100 times that a server may answer, so many go wrong.
RATE = 1
THREADS = 8
POOL_SIZE = 4
#: A copy that is deferred so often was not deferred by chance.
TRIES = 20
PEOPLE = [f"r{number}@example.com" for number in range(10)]

CLOSING: list[Action] = [DROP, RESET, Then("421 4.3.2 bye", DROP)]
LATER: list[Action] = [*CLOSING, "451 4.3.0 later"]
EITHER: list[Action] = [*LATER, "550 5.7.1 no"]
TROUBLE: dict[str, list[Action]] = {
    "greeting": [*LATER, Delay(0.02, "220 slow.example")],
    "EHLO": LATER,
    "STARTTLS": [*CLOSING, "454 4.7.0 not now"],
    "handshake": [DROP, RESET],
    # A wrong login would be remembered, and end it all.
    "AUTH": [*CLOSING, "454 4.7.0 not now"],
    "RSET": LATER,
    "MAIL": [*EITHER, "451 4.4.2 idle", Delay(0.02, "250 2.1.0 ok")],
    # No slow 250: with MAIL refused it would be a lie.
    "RCPT": [*EITHER, "452 4.5.3 too many"],
    "DATA": [*EITHER, Delay(0.02, "354 go")],
    "content": [After(100, action) for action in (DROP, RESET, "550 5.7.1 no", Delay(0.02, b""))],
    "end of data": [*EITHER, Delay(0.02, "250 2.0.0 ok"), Taken(DROP), Taken(RESET)],
    "QUIT": CLOSING,
}


class Trouble(Script):
    """A server's script: at any step, once in a while, one of :data:`TROUBLE`.

    What happens at the n-th step of a kind depends on the seed alone, and not on the threads.
    """

    def __init__(self, seed: str, port: int) -> None:
        super().__init__({})
        #: What went wrong, by step.
        self.caused: Counter[str] = Counter()
        #: The most connections that the client had at one time.
        self.most = 0
        self._seed = seed
        self._port = port
        self._passed: Counter[str] = Counter()
        self._alone = threading.Lock()

    def take(self, step: str, line: str = "") -> Action | None:
        with self._alone:
            if step == "greeting":
                self.most = max(self.most, clients(self._port))
            self._passed[step] += 1
            chance = random.Random(f"{self._seed} {step} {self._passed[step]}")
            if step not in TROUBLE or chance.random() * 100 >= RATE:
                return None
            self.caused[step] += 1
            return chance.choice(TROUBLE[step])


@dataclass(frozen=True)
class Way:
    """How client and server talk."""

    security: t.Literal["none", "starttls", "tls"]
    extensions: tuple[str, ...]
    options: dict[str, t.Any]


WAYS = {
    "lock-step": Way("none", (), {}),
    "pipelined": Way("none", ("PIPELINING",), {"recipients_per_message": 2}),
    "starttls": Way("starttls", ("PIPELINING",), {"username": "ann", "password": "secret"}),
    "one flight": Way("tls", ("PIPELINING", "CHUNKING"), {"one_flight": True}),
}


class Soak:
    """Send *messages*, in one of the :data:`WAYS`.

    :param progress: Told after each sending how many messages are done.
    """

    def __init__(
        self,
        way: str,
        messages: int,
        seed: str,
        certificates: Certificates,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.messages = messages
        self.seed = f"{seed} {way}"
        self.ledger = Ledger()
        self._way = WAYS[way]
        self._certificates = certificates
        self._progress = progress
        self._numbers = iter(range(messages))
        self._done = 0
        self._alone = threading.Lock()

    def run(self) -> str:
        """Do it, and say how it went.

        :raises AssertionError: if a report was wrong, a copy came twice, a rule of the standards
            was broken, or a thread, a descriptor or a connection was too many.
        """
        before = open_things()
        began = time.monotonic()
        with self._server() as server:
            server.script = trouble = Trouble(self.seed, server.port)
            handler = self._handler(server)
            with ThreadPoolExecutor(THREADS) as threads:
                working = [threads.submit(self._work, handler, each) for each in range(THREADS)]
            handler.close()
            server.settle()
        seconds = time.monotonic() - began
        for worker in working:
            worker.result()

        self.ledger.judge(server.accepted)
        assert self._done == self.messages
        assert server.breaches == []
        assert trouble.most <= POOL_SIZE
        assert open_things() - before == set()
        states = Counter(str(state) for state in self.ledger.reported.values())
        return (
            f"{self.messages} messages in {seconds:.1f} s,"
            f" {len(server.connections)} connections, {trouble.most} at one time;"
            f" {dict(states)}; {trouble.caused.total()} troubles: {dict(trouble.caused)}"
        )

    def _server(self) -> ScriptedServer:
        way = self._way
        secure = {} if way.security == "none" else {way.security: self._certificates.valid}
        return ScriptedServer(
            extensions=[*way.extensions, "SIZE 100000", "ENHANCEDSTATUSCODES"],
            users={"ann": "secret"},
            require_tls=bool(secure),
            **t.cast("dict[str, t.Any]", secure),
        )

    def _handler(self, server: ScriptedServer) -> SMTPEmailHandler:
        options = self._way.options | {"pool_size": POOL_SIZE}
        if self._way.security != "none":
            options["tls_context"] = self._certificates.client()
        return smtp(server, security=self._way.security, messages_per_connection=50, **options)

    def _work(self, handler: SMTPEmailHandler, thread: int) -> None:
        chance = random.Random(f"{self.seed} thread {thread}")
        while batch := self._take(chance.randint(1, 8)):
            messages = [letter(*chance.choices(PEOPLE, k=chance.randint(1, 3))) for _ in batch]
            self._send(handler, messages)
            with self._alone:
                self._done += len(batch)
                self._progress(self._done)

    def _take(self, number: int) -> list[int]:
        with self._alone:
            return list(itertools.islice(self._numbers, number))

    def _send(self, handler: SMTPEmailHandler, messages: list[Message]) -> None:
        reports = handler.send(messages, observe=self.ledger.observe)
        self.ledger.note(reports)
        for message, report in zip(messages, reports, strict=True):
            for _ in range(TRIES):
                if not report.deferred:
                    break
                (report,) = handler.send(
                    [message], recipients=report.deferred, observe=self.ledger.observe
                )
                self.ledger.note([report])
            assert DEFERRED not in {outcome.state for outcome in report.outcomes}, report.error


def main() -> None:
    parser = argparse.ArgumentParser(description="Send messages while a server fails at random.")
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--seed", default=str(random.randrange(1_000_000)))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    number = given.messages // len(WAYS)

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done} of {number} ", end="\r", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        certificates = make(Path(folder))
        for way in WAYS:
            print(f"{way}: {Soak(way, number, given.seed, certificates, progress).run()}")


if __name__ == "__main__":
    main()
