"""F-100: what kill -9 leaves in the queue at every phase of a delivery, and what becomes of it."""

from __future__ import annotations

import collections
import itertools
import json
import re
import subprocess
import sys
import threading
import typing as t

import pytest

from flask_mailhandler import message_sent
from flask_mailhandler.queue.bell import Bell
from flask_mailhandler.queue.sending import recovery
from killing import Killer
from killing import LARGE
from queueing import shop
from queueing import url_of
from queueing import who
from sending import letter
from sending import letters
from sending import Scripted
from servers import After
from servers import DROP

if t.TYPE_CHECKING:
    from pathlib import Path

    from servers import Accepted
    from servers.connection import Connection
    from storing import Place

# What is killed writes no coverage.
pytestmark = [pytest.mark.usefixtures("untraced"), pytest.mark.slow]

_HONEST = {
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "end of data": "250 2.0.0 accepted",
}


def kill_at(killer: Killer, step: str, *times: int, answer: t.Any = DROP) -> t.Any:
    """Return an action of a scripted server: kill at these times of a step, and answer; at others,
    reply as usual."""
    times_so_far = itertools.count(1)

    def act(line: str, connection: Connection) -> t.Any:
        if next(times_so_far) not in times:
            return _HONEST[step]
        killer.kill()
        return answer

    return act


def ids(received: list[Accepted]) -> collections.Counter[str]:
    """How often each message arrived complete, by its Message-ID."""
    found = [re.search(rb"Message-ID: (<.*>)", one.content) for one in received]
    return collections.Counter(match[1].decode() for match in found if match)


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "content"])
def test_killed_before_the_end_of_data(
    step: str, tmp_path: Path, scripted: Scripted, place: Place
) -> None:
    """F-100: killed before the end of data, a message is sent again, at once, and once."""
    killer = Killer(tmp_path, MAIL_QUEUE=place.named)
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        messages = letters(3)
        if step == "content":
            messages[1] = letter("r2@example.com", text=LARGE)
        for message in messages:
            here.mail.send_later(message)
        # The second of three, so that one is settled and one not begun.
        server.script.on = (
            {"content": [After(0, _none), After(0, kill_at(killer, "content", 1))]}
            if step == "content"
            else {step: kill_at(killer, step, 2)}
        )
        server.script.__post_init__()

        assert not killer.work(url_of(server))
        assert here.states == ["sent", "claimed", "claimed"]
        here.forget_workers()
        assert killer.work(url_of(server))
        assert here.states == ["sent"] * 3
        assert sorted(ids(server.received).values()) == [1, 1, 1]


def _none(line: str, connection: Connection) -> t.Any:
    return b""


@pytest.mark.parametrize("policy", ["hold", "retry"])
def test_killed_at_the_end_of_data(
    policy: str, tmp_path: Path, scripted: Scripted, place: Place
) -> None:
    """F-100: if a worker is killed after the end of data, the message may have arrived: it is held,
    or with "retry" sent again. Recipients that were settled before are never tried again."""
    keys = {"MAIL_QUEUE": place.named, "MAIL_QUEUE_UNKNOWN": policy}
    killer = Killer(tmp_path, **keys)
    server = scripted(on={"end of data": kill_at(killer, "end of data", 2, answer="250 2.0.0 ok")})
    with shop(tmp_path, server, **keys) as here:
        for message in letters(3):
            here.mail.send_later(message)

        assert not killer.work(url_of(server))
        here.forget_workers()
        assert killer.work(url_of(server))
        held = policy == "hold"
        assert here.states == ["sent", "held" if held else "sent", "sent"]
        assert who(here.rows[1]) == {"r2@example.com": "unknown" if held else "accepted"}
        assert [*ids(server.received).values()] == [1, 1 if held else 2, 1]


def test_killed_between_two_attempts(tmp_path: Path, scripted: Scripted, place: Place) -> None:
    """F-100: a recipient that was accepted in an earlier attempt is not tried again after a
    kill."""
    killer = Killer(tmp_path, MAIL_QUEUE=place.named)
    server = scripted(
        on={
            "RCPT TO:<d@example.com>": ["450 4.2.0 greylisted"],
            "end of data": kill_at(killer, "end of data", 2, answer="250 2.0.0 ok"),
        }
    )
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        here.mail.send_later(letter("a@example.com", "d@example.com"))
        assert killer.work(url_of(server))
        here.all_later()
        assert not killer.work(url_of(server))
        here.forget_workers()
        here.queue.run_once()

        assert here.states == ["held"]
        assert who(here.rows[0]) == {"a@example.com": "accepted", "d@example.com": "unknown"}


