"""Several accounts in one queue: none waits for another's server, and each pauses for its own
fault."""

from __future__ import annotations

import contextlib
import threading
import typing as t

import pytest

from flask_mailhandler import message_failed
from flask_mailhandler import RefusedError
from flask_mailhandler.queue.bell import Bell
from flask_mailhandler.queue.sending import account_sender
from queueing import Shop
from queueing import shop
from queueing import url_of
from queueing import who
from sending import letter
from sending import letters
from sending import Scripted
from servers.actions import DROP
from servers.actions import Taken
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.connection import Connection


class Hanging:
    """The action of a server that hangs until it is released."""

    def __init__(self, answer: str = "250 2.1.0 ok") -> None:
        self.reached = threading.Event()
        self.over = threading.Event()
        self._answer = answer

    def __call__(self, line: str, connection: Connection) -> str:
        self.reached.set()
        self.over.wait(120)
        return self._answer


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    """A server action that is released at the end, whatever happens."""
    made = Hanging()
    yield made
    made.over.set()


@contextlib.contextmanager
def working(here: Shop, way: str) -> Iterator[None]:
    """Send due mail, in one of the ways in which that is done."""
    bell = Bell()
    worker = here.queue.worker(bell)

    def run() -> None:
        if way == "worker":
            worker.run()
        elif way == "turn":
            worker.turn(1.0)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        bell.stop(60)
        thread.join()


@pytest.mark.parametrize("way", ["thread", "worker", "turn"])
def test_a_hanging_server_stops_nobody_else(
    way: str, tmp_path: Path, scripted: Scripted, hanging: Hanging
) -> None:
    """While the server of one account hangs, mail of another account is sent."""
    server, stuck = scripted(), scripted(on={"MAIL": hanging})
    keys = {"MAIL_QUEUE_ENGINE": "thread"} if way == "thread" else {}
    accounts = {"news": {"url": url_of(stuck)}}
    with shop(tmp_path, server, MAIL_ACCOUNTS=accounts, **keys) as here:
        here.mail.send_later(letter(), using="news")
        with working(here, way):
            assert hanging.reached.wait(60)
            here.mail.send_later(letter(), priority="high")
            until(lambda: server.accepted, 60.0, "the mail of the other account")
            assert not stuck.accepted
            hanging.over.set()
            until(lambda: here.states == ["sent", "sent"], 60.0, "the results")


def test_accounts_in_turn(tmp_path: Path, scripted: Scripted) -> None:
    """MAIL_QUEUE_THREADS limits how many accounts are served at the same time. The others
    follow."""
    active, most = 0, 0
    counting = threading.Lock()

    def begin(line: str, connection: Connection) -> str:
        nonlocal active, most
        with counting:
            active += 1
            most = max(most, active)
        return "250 2.1.0 ok"

    def end(line: str, connection: Connection) -> str:
        nonlocal active
        with counting:
            active -= 1
        return "250 2.0.0 ok"

    server = scripted(on={"MAIL": begin, "end of data": end})
    accounts: dict[str, dict[str, str]] = {name: {} for name in ("a", "b", "c", "d", "e")}
    with shop(tmp_path, server, MAIL_ACCOUNTS=accounts, MAIL_QUEUE_THREADS=2) as here:
        for name in accounts:
            here.mail.send_later(letter(), using=name)
        assert here.queue.run_once() == 5

        assert here.states == ["sent"] * 5
        assert most <= 2


