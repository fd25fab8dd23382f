"""Sending later: which messages are queued, which are sent, and what becomes of them."""

from __future__ import annotations

import dataclasses
import datetime
import email
import logging
import threading
import time
import typing as t
from email.message import EmailMessage

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import conclude
from flask_mailhandler import ConfigurationError
from flask_mailhandler import EmailHandler
from flask_mailhandler import Message
from flask_mailhandler import message_expired
from flask_mailhandler import message_failed
from flask_mailhandler import message_queued
from flask_mailhandler import message_sent
from flask_mailhandler import MessageError
from flask_mailhandler import Outcome
from flask_mailhandler import Phase
from flask_mailhandler import QueueError
from flask_mailhandler import State
from flask_mailhandler.app.current import registration_of
from flask_mailhandler.queue import retry
from flask_mailhandler.queue.stores.base import Pause
from queueing import Shop
from queueing import shop
from queueing import url_of
from queueing import who
from sending import letter
from sending import letters
from sending import Scripted
from servers import DROP

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from blinker import NamedSignal

    from flask_mailhandler import Job
    from flask_mailhandler import Report
    from flask_mailhandler.report import Observe

NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)


def heard(signal: NamedSignal, by: Shop) -> list[dict[str, t.Any]]:
    """The arguments of a signal from now on, for as long as the list exists."""

    class Heard(list[dict[str, t.Any]]):
        def __call__(self, sender: object, **facts: t.Any) -> None:
            self.append(facts)

    found = Heard()
    signal.connect(found, by.app)
    return found


# Accepting


def test_it_is_sent_later_and_once(tmp_path: Path, scripted: Scripted) -> None:
    """A message waits until a worker comes, and is sent once."""
    server = scripted()
    with shop(tmp_path, server) as here:
        ticket = here.mail.send_later(letter("b@example.com", text="Hello.\n"))

        assert (here.states, server.accepted) == (["waiting"], [])
        assert (here.queue.run_once(), here.queue.run_once()) == (1, 0)
        assert here.states == ["sent"]
        (accepted,) = server.accepted
        assert accepted.recipients == ("b@example.com",)
        assert ticket.created
        assert f"Message-ID: {ticket.message_id}\r\n".encode() in accepted.content


def test_what_cannot_be_sent_is_not_accepted(tmp_path: Path) -> None:
    """A message is checked and rendered before it is queued."""
    with shop(tmp_path, MAIL_DEFAULT_FROM=None) as here:
        with pytest.raises(MessageError, match="no sender"):
            here.mail.send_later(Message(text="x", to="b@example.com"))
        with pytest.raises(MessageError, match="no recipient"):
            here.mail.send_later(Message(text="x", from_addr="a@example.com"))

        assert here.rows == []


def test_the_octets_are_those_that_were_accepted(tmp_path: Path, scripted: Scripted) -> None:
    """Attached files are read when the message is queued, and exactly these octets are sent."""
    server = scripted()
    path = tmp_path / "bill.txt"
    path.write_text("42 euros", encoding="utf-8")
    with shop(tmp_path, server) as here:
        message = letter().replace(attachments=[Attachment.from_path(path)])
        here.mail.send_later(message)
        path.unlink()
        here.queue.run_once()

        (accepted,) = server.accepted
        *_, attached = email.message_from_bytes(accepted.content).walk()
        assert attached.get_payload(decode=True) == b"42 euros"


@pytest.mark.parametrize(
    ("size", "fits"), [("2kB", False), (10_000, True), ("1MB", True), ("3000", False)]
)
def test_the_size_of_one_message(size: object, fits: bool, tmp_path: Path) -> None:
    """MAIL_QUEUE_MAX_SIZE limits the content of a message before anything is read."""
    with shop(tmp_path, MAIL_QUEUE_MAX_SIZE=size) as here:
        message = letter(text="x\n" * 2000)
        if fits:
            assert here.mail.send_later(message).created
        else:
            with pytest.raises(MessageError, match="MAIL_QUEUE_MAX_SIZE"):
                here.mail.send_later(message)