@pytest.mark.parametrize("policy", ["hold", "retry"])
def test_forty_mails_and_three_kills(
    policy: str, tmp_path: Path, scripted: Scripted, place: Place
) -> None:
    """F-100: of 40 messages and 3 kills at chosen steps none is lost. With "hold" none is sent
    twice; with "retry" at most those whose end of data had been sent."""
    keys = {"MAIL_QUEUE": place.named, "MAIL_QUEUE_UNKNOWN": policy}
    killer = Killer(tmp_path, **keys)
    server = scripted(
        on={
            "RCPT": kill_at(killer, "RCPT", 7),
            "end of data": kill_at(killer, "end of data", 15, 30, answer="250 2.0.0 ok"),
        }
    )
    with shop(tmp_path, server, **keys) as here:
        tickets = [*here.mail.send_later_each(letters(40))]
        while not killer.work(url_of(server)):
            here.forget_workers()

        came = ids(server.received)
        assert killer.kills == 3
        assert {*came} == {ticket.message_id for ticket in tickets}
        assert max(came.values()) == (1 if policy == "hold" else 2)
        assert sum(number - 1 for number in came.values()) == (0 if policy == "hold" else 2)
        assert here.states.count("held") == (2 if policy == "hold" else 0)
        assert here.states.count("sent") == (38 if policy == "hold" else 40)


def test_killed_while_accepting(tmp_path: Path, scripted: Scripted, place: Place) -> None:
    """F-100: a message whose ticket was returned survives a kill, and no message is stored by
    half."""
    program = """
import json, os, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from queueing import Shop
from sending import letters
here = Shop(Path(sys.argv[2]), MAIL_QUEUE=sys.argv[3])
with here.app.app_context():
    for ticket in here.mail.send_later_each(letters(100_000)):
        print(ticket.message_id, flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, json.dumps(sys.path), str(tmp_path), place.named],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        given = [process.stdout.readline().strip() for _ in range(250)]
        process.kill()
        given += [line.strip() for line in process.stdout.read().split("\n")[:-1]]
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        kept = here.rows
        assert {*given} <= {row.message_id for row in kept}
        assert all(here.queue.store.content(row.id) for row in kept)


def test_taken_over_on_the_same_machine(
    tmp_path: Path, scripted: Scripted, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P2: rows that a killed process had claimed are sent by another process on the same machine,
    long before the lease is over."""
    hour = 3600.0
    monkeypatch.setattr(recovery, "_LONGEST", 2 * hour)
    killer = Killer(tmp_path, MAIL_QUEUE=place.named)
    killer.lease = hour
    server = scripted(on={"MAIL": kill_at(killer, "MAIL", 1)})
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        for message in letters(3):
            here.mail.send_later(message)
        assert not killer.work(url_of(server))
        rows = here.rows
        assert [row.state for row in rows] == ["claimed"] * 3
        assert min(row.lease_until or 0.0 for row in rows) > here.queue.store.now() + hour / 2
        sent: list[object] = []
        all_sent = threading.Event()

        def note(sender: object, **about: object) -> None:
            sent.append(about["report"])
            if len(sent) == 3:
                all_sent.set()

        message_sent.connect(note, here.app)
        bell = Bell()
        worker = threading.Thread(target=here.queue.worker(bell).run)
        worker.start()
        assert all_sent.wait(40)
        bell.stop()
        worker.join()

        assert here.states == ["sent"] * 3
        assert [*ids(server.received).values()] == [1, 1, 1]


def test_not_taken_over_from_the_living(tmp_path: Path, scripted: Scripted, place: Place) -> None:
    """A row that a living worker has claimed is never recovered by another one."""
    looked: list[object] = []
    with shop(tmp_path, MAIL_QUEUE=place.named) as there:

        def look(line: str, connection: Connection) -> str:
            looked.extend(recovery.recover(there.queue.store, retry_unknown=False))
            return _HONEST["MAIL"]

        server = scripted(on={"MAIL": look})
        with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
            here.mail.send_later(letter())
            here.queue.run_once()

            assert (here.states, looked, len(server.accepted)) == (["sent"], [], 1)