@pytest.mark.parametrize("priority", ["high", "normal"])
def test_what_is_urgent_comes_before_what_is_claimed(
    priority: str, tmp_path: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claimed row that was not begun gives way to a row of higher priority."""
    monkeypatch.setattr(account_sender, "URGENT", 0.0)
    asked: list[str] = []

    def queue_another(line: str, connection: Connection) -> str:
        if not asked:
            asked.append(line)
            with here.app.app_context():
                here.mail.send_later(letter("urgent@example.com"), priority=priority)
        return "250 2.0.0 ok"

    server = scripted(on={"end of data": queue_another})
    with shop(tmp_path, server) as here:
        assert len([*here.mail.send_later_each(letters(20))]) == 20
        here.queue.run_once()

        came = [one.recipients[0] for one in server.accepted]
        # The next one may be said already, and a connection is kept in order.
        assert came.index("urgent@example.com") <= 2
        assert here.states == ["sent"] * 21
        assert {row.attempts for row in here.rows} == {1}


def test_a_turn_ends(tmp_path: Path, scripted: Scripted) -> None:
    """When a turn is over no message is begun, and the claimed rows are given back."""
    server = scripted()
    with shop(tmp_path, server) as here:
        assert len([*here.mail.send_later_each(letters(20))]) == 20
        worker = here.queue.worker()
        worker.turn(0.0)

        assert server.accepted == []
        assert {*here.states} == {"waiting"}
        assert {row.attempts for row in here.rows} == {0}
        assert [*worker.due.left()] == [("default", 0.0)]


def test_a_stop_does_not_wait_for_a_hanging_server(
    tmp_path: Path, scripted: Scripted, hanging: Hanging, caplog: pytest.LogCaptureFixture
) -> None:
    """A stopped worker gives back a row that hangs before its end of data. If the server replies
    after all, this worker does not send the end of data."""
    server = scripted(on={"MAIL": [hanging, "250 2.1.0 ok"]})
    bell = Bell()
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        here.mail.send_later(letter())
        running = threading.Thread(target=here.queue.worker(bell).run)
        running.start()
        assert hanging.reached.wait(60)
        bell.stop(0.1)
        running.join(60)
        assert not running.is_alive()
        assert [(row.state, row.attempts) for row in here.rows] == [("waiting", 0)] * 2

        assert here.queue.run_once() == 2
        hanging.over.set()
        until(lambda: "another worker" in caplog.text, 60.0, "the worker that was stuck")
        assert here.states == ["sent", "sent"]
        assert len(server.accepted) == 2


# Whose fault it is


REFUSALS = {
    "a quota at MAIL": {"MAIL": "550 5.4.5 Daily user sending limit exceeded"},
    "a From at the end of data": {"end of data": "554 Message rejected: not verified"},
    "a login at RCPT": {"RCPT": "553 5.7.1 <a@example.com>: Sender address rejected"},
    "a policy at the end of data": {"end of data": "550 5.7.0 Blocked"},
    "Exchange": {"end of data": "554 5.2.252 SendAsDenied"},
    "a full server": {"MAIL": "452 4.3.1 Insufficient system storage"},
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_an_account_rests_for_its_own_fault(
    refusal: dict[str, str], tmp_path: Path, scripted: Scripted
) -> None:
    """A few refusals in a row that are about the sender or the account pause the account. Its
    messages wait without a failure signal, and are sent after the pause."""
    failed: list[object] = []
    server = scripted(on={step: [answer] * 3 for step, answer in refusal.items()})
    with shop(tmp_path, server) as here:
        message_failed.connect(lambda sender, **facts: failed.append(facts), here.app, weak=False)
        for message in letters(30):
            here.mail.send_later(message)
        here.queue.run_once()

        assert {*here.states} == {"waiting"}
        (reason,) = here.queue.stats().paused.values()
        assert next(iter(refusal.values()))[:3] in reason
        assert failed == []
        here.all_later()
        here.queue.run_once()
        assert {*here.states} == {"sent"}
        assert len(server.accepted) == 30
        assert here.queue.stats().paused == {}


def test_a_fault_that_goes_on(tmp_path: Path, scripted: Scripted) -> None:
    """After a pause, one message shows whether the account may send again; each time it is another
    one."""
    server = scripted(on={"MAIL": ["550 5.4.5 quota"] * 5})
    with shop(tmp_path, server) as here:
        for message in letters(5):
            here.mail.send_later(message)
        here.queue.run_once()
        tried = [[row.attempts for row in here.rows]]
        pauses = []
        for _ in range(2):
            here.queue.store.alter_pause(
                "default", lambda pause: type(pause)(0.0, pause.times, pause.why)
            )
            assert here.queue.run_once() >= 1
            pauses.append(here.queue.store.pause("default").times)
            tried.append([row.attempts for row in here.rows])

        assert tried == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
        assert pauses == [2, 3]
        assert {*here.states} == {"waiting"}


def test_a_message_that_is_at_fault_alone(tmp_path: Path, scripted: Scripted) -> None:
    """One message with a From that the server refuses does not pause the account forever, even if
    it is tried first after each pause."""

    def judge(line: str, connection: Connection) -> str:
        return "550 5.1.8 bad sender" if "wrong@" in line else "250 2.1.0 ok"

    server = scripted(on={"greeting": ["421 4.3.2 busy"], "MAIL": judge})
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter().replace(from_addr="wrong@example.com"))
        for message in letters(3):
            here.mail.send_later(message)
        for _ in range(4):
            here.queue.run_once()
            here.queue.store.alter_pause(
                "default", lambda pause: type(pause)(0.0, pause.times, pause.why)
            )

        assert here.states == ["waiting", "sent", "sent", "sent"]
        assert here.queue.store.pause("default").times == 0


@pytest.mark.parametrize("step", ["RCPT", "end of data"])
def test_who_is_refused_is_nobody_elses_fault(
    step: str, tmp_path: Path, scripted: Scripted
) -> None:
    """However many recipients or contents are refused in a row, the account goes on."""
    answer = {"RCPT": "550 5.1.1 unknown", "end of data": "554 5.6.0 malformed"}[step]
    server = scripted(on={step: [answer] * 5})
    with shop(tmp_path, server) as here:
        for message in letters(6):
            here.mail.send_later(message)
        here.queue.run_once()

        assert here.states == ["failed"] * 5 + ["sent"]
        assert here.queue.stats().paused == {}


def test_without_the_queue_it_is_refused(tmp_path: Path, scripted: Scripted) -> None:
    """Mail.send reports that the account is at fault, and that the address is not the one to
    forget."""
    server = scripted(on={"MAIL": "550 5.4.5 Daily user sending limit exceeded"})
    with shop(tmp_path, server) as here, pytest.raises(RefusedError) as raised:
        here.mail.send(letter())

    assert raised.value.report is not None
    (outcome,) = raised.value.report.outcomes
    assert (outcome.state, outcome.about) == ("refused", "account")


def test_a_server_that_loses_its_answers(tmp_path: Path, scripted: Scripted) -> None:
    """A server that accepts mail without a reply makes few messages unknown, not all."""
    server = scripted(on={"end of data": [Taken(DROP)] * 3})
    with shop(tmp_path, server) as here:
        for message in letters(10):
            here.mail.send_later(message)
        here.queue.run_once()

        assert here.states.count("held") == 3
        assert here.states.count("waiting") == 7
        assert "default" in here.queue.stats().paused


def test_a_server_that_hangs_at_mail(tmp_path: Path, scripted: Scripted, hanging: Hanging) -> None:
    """A server that does not reply to MAIL counts as one that cannot be reached: the account pauses
    at once, and no attempt is counted. MAIL_QUEUE_TIMEOUT is the time it has."""
    server = scripted(on={"MAIL": hanging})
    with shop(tmp_path, server, MAIL_QUEUE_TIMEOUT=0.5) as here:
        for message in letters(3):
            here.mail.send_later(message)
        here.queue.run_once()

        assert [(row.state, row.attempts) for row in here.rows] == [("waiting", 0)] * 3
        assert "default" in here.queue.stats().paused


def test_some_of_the_recipients(tmp_path: Path, scripted: Scripted) -> None:
    """If one recipient was accepted, the refusal of another is final."""
    server = scripted(on={"RCPT": ["250 ok", "550 5.7.1 no mail from this sender"]})
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter("ann@example.com", "bob@example.com"))
        here.queue.run_once()

        assert here.states == ["sent"]
        assert who(here.rows[0]) == {"ann@example.com": "accepted", "bob@example.com": "refused"}