def test_a_key_is_one_message(tmp_path: Path) -> None:
    """The same key twice returns the first ticket. Keys belong to an account."""
    with shop(tmp_path, MAIL_ACCOUNTS={"news": {}}) as here:
        first = here.mail.send_later(letter(), key="order:17")
        again = here.mail.send_later(letter(subject="Another"), key="order:17")
        other = here.mail.send_later(letter(), key="order:17", using="news")

        assert (again.id, again.message_id, again.created) == (first.id, first.message_id, False)
        assert (other.created, other.id == first.id) == (True, False)
        assert len(here.rows) == 2


def test_one_key_from_many_threads(tmp_path: Path) -> None:
    """If many threads use one key, exactly one creates the message."""
    with shop(tmp_path) as here:
        tickets = []
        ready = threading.Barrier(8)

        def send() -> None:
            with here.app.app_context():
                ready.wait()
                tickets.append(here.mail.send_later(letter(), key="once"))

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(ticket.created for ticket in tickets) == [False] * 7 + [True]
        assert len({ticket.id for ticket in tickets}) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"at": datetime.datetime(2030, 1, 1)}, MessageError, "no time zone"),  # noqa: DTZ001
        ({"expires": datetime.datetime(2030, 1, 1)}, MessageError, "no time zone"),  # noqa: DTZ001
        ({"at": NOW, "delay": 5}, TypeError, "give one of them"),
        ({"at": "tomorrow"}, MessageError, "takes a datetime"),
        ({"at": 17}, MessageError, "takes a datetime"),
        ({"delay": -1}, MessageError, "0 or more"),
        ({"delay": "5"}, MessageError, "number of seconds"),
        ({"delay": True}, MessageError, "number of seconds"),
        ({"delay": float("nan")}, MessageError, "number of seconds"),
        ({"delay": 60, "expires": 30}, MessageError, "before the message is due"),
        ({"expires": NOW - HOUR}, MessageError, "before the message is due"),
        ({"key": ""}, MessageError, "key="),
        ({"key": "x" * 201}, MessageError, "key="),
        ({"key": 17}, MessageError, "key="),
        ({"key": "a\nb"}, MessageError, "key="),
        ({"priority": "urgent"}, MessageError, "'high', 'normal', 'bulk'"),
        ({"using": "nobody"}, ConfigurationError, "no account 'nobody'"),
        ({"session": object()}, ConfigurationError, "sqlalchemy"),
    ],
)
def test_arguments(
    arguments: dict[str, t.Any], error: type[Exception], said: str, tmp_path: Path
) -> None:
    """A wrong argument is an error that says what to write, and nothing is queued."""
    with shop(tmp_path) as here:
        with pytest.raises(error, match=said):
            here.mail.send_later(letter(), **arguments)

        assert here.rows == []


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [
        ({"delay": 3600}, 3600.0),
        ({"delay": HOUR}, 3600.0),
        ({"at": HOUR}, 3600.0),
        ({"at": -HOUR}, 0.0),
        ({"delay": 0}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_due_time(arguments: dict[str, t.Any], seconds: float, tmp_path: Path) -> None:
    """delay and at say when a message is due. A message that is due in the past is due now."""
    with shop(tmp_path) as here:
        before = time.time()
        if "at" in arguments:
            arguments = {"at": datetime.datetime.now(datetime.UTC) + arguments["at"]}
        here.mail.send_later(letter(), **arguments)

        (row,) = here.rows
        assert row.due == pytest.approx(before + seconds, abs=30)
        assert here.queue.stats().lag == pytest.approx(0.0, abs=30)


def test_the_date_is_the_due_time(tmp_path: Path) -> None:
    """The Date is the due time, unless the message was given a Date. An EmailMessage is not
    changed."""
    given = datetime.datetime(2020, 5, 17, 12, 0, tzinfo=datetime.UTC)
    foreign = EmailMessage()
    foreign["To"] = "b@example.com"
    foreign.set_content("x")
    with shop(tmp_path) as here:
        for message in (letter(), foreign, letter().replace(date=given)):
            here.mail.send_later(message, delay=7200)
        at = [int(row.due) for row in here.rows]
        contents = [here.queue.store.content(row.id) or b"" for row in here.rows]
        dates = [email.message_from_bytes(octets)["Date"] for octets in contents]
        found = [int(email.utils.parsedate_to_datetime(date).timestamp()) for date in dates]

        assert found == [*at[:2], int(given.timestamp())]
        assert foreign["Date"] is None


def test_the_message_keeps_its_identity(tmp_path: Path) -> None:
    """The ticket has the Message-ID of the message."""
    message = letter()
    with shop(tmp_path) as here:
        assert here.mail.send_later(message, delay=60).message_id == message.message_id


def test_what_is_not_due_waits(tmp_path: Path, scripted: Scripted) -> None:
    """A message that is due later is not sent now."""
    with shop(tmp_path, scripted()) as here:
        here.mail.send_later(letter(), delay=3600)

        assert (here.queue.run_once(), here.states) == (0, ["waiting"])


def test_priorities(tmp_path: Path, scripted: Scripted) -> None:
    """High comes before normal and normal before bulk. Within a priority, the first due comes
    first."""
    server = scripted()
    with shop(tmp_path, server) as here:
        for number, priority in enumerate(["bulk", "normal", "high", "bulk", "high"]):
            here.mail.send_later(letter(subject=f"{priority}{number}"), priority=priority)
        here.queue.run_once()

        subjects = [email.message_from_bytes(one.content)["Subject"] for one in server.accepted]
        assert subjects == ["high2", "high4", "normal1", "bulk0", "bulk3"]


def test_many_in_few_transactions(tmp_path: Path) -> None:
    """send_later_each takes any number of messages, lazily, and yields a ticket when its message is
    stored."""
    made = []

    def messages() -> Iterator[Message]:
        for message in letters(250):
            made.append(message)
            yield message

    with shop(tmp_path) as here:
        tickets = here.mail.send_later_each(messages())
        assert made == []
        first = next(tickets)

        assert (first.id, len(made), len(here.rows)) == (1, 100, 100)
        assert [ticket.id for ticket in tickets] == [*range(2, 251)]


def test_wrong_ones_among_many(tmp_path: Path) -> None:
    """A message that cannot be sent, or has a wrong key, gets a ticket with the error. The others
    are queued."""
    first, second, third, fourth = letters(4)
    keys = {first: "1", second: "", third: "3", fourth: "4"}
    messages: list[t.Any] = [first, Message(text="x", subject="x"), second, third, "no message"]
    messages.append(fourth)
    with shop(tmp_path) as here:
        each = here.mail.send_later_each(messages, key=lambda message: keys.get(message, "x"))
        tickets = [*each]

        assert [ticket.id for ticket in tickets] == [1, 0, 0, 2, 0, 3]
        assert [ticket.created for ticket in tickets] == [True, False, False, True, False, True]
        wrong = [str(ticket.error) for ticket in tickets if ticket.error]
        assert ["no recipient" in wrong[0], "key=" in wrong[1], "message" in wrong[2]] == [True] * 3
        assert tickets[2].message_id == second.message_id
        assert [row.key for row in here.rows] == ["1", "3", "4"]


def test_a_list_that_breaks_off(tmp_path: Path) -> None:
    """If the caller's generator raises, the messages before the error are queued and have
    tickets."""

    def list_of_members() -> Iterator[Message]:
        yield from letters(3)
        raise LookupError("no database")

    with shop(tmp_path) as here:
        tickets = here.mail.send_later_each(list_of_members())

        assert [next(tickets).id for _ in range(3)] == [1, 2, 3]
        with pytest.raises(LookupError, match="no database"):
            next(tickets)
        assert here.states == ["waiting"] * 3


def test_a_wrong_address_in_a_generator(tmp_path: Path) -> None:
    """A wrong address that the caller's generator does not catch ends the list, and the error says
    how to go on. If the generator catches it, the others are queued."""
    members = ["ann@example.com", "b ob@example.com", "cid@example.com"]
    wrong: list[str] = []

    def careless() -> Iterator[Message]:
        for member in members:
            yield Message(subject="News", text="x", to=member)

    def careful() -> Iterator[Message]:
        for member in members:
            try:
                yield Message(subject="News", text="x", to=member)
            except MessageError:
                wrong.append(member)

    with shop(tmp_path) as here:
        with pytest.raises(MessageError) as caught:
            [*here.mail.send_later_each(careless())]
        (note,) = caught.value.__notes__
        assert "Catch MessageError in the generator" in note
        assert here.states == ["waiting"]

        assert [ticket.id for ticket in here.mail.send_later_each(careful())] == [2, 3]
        assert wrong == ["b ob@example.com"]


def test_a_list_twice(tmp_path: Path) -> None:
    """A list that is queued again, as after a crash, adds only the missing messages, because each
    has a key."""
    week = [letter(f"r{number}@example.com") for number in range(250)]

    def key(message: Message) -> str:
        return f"news:48:{message.to[0]}"

    with shop(tmp_path) as here:
        begun = here.mail.send_later_each(week, key=key)
        for _ in range(120):
            next(begun)
        again = [*here.mail.send_later_each(week, key=key)]

        assert sum(ticket.created for ticket in again) == 50
        assert len(here.rows) == len({row.key for row in here.rows}) == 250


@pytest.mark.parametrize("key", ["news:48", "", 17])
def test_one_key_for_all(key: t.Any, tmp_path: Path) -> None:
    """The key of many messages is a function. Anything else is an error at once."""
    with shop(tmp_path) as here, pytest.raises(MessageError, match="key= takes a function"):
        here.mail.send_later_each(letters(2), key=key)


def test_one_is_not_several(tmp_path: Path) -> None:
    """A single message instead of several is an error."""
    with shop(tmp_path) as here, pytest.raises(MessageError, match="several messages"):
        here.mail.send_later_each(letter())  # type: ignore[arg-type]


def test_before_send_is_asked_once(tmp_path: Path, scripted: Scripted) -> None:
    """before_send functions are called when a message is queued, and not when it is sent."""
    server = scripted()
    with shop(tmp_path, server) as here:
        seen = []

        @here.mail.before_send
        def stamp(message: Message) -> Message | None:
            seen.append(message.subject)
            return None if message.subject == "stop" else message.replace(subject="Stamped")

        here.mail.send_later(letter(subject="go"))
        ticket = here.mail.send_later(letter(subject="stop"), key="s")
        here.queue.run_once()

        assert seen == ["go", "stop"]
        assert here.states == ["sent", "cancelled"]
        assert b"Subject: Stamped\r\n" in server.accepted[0].content
        assert here.mail.send_later(letter(subject="stop"), key="s").id == ticket.id


# Sending


def test_only_the_deferred_are_tried_again(tmp_path: Path, scripted: Scripted) -> None:
    """F-105: after a partial delivery only deferred recipients are tried again; a 5yz reply
    never."""
    server = scripted(
        on={
            "RCPT TO:<d@example.com>": ["450 4.2.0 greylisted"],
            "RCPT TO:<r@example.com>": "550 5.1.1 no such user",
        }
    )
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter("a@example.com", "d@example.com", "r@example.com"))
        here.queue.run_once()

        (row,) = here.rows
        assert (str(row.state), row.attempts) == ("waiting", 1)
        assert 11 < row.due - row.changed < 16
        assert who(row) == {
            "a@example.com": "accepted",
            "d@example.com": "deferred",
            "r@example.com": "refused",
        }
        here.all_later()
        here.queue.run_once()
        assert [one.recipients for one in server.accepted] == [
            ("a@example.com",),
            ("d@example.com",),
        ]
        (row,) = here.rows
        assert (str(row.state), who(row)["d@example.com"]) == ("sent", "accepted")
        assert server.accepted[0].content == server.accepted[1].content


def test_refused_is_failed(tmp_path: Path, scripted: Scripted) -> None:
    """A message that was refused for every recipient fails at once and keeps its last report."""
    with shop(tmp_path, scripted(on={"RCPT": "550 5.1.1 no such user"})) as here:
        failed = heard(message_failed, here)
        here.mail.send_later(letter())
        here.queue.run_once()

        (row,) = here.rows
        assert (str(row.state), row.attempts) == ("failed", 1)
        assert '550,"5.1.1","no such user"' in row.recipients
        assert [facts["report"].refused for facts in failed] == [["b@example.com"]]
        assert here.queue.store.content(row.id)


def test_unknown_is_held(tmp_path: Path, scripted: Scripted) -> None:
    """A message that may have arrived is held until a person retries it."""
    server = scripted(on={"end of data": [DROP]})
    with shop(tmp_path, server) as here:
        failed = heard(message_failed, here)
        here.mail.send_later(letter())
        here.queue.run_once()

        assert (here.states, len(failed)) == (["held"], 1)
        assert here.queue.run_once() == 0
        assert here.queue.retry([1]) == 1
        here.queue.run_once()
        assert (here.states, len(server.accepted)) == (["sent"], 1)


def test_unknown_is_retried(tmp_path: Path, scripted: Scripted) -> None:
    """With MAIL_QUEUE_UNKNOWN = "retry", a message that may have arrived is tried again."""
    server = scripted(on={"end of data": [DROP]})
    with shop(tmp_path, server, MAIL_QUEUE_UNKNOWN="retry") as here:
        here.mail.send_later(letter())
        here.queue.run_once()
        assert here.states == ["waiting"]

        here.all_later()
        here.queue.run_once()
        assert (here.states, len(server.accepted)) == (["sent"], 1)


@pytest.mark.usefixtures("not_soon")
def test_no_session_pauses_the_account(tmp_path: Path, scripted: Scripted) -> None:
    """A server that cannot be reached pauses its account. No attempt is counted, and other accounts
    go on."""
    good, bad = scripted(), scripted(on={"greeting": "554 5.3.2 go away"})
    news = {"url": url_of(good)}
    with shop(tmp_path, bad, MAIL_ACCOUNTS={"news": news}) as here:
        for _ in range(3):
            here.mail.send_later(letter())
        here.mail.send_later(letter(), using="news")
        here.queue.run_once()

        assert here.states == ["waiting"] * 3 + ["sent"]
        assert [row.attempts for row in here.rows[:3]] == [0, 0, 0]
        assert len(bad.connections) == 1
        assert "go away" in here.queue.stats().paused["default"]
        assert here.queue.run_once() == 0
        longest = time.time() + retry.LONGEST_PAUSE
        assert here.queue.store.pause("default").until <= longest


def test_a_pause_grows_and_ends(
    tmp_path: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each further failure doubles the pause, and a success ends it."""
    server = scripted(on={"greeting": ["421 4.3.2 busy"] * 3})
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter())
        lengths, now = [], time.time()

        def over(pause: Pause) -> Pause:
            return dataclasses.replace(pause, until=0.0)

        monkeypatch.setattr(here.queue.store, "now", lambda: now)
        for _ in range(3):
            here.queue.run_once()
            pause = here.queue.store.pause("default")
            lengths.append(pause.until - now)
            here.queue.store.alter_pause("default", over)
        here.queue.run_once()

        assert 11 < lengths[0] < 16 < 22 < lengths[1] < 31 < 44 < lengths[2] < 61
        assert (here.states, here.queue.store.pause("default").times) == (["sent"], 0)


def test_a_failed_login_waits_a_minute(tmp_path: Path, scripted: Scripted) -> None:
    """F-18: a failed login is not tried again for 60 s."""
    server = scripted(users={"ann": "right"})
    keys = {"MAIL_USERNAME": "ann", "MAIL_PASSWORD": "wrong"}
    with shop(tmp_path, server, **keys) as here:
        here.mail.send_later(letter())
        before = time.time()
        here.queue.run_once()

        assert here.queue.store.pause("default").until >= before + 60


def test_expired(tmp_path: Path, scripted: Scripted) -> None:
    """A message that is not sent in time expires, with a signal of its own."""
    server = scripted()
    with shop(tmp_path, server) as here:
        expired, failed = heard(message_expired, here), heard(message_failed, here)
        here.mail.send_later(letter(subject="Your code"), expires=0.001)
        (row,) = here.rows
        while time.time() <= row.expires:
            pass
        here.queue.run_once()

        assert (here.states, server.accepted, failed) == (["expired"], [], [])
        assert [facts["message"].subject for facts in expired] == ["Your code"]
        assert expired[0]["report"].deferred == ["b@example.com"]


@pytest.mark.usefixtures("not_soon")
def test_the_last_attempt(tmp_path: Path, scripted: Scripted) -> None:
    """A message whose next attempt would come too late expires now, with its last report."""
    server = scripted(on={"RCPT": "450 4.2.0 later"})
    with shop(tmp_path, server, MAIL_QUEUE_MAX_AGE=300) as here:
        expired = heard(message_expired, here)
        here.mail.send_later(letter())
        here.queue.run_once()

        assert here.states == ["expired"]
        assert "4.2.0 later" in str(expired[0]["report"].error)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("recipients", "{", "recipients cannot be read"),
        ("recipients", '[["b@", null, null, null, ""]]', "recipients cannot be read"),
        ("options", "nonsense", "options cannot be read"),
        ("options", '{"version": 0}', "version 0"),
        ("options", '{"version": 1}', "options cannot be read"),
        ("content", b"cut", "content is gone, or cut short"),
        ("content", None, "content is gone, or cut short"),
    ],
)
def test_a_poisoned_row(
    column: str, value: object, said: str, tmp_path: Path, scripted: Scripted
) -> None:
    """A row that cannot be read fails with a text that says why, and the others are sent."""
    with shop(tmp_path, scripted()) as here:
        for _ in range(3):
            here.mail.send_later(letter())
        with here.queue.store.file.write() as connection:  # type: ignore[attr-defined]
            if column != "content":
                connection.execute(f"UPDATE mail_queue SET {column} = ? WHERE id = 2", (value,))
            elif value is None:
                connection.execute("DELETE FROM mail_queue_content WHERE id = 2")
            else:
                connection.execute(
                    "UPDATE mail_queue_content SET octets = ? WHERE id = 2", (value,)
                )
        here.queue.run_once()

        assert here.states == ["sent", "failed", "sent"]
        assert said in here.rows[1].error


class Raising(EmailHandler):
    """Raises for every message with a certain subject, before or after its end of data."""

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        for job in jobs:
            content = bytes(job.content)
            if b"Subject: early" in content:
                raise ZeroDivisionError("early")
            observe(Phase.END_OF_DATA, job)
            if b"Subject: late" in content:
                raise ZeroDivisionError("late")
            outcomes = [Outcome(a, State.ACCEPTED) for a in job.envelope.recipients]
            yield conclude(job, outcomes)


@pytest.mark.usefixtures("not_soon")
def test_a_handler_that_raises(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """F-101: if a handler raises, only its message suffers: it is tried again if its end of data
    was not announced, and held if it was. The worker continues."""
    with shop(tmp_path, MAIL_HANDLER=Raising) as here:
        for subject in ("one", "early", "two", "late", "three"):
            here.mail.send_later(letter(subject=subject))
        here.queue.run_once()

        assert here.states == ["sent", "waiting", "sent", "held", "sent"]
        assert "ZeroDivisionError: early" in here.rows[1].error
        assert who(here.rows[3]) == {"b@example.com": "unknown"}
    assert [record.levelno for record in caplog.records].count(logging.ERROR) == 3


def test_the_guard_is_applied_again(tmp_path: Path, scripted: Scripted) -> None:
    """A copy of a production system, with its queue, sends to no address that its staging guard
    does not allow."""
    server = scripted()
    with shop(tmp_path, server) as here:
        for _ in range(2):
            here.mail.send_later(letter("ann@example.com", "bob@example.org"))
    with shop(tmp_path, server, MAIL_ALLOW_TO="@example.org") as copy:
        copy.queue.run_once()

        assert copy.states == ["sent", "sent"]
        assert who(copy.rows[0]) == {"ann@example.com": "refused", "bob@example.org": "accepted"}
    assert {one.recipients for one in server.accepted} == {("bob@example.org",)}


def test_the_redirection_is_applied_again(tmp_path: Path, scripted: Scripted) -> None:
    """A message that was queued without a redirection is redirected by a worker that has one."""
    server = scripted()
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter("ann@example.com", "bob@example.org"))
    with shop(tmp_path, server, MAIL_REDIRECT_TO="staging@example.com") as copy:
        copy.mail.send_later(letter("ann@example.com"))
        copy.queue.run_once()

        assert copy.states == ["sent", "sent"]
    assert {one.recipients for one in server.accepted} == {("staging@example.com",)}


def test_nobody_is_allowed(tmp_path: Path) -> None:
    """A message whose recipients the staging guard withholds fails at once, with a report."""
    with shop(tmp_path, MAIL_ALLOW_TO="@example.net") as here:
        ticket = here.mail.send_later(letter())

        assert here.states == ["failed"]
        assert who(here.rows[0]) == {"b@example.com": "refused"}
        assert ticket.created


def test_signals(tmp_path: Path, scripted: Scripted) -> None:
    """There is one signal when a message is queued, and one at its end, with a report on all
    recipients."""
    server = scripted(on={"RCPT TO:<d@example.com>": ["450 4.2.0 greylisted"]})
    with shop(tmp_path, server) as here:
        queued, sent = heard(message_queued, here), heard(message_sent, here)
        ticket = here.mail.send_later(
            letter("a@example.com", "d@example.com", subject="Hi").replace(bcc="c@example.com")
        )
        here.queue.run_once()
        assert ([facts["ticket"] for facts in queued], sent) == ([ticket], [])
        here.all_later()
        here.queue.run_once()

        ((message, report),) = [(facts["message"], facts["report"]) for facts in sent]
        assert report.accepted == ["a@example.com", "d@example.com", "c@example.com"]
        assert isinstance(message, Message)
        assert message.subject == "Hi"
        assert message.bcc == ["c@example.com"]
        assert report.message_id == message.message_id == ticket.message_id


@pytest.mark.parametrize("engine", ["in a test", "a worker"])
def test_observers(engine: str, tmp_path: Path, scripted: Scripted) -> None:
    """The app's observers see each phase of a queued message: a worker's, or a test's at once."""
    server, phases = scripted(), list[tuple[Phase, str]]()
    over_smtp = {"TESTING": True, "MAIL_TESTING_HANDLER": "configured"}
    with shop(tmp_path, server, **(over_smtp if engine == "in a test" else {})) as here:
        registration_of(here.app).add_observer(
            lambda phase, job: phases.append((phase, job.message_id))
        )
        ticket = here.mail.send_later(letter())
        here.queue.run_once()

        assert (Phase.END_OF_DATA, ticket.message_id) in phases
        assert {message_id for _, message_id in phases} == {ticket.message_id}
        assert phases == sorted(phases, key=lambda seen: [*Phase].index(seen[0]))


def test_the_report_of_a_row(tmp_path: Path, scripted: Scripted) -> None:
    """The outcome of each recipient can be read at any time, with the message."""
    server = scripted(on={"RCPT TO:<r@example.com>": "550 5.1.1 no such user"})
    with shop(tmp_path, server) as here:
        here.mail.send_later(letter("r@example.com", subject="Hi"))
        before = here.queue.report(here.rows[0])
        here.queue.run_once()
        after = here.queue.report(here.rows[0])

        assert (before.deferred, after.refused) == (("r@example.com",), ("r@example.com",))
        assert after.outcomes[0].text == "no such user"
        assert isinstance(after.message, Message)
        assert after.message.subject == "Hi"
        with pytest.raises(QueueError, match="Row 1 is damaged"):
            here.queue.report(dataclasses.replace(here.rows[0], recipients="{"))


def test_a_foreign_message(tmp_path: Path, scripted: Scripted) -> None:
    """An EmailMessage is sent as it is, and the signal has an EmailMessage."""
    server = scripted()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "Grüße"
    message.set_content("x")
    with shop(tmp_path, server) as here:
        sent = heard(message_sent, here)
        here.mail.send_later(message)
        here.queue.run_once()

        assert sent[0]["message"]["Subject"] == "Grüße"
        assert len(server.accepted) == 1
