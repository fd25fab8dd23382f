"""``make soak``: people who press buttons, servers that hang, clocks that are wrong, and apps that
die (FAULTS R1 to R3, P2): nothing is lost, nothing doubled, and no signal is false.

The name keeps it out of the other tests, for it takes minutes.
"""

from __future__ import annotations

import collections
import contextlib
import json
import subprocess
import sys
import threading
import time
import typing as t

import pytest

from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler.queue.bell import Bell
from interleaving import deferring
from queueing import shop
from queueing import url_of
from sending import letter
from sending import Scripted
from servers import SILENCE
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from queueing import Shop
    from storing import Place

MAILS, DEATHS, HEALTHY = 300, 30, 60
AHEAD = (0, 0, 300, 600)
"""Seconds by which the clocks of the workers are ahead, where the database has one of its own."""
LATE = 1.0
"""Seconds that a mail may be late because of another account."""

_WORKER = """
import json, sys, threading
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from clocks import skewed
from flask_mailhandler import message_failed
from flask_mailhandler.queue import retry
from flask_mailhandler.queue.bell import Bell
from queueing import Shop
retry.FIRST = 0.2
here, bell = Shop(Path(sys.argv[2]), None, **json.loads(sys.argv[3])), Bell()
def failed(sender, **about):
    print(about["report"].message_id, flush=True)
message_failed.connect(failed)
print("ready", flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), bell.stop(60))).start()
with skewed(float(sys.argv[4])), here.app.app_context():
    here.queue.worker(bell).run()
    here.queue.close()
"""
_DYING = """
import json, os, signal, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from flask_mailhandler import Message
from queueing import Shop
here = Shop(Path(sys.argv[2]), None, **json.loads(sys.argv[3]))
with here.app.app_context():
    here.mail.send_later(Message(subject="s", text="t", to=sys.argv[4]))
    print("queued", flush=True)
    os._exit(0) if sys.argv[5] == "exit" else os.kill(os.getpid(), signal.SIGKILL)
"""


def _program(text: str, folder: Path, keys: dict[str, t.Any], *more: str) -> subprocess.Popen[str]:
    arguments = [json.dumps(sys.path), str(folder), json.dumps(keys), *more]
    return subprocess.Popen(
        [sys.executable, "-c", text, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def four_workers(
    folder: Path, keys: dict[str, t.Any], ahead: tuple[int, ...]
) -> Iterator[list[str]]:
    """Start four workers in processes of their own. Return the Message-IDs of their failure signals
    when they have ended."""
    failed: list[str] = []
    workers = [_program(_WORKER, folder, keys, str(seconds)) for seconds in ahead]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        yield failed
    finally:
        for worker in workers:
            failed.extend(worker.communicate()[0].split())


def _press(here: Shop, over: threading.Event) -> int:
    """Cancel everything and retry it, until all is sent. Return how often."""
    times = 0
    with here.app.app_context():
        ids = [row.id for row in here.rows]
        while not over.is_set():
            here.queue.retry(ids)
            if times % 3 == 0:
                here.queue.cancel(ids)
            times += 1
        here.queue.retry(ids)
    return times


@pytest.mark.parametrize(
    "place",
    [
        "sqlite",
        *(pytest.param(name, marks=pytest.mark.services) for name in ("postgresql", "mariadb")),
    ],
    indirect=True,
)
def test_pressing(place: Place, tmp_path: Path, scripted: Scripted) -> None:
    """A person presses "send again" and "stop" in a loop, while four workers send messages with two
    recipients, one of which is deferred once."""
    server = scripted(on=deferring())
    keys = {"MAIL_QUEUE": place.named, "MAIL_URL": url_of(server)}
    ahead = AHEAD if not place.named.startswith("sqlite") else (0,) * len(AHEAD)
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        letters = [
            Message(subject="s", text="t", to=[f"now{n}@example.com", f"later{n}@example.com"])
            for n in range(MAILS)
        ]
        assert len([*here.mail.send_later_each(letters)]) == MAILS
        over = threading.Event()
        with four_workers(tmp_path, keys, ahead) as failed:
            presser = threading.Thread(target=_press, args=(here, over))
            presser.start()
            until(lambda: len({*_taken(server)}) == 2 * MAILS, 300, "all recipients to have it")
            over.set()
            presser.join()
            until(lambda: {*here.states} == {"sent"}, 120, "everything to be sent")
        taken = _taken(server)
    again = sum(taken.values()) - len(taken)
    print(f"{len(taken)} of {2 * MAILS} came, {again} again, {len(failed)} false signals")
    assert (len(taken), again, failed) == (2 * MAILS, 0, [])


def _taken(server: t.Any) -> collections.Counter[str]:
    return collections.Counter(to for one in [*server.accepted] for to in one.recipients)


def test_one_account_hangs(tmp_path: Path, scripted: Scripted) -> None:
    """While the server of one account does not reply, the mail of another account arrives in
    time."""
    healthy, hanging = scripted(), scripted(on={"MAIL": SILENCE})
    accounts = {"slow": {"url": url_of(hanging)}}
    arrived: dict[str, float] = {}

    def note(sender: object, **about: t.Any) -> None:
        arrived[about["report"].message_id] = time.monotonic()

    with shop(tmp_path, healthy, MAIL_QUEUE_TIMEOUT=5, MAIL_ACCOUNTS=accounts) as here:
        message_sent.connect(note, here.app)
        for _ in range(20):
            here.mail.send_later(letter(), using="slow")
        bell, queued = Bell(), {}
        thread = threading.Thread(target=here.queue.worker(bell).run)
        thread.start()
        pause = threading.Event()
        for number in range(HEALTHY):
            ticket = here.mail.send_later(letter(f"r{number}@example.com"))
            queued[ticket.message_id] = time.monotonic()
            bell.ring()
            pause.wait(0.25)
        until(lambda: {*queued} <= {*arrived}, 60, "the healthy mail")
        bell.stop()
        thread.join()
        late = max(arrived[one] - queued[one] for one in queued)
        print(
            f"{HEALTHY} came, the latest after {late:.2f} s; {hanging.received} came by the other"
        )
    assert late < LATE


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_an_app_that_dies(how: str, tmp_path: Path, scripted: Scripted) -> None:
    """An app dies right after each send_later, whether or not its thread is sending."""
    server = scripted()
    keys = {"MAIL_URL": url_of(server), "MAIL_QUEUE_ENGINE": "thread"}
    said = []
    for number in range(DEATHS):
        dying = _program(_DYING, tmp_path, keys, f"r{number}@example.com", how)
        said.append(dying.communicate()[0])
    assert said == ["queued\n"] * DEATHS
    with shop(tmp_path, server) as here:
        here.queue.run_once()
        states = collections.Counter(here.states)
    taken = _taken(server)
    print(f"{how}: {len(taken)} of {DEATHS} came, {states}")
    assert max(taken.values()) == 1
    assert {*states} <= {"sent", "held"}
    assert len(taken) >= states["sent"]
    assert sum(states.values()) == DEATHS
