"""A message goes on to another account where nothing can have been taken, and only there."""

from __future__ import annotations

import contextvars
import dataclasses
import email
import threading
import time
import typing as t
from email.message import EmailMessage

import pytest

from failing_over import app_of
from failing_over import health_of
from failing_over import two
from failing_over import url_of
from flask_mailhandler import Address
from flask_mailhandler import ConfigurationError
from flask_mailhandler import EmailHandler
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import Phase
from flask_mailhandler.handlers.failover import rules
from flask_mailhandler.handlers.failover.handler import FailoverEmailHandler
from flask_mailhandler.handlers.failover.health import Down
from forking import in_child
from pooling import Clock
from sending import ACCEPTED
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import REFUSED
from sending import Scripted
from sending import states
from sending import UNKNOWN
from servers.actions import DROP
from servers.actions import SILENCE
from servers.actions import Taken
from servers.dead_ends import black_hole
from servers.dead_ends import closed_port
from servers.http_server import page
from servers.providers.fake import LOST
from servers.providers.fake import not_taken_and
from servers.providers.resend import FakeResend

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator

    from flask_mailhandler import Job
    from flask_mailhandler import Mail
    from flask_mailhandler import Report
    from flask_mailhandler import State
    from flask_mailhandler.report import Observe


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the pauses. It stands still until a test moves it."""
    clock = Clock()
    monkeypatch.setattr("flask_mailhandler.handlers.failover.health.time", clock)
    return clock


def send(mail: Mail, message: Message | None = None, **options: t.Any) -> Report:
    """Send a message. A failure is in the report."""
    (report,) = mail.send_each([message or letter()], **options)
    return report


# What goes on, and what does not

GOES_ON: dict[str, dict[str, t.Any]] = {
    "421 as the greeting": {"greeting": "421 4.3.2 closing"},
    "554 as the greeting": {"greeting": "554 no service"},
    "closed at once": {"greeting": DROP},
    "a refused EHLO and HELO": {"EHLO": "502 no", "HELO": "502 no"},
    "closed after EHLO": {"EHLO": DROP},
    "530 to MAIL": {"MAIL": "530 5.7.0 log in"},
    "421 to MAIL": {"MAIL": "421 4.3.2 closing"},
    "450 to MAIL": {"MAIL": "450 4.7.1 later"},
    "451 to MAIL, no code": {"MAIL": "451 local error"},
    "452 to MAIL, of the content": {"MAIL": "452 4.3.4 too big for now"},
    "550 to MAIL, of the sender": {"MAIL": "550 5.7.1 sender address is not verified"},
    "550 to MAIL, of the account": {"MAIL": "550 5.4.5 daily quota exceeded"},
    "closed at MAIL": {"MAIL": DROP},
    "no relay at RCPT": {"RCPT": "554 5.7.1 Relay access denied"},
    "closed at RCPT": {"RCPT": DROP},
    "421 to RCPT": {"RCPT": "421 4.3.2 closing"},
    "closed at DATA": {"DATA": DROP},
    "421 to DATA": {"DATA": "421 4.3.2 closing"},
    "421 to the end of data": {"end of data": "421 4.3.2 closing"},
    "quota at the end of data": {"end of data": "452 4.4.5 quota exceeded"},
}
STAYS: dict[str, tuple[dict[str, t.Any], State]] = {
    "accepted": ({}, ACCEPTED),
    "451 to RCPT": ({"RCPT": "451 4.7.1 greylisted"}, DEFERRED),
    "452 to RCPT, full": ({"RCPT": "452 4.2.2 mailbox full"}, DEFERRED),
    "550 to RCPT": ({"RCPT": "550 5.1.1 no such user"}, REFUSED),
    "552 to MAIL, size": ({"MAIL": "552 5.3.4 too big"}, REFUSED),
    "451 to DATA": ({"DATA": "451 4.3.0 later"}, DEFERRED),
    "451 to the end of data": ({"end of data": "451 4.3.0 later"}, DEFERRED),
    "554 to the end of data": ({"end of data": "554 5.6.0 spam"}, REFUSED),
    "taken, then closed": ({"end of data": Taken(DROP)}, UNKNOWN),
    "not taken, closed": ({"end of data": DROP}, UNKNOWN),
    "taken, then no reply": ({"end of data": Taken("hello")}, UNKNOWN),
    "taken, then 221": ({"end of data": Taken("221 bye")}, UNKNOWN),
}


@pytest.mark.parametrize("on", GOES_ON.values(), ids=GOES_ON)
def test_what_goes_on(scripted: Scripted, on: dict[str, t.Any]) -> None:
    """Where the first account is at fault and has taken nothing, the second sends the message."""
    first, second = scripted(on=on), scripted()
    with two(first, second) as mail:
        report = mail.send(letter())

    second.settle()
    assert report.ok
    assert report.account == "backup"
    assert first.accepted == []
    assert len(second.accepted) == 1


@pytest.mark.parametrize(("on", "state"), STAYS.values(), ids=STAYS)
def test_what_stays(scripted: Scripted, on: dict[str, t.Any], state: State) -> None:
    """After an unknown outcome, or a reply about a recipient or the content, no other account gets
    the message."""
    first, second = scripted(on=on), scripted()
    with two(first, second) as mail:
        report = send(mail)

    assert states(report) == [state]
    assert report.account == "default"
    assert second.connections == []


@pytest.mark.parametrize("login", ["535 5.7.8 wrong password", "454 4.7.0 later", "421 4.7.0 bye"])
def test_a_refused_login(scripted: Scripted, login: str) -> None:
    """A login that the first server refuses is not a fault of the message."""
    first = scripted(users={"shop": "secret"}, on={"AUTH": login})
    second = scripted()
    wrong = url_of(first).replace("://", "://shop:wrong@")
    with app_of(wrong, url_of(second)) as mail:
        report = mail.send(letter())

    assert (report.ok, report.account) == (True, "backup")
    assert len(second.accepted) == 1


def test_no_server(scripted: Scripted) -> None:
    """A closed port and a name without an address are no session."""
    server = scripted()
    with closed_port() as port:
        for gone in (f"smtp://127.0.0.1:{port}", "smtp://no-such-host.invalid:25?security=none"):
            with app_of(gone, url_of(server)) as mail:
                assert mail.send(letter()).account == "backup"

    assert len(server.accepted) == 2


def test_recipients_that_the_first_settled(scripted: Scripted) -> None:
    """The second account gets only the recipients for which the first was at fault."""
    first = scripted(
        on={
            "RCPT TO:<relay@example.com>": "554 5.7.1 Relay access denied",
            "RCPT TO:<gone@example.com>": "550 5.1.1 no such user",
            "RCPT TO:<grey@example.com>": "450 4.7.1 greylisted",
        }
    )
    second = scripted()
    to = [f"{name}@example.com" for name in ("ann", "relay", "gone", "grey", "bob")]
    with two(first, second) as mail:
        report = mail.send(letter(*to))

    assert first.accepted[0].recipients == ("ann@example.com", "bob@example.com")
    assert second.accepted[0].recipients == ("relay@example.com",)
    assert states(report) == [ACCEPTED, ACCEPTED, REFUSED, DEFERRED, ACCEPTED]
    assert [one.account for one in report.outcomes] == ["default", "", *["default"] * 3]
    assert report.account == "backup"
    assert "recipients deferred: grey@example.com" in str(report.error)


def test_both_refuse(scripted: Scripted) -> None:
    """If each account is at fault, the report is that of the last, and each was asked once."""
    servers = [scripted(on={"MAIL": f"45{number} 4.3.2 later"}) for number in (0, 1)]
    with two(*servers) as mail:
        report = send(mail)

    assert [len(server.connections) for server in servers] == [1, 1]
    assert states(report) == [DEFERRED]
    assert (report.account, report.outcomes[0].code) == ("backup", 451)


# The three faults of Symfony's failover transport


def test_symfony_goes_to_the_next_after_a_time_out(scripted: Scripted, impatient: None) -> None:
    """A server that takes a message and never replies is not followed by another one, which would
    double it."""
    first, second = scripted(on={"end of data": Taken(SILENCE)}), scripted()
    with two(first, second) as mail:
        report = send(mail)
        next_one = mail.send(letter())

    assert states(report) == [UNKNOWN]
    assert len(first.accepted) == 1
    # The next message does not wait for that server.
    assert (next_one.account, len(second.accepted)) == ("backup", 1)


def test_symfony_stays_with_the_second_for_ever(scripted: Scripted, pauses: Clock) -> None:
    """When the pause is over, one message tries the first account, which is used again."""
    first, second = scripted(on={"greeting": ["421 4.3.2 no"]}), scripted()
    with two(first, second) as mail:
        during = [mail.send(letter()).account for _ in range(3)]
        pauses.passed += rules.PAUSE + 1
        after = [mail.send(letter()).account for _ in range(2)]

    assert during == ["backup"] * 3
    assert after == ["default"] * 2
    assert len(first.connections) == 2


def test_symfony_refuses_all_mail_for_a_minute_when_both_are_down(
    scripted: Scripted, pauses: Clock
) -> None:
    """If all accounts are down, each message tries the one that failed longest ago."""
    first = scripted(on={"greeting": ["421 4.3.2 no"]})
    second = scripted(on={"greeting": ["421 4.3.2 no", "421 4.3.2 no"]})
    with two(first, second) as mail:
        assert states(send(mail)) == [DEFERRED]
        pauses.passed += 1
        tried = mail.send(letter()).account

    assert tried == "default"
    assert (len(first.connections), len(second.connections)) == (2, 1)


# The pauses


def test_one_message_tries_it(scripted: Scripted, pauses: Clock) -> None:
    """When the pause is over, one message tries the account, and the others do not wait for it."""
    tried, others = threading.Event(), threading.Event()

    def hold(line: str, connection: object) -> str:
        tried.set()
        assert others.wait(60)
        return "421 4.3.2 no"

    first, second = scripted(on={"greeting": ["421 4.3.2 no", hold]}), scripted()
    with two(first, second) as mail:
        mail.send(letter())
        pauses.passed += rules.PAUSE + 1
        context = contextvars.copy_context()

        thread = threading.Thread(target=context.run, args=(mail.send, letter()))
        thread.start()
        assert tried.wait(60)
        accounts = [mail.send(letter()).account for _ in range(5)]
        others.set()
        thread.join()
        state = health_of(mail).states()["default"]

    assert accounts == ["backup"] * 5
    assert len(first.connections) == 2
    assert state.times == 2


def test_the_pause_doubles(scripted: Scripted, pauses: Clock) -> None:
    """Each time the account fails again its pause is twice as long, up to five minutes."""
    first, second = scripted(on={"greeting": "421 4.3.2 no"}), scripted()
    found = []
    with two(first, second) as mail:
        for _ in range(9):
            mail.send(letter())
            found.append(health_of(mail).states()["default"].until - pauses.monotonic())
            pauses.passed += found[-1] + 0.01

    assert [round(seconds) for seconds in found] == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_what_the_second_message_costs(scripted: Scripted) -> None:
    """The first message waits for a server that does not answer, and the next ones do not try it.
    The time-out is that of the connection."""
    second = scripted()
    with black_hole() as port:
        gone = f"smtp://127.0.0.1:{port}?connect_timeout=0.3&timeout=50"
        with app_of(gone, url_of(second)) as mail:
            first = mail.send(letter())
            known = health_of(mail).states()["default"]
            others = [mail.send(letter()).account for _ in range(3)]
            same = health_of(mail).states()["default"]

    assert first.account == "backup"
    assert others == ["backup"] * 3
    assert same is known  # it was not tried again


def test_too_little_time_is_left(scripted: Scripted, impatient: None) -> None:
    """A message whose time is over is not passed to another account."""
    first, second = scripted(on={"RCPT": SILENCE}), scripted()
    with two(first, second) as mail:
        report = send(mail, timeout=1)

    assert states(report) == [DEFERRED]
    assert second.connections == []


def test_a_fault_of_one_message(scripted: Scripted) -> None:
    """A From that the first server refuses does not keep other messages from it."""
    first, second = scripted(on={"MAIL FROM:<b@": "550 5.7.1 sender not verified"}), scripted()
    with two(first, second) as mail:
        wrong = mail.send(letter().replace(from_addr="b@example.com"))
        right = mail.send(letter())

    assert (wrong.account, right.account) == ("backup", "default")


def test_a_child_begins_anew(scripted: Scripted) -> None:
    """What a process knows about its accounts is its own."""
    first, second = scripted(on={"greeting": ["421 4.3.2 no"]}), scripted()
    with two(first, second) as mail:
        mail.send(letter())
        assert in_child(lambda: list(health_of(mail).states())) == []
        assert list(health_of(mail).states()) == ["default"]


def test_what_is_printed(scripted: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    """The handler shows which accounts are down, and the log says when that changes."""
    first, second = scripted(on={"greeting": "421 4.3.2 ask ann@example.com"}), scripted()
    with two(first, second) as mail:
        before = repr(mail.handler)
        mail.send(letter())
        after = repr(mail.handler)

    assert before == "<FailoverEmailHandler default, then backup>"
    assert after.startswith("<FailoverEmailHandler default (down, next try in ")
    assert after.endswith(", then backup>")
    assert "ann@example.com" not in after + caplog.text
    assert "The account default is down; it is tried again in 5 s" in caplog.text
    assert "goes on from the account default to backup" in caplog.text


# Lists


@pytest.mark.parametrize("how", ["send", "list", "generator", "parallel"])
def test_a_list(scripted: Scripted, how: str) -> None:
    """The rest of a list does not try an account that is down, and shares a connection."""
    first, second = scripted(on={"greeting": "554 no service"}), scripted()
    with two(first, second) as mail:
        messages = letters(6)
        if how == "send":
            reports = mail.send(messages)
        elif how == "parallel":
            reports = [*mail.send_each(messages, connections=2)]
        else:
            given: t.Any = messages if how == "list" else iter(messages)
            reports = [*mail.send_each(given)]

    assert [report.account for report in reports] == ["backup"] * 6
    subjects = [email.message_from_bytes(one.content)["Subject"] for one in second.accepted]
    assert sorted(subjects) == [*"123456"]
    # With two connections, two messages may find out at the same time.
    assert len(first.connections) <= (2 if how == "parallel" else 1)
    assert len(second.connections) <= 2


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
def test_a_list_in_whose_middle_it_breaks(scripted: Scripted, extensions: tuple[str, ...]) -> None:
    """The messages before the break stay with the first account, and no message is there twice."""
    first = scripted(extensions=extensions, on={"MAIL": ["250 ok", "250 ok", "451 4.3.2 later"]})
    second = scripted(extensions=extensions)
    with two(first, second) as mail:
        reports = mail.send(letters(6))

    arrived = [one.recipients[0] for server in (first, second) for one in server.accepted]
    assert arrived == [f"r{number}@example.com" for number in range(1, 7)]
    assert [report.account for report in reports] == ["default"] * 2 + ["backup"] * 4


def test_a_list_while_all_are_down(scripted: Scripted, pauses: Clock) -> None:
    """The rest of a list does not wait for each account again, until a pause is over."""
    first, second = (scripted(on={"greeting": ["421 4.3.2 no"]}) for _ in range(2))
    with two(first, second) as mail:
        reports = []
        for report in mail.send_each(letters(5)):
            reports.append(report)
            pauses.passed += 2

    assert [states(report)[0] for report in reports] == [DEFERRED] * 3 + [ACCEPTED] * 2
    assert [len(server.connections) for server in (first, second)] == [2, 1]


@pytest.mark.parametrize(
    ("second", "state"),
    [
        ({"RCPT TO:<r2@": "554 5.7.1 Relay access denied"}, REFUSED),
        ({"MAIL FROM:<r2@": "550 5.4.5 quota exceeded"}, REFUSED),
        ({"greeting": "421 4.3.2 no"}, DEFERRED),
    ],
)
def test_a_list_with_one_that_no_account_takes(
    scripted: Scripted, second: dict[str, t.Any], state: State
) -> None:
    """What a server replies to one message may be true of it alone, so it gets the next ones."""
    messages = [one.replace(from_addr=one.to[0]) for one in letters(4)]
    first = scripted(on={"RCPT TO:<r2@": "554 5.7.1 Relay access denied"})
    with two(first, scripted(on=second)) as mail:
        reports = [*mail.send_each(messages)]

    assert [states(report)[0] for report in reports] == [ACCEPTED, state, ACCEPTED, ACCEPTED]


def test_what_the_rest_of_a_list_says(scripted: Scripted) -> None:
    """The report on a message that was not tried does not name the recipient of another one."""
    first, second = (scripted(on={"MAIL": DROP}) for _ in range(2))
    with two(first, second) as mail:
        reports = [*mail.send_each(letters(2))]

    assert [states(report)[0] for report in reports] == [DEFERRED] * 2
    assert "r1@" in str(reports[0].error)
    assert "r1@" not in f"{reports[1].error} {reports[1].outcomes}"
    assert "the server closed the connection" in str(reports[1].error)


def test_no_message_waits_for_the_limit_of_the_next(scripted: Scripted) -> None:
    """A transaction is over before the next message waits for the limit of another account."""
    servers = [scripted(extensions=["PIPELINING"]) for _ in range(2)]
    seen = []

    class Pace:
        def limited(self, account: str) -> bool:
            return account == "backup"

        def enter(self, account: str) -> bool:
            seen.append((account, sum(len(server.accepted) for server in servers)))
            return True

    keys: dict[str, t.Any] = {"MAIL_FAILOVER": None, "MAIL_SPREAD": {"default": 1, "backup": 1}}
    with two(*servers, **keys) as mail:
        assert isinstance(mail.handler, FailoverEmailHandler)
        handler = mail.handler.paced(Pace())
        assert all(report.ok for report in handler.send(letters(4)))

    assert seen == [("default", 0), ("backup", 1), ("default", 2), ("backup", 3)]


def test_an_iteration_that_is_given_up(scripted: Scripted) -> None:
    """A caller that stops iterating leaves no message half sent."""
    first, second = scripted(on={"greeting": "421 4.3.2 no"}), scripted()
    with two(first, second) as mail:
        for report in mail.send_each(letters(5)):
            assert report.account == "backup"
            break

    second.settle()
    assert second.breaches == []
    assert len(second.accepted) <= 2


# By weight


def test_shares(scripted: Scripted) -> None:
    """Each account gets its share, and the others get the share of one that is down."""
    servers = [scripted(), scripted(), scripted(on={"greeting": "421 4.3.2 no"})]
    spread = {"default": 3, "backup": 1.0, "third": "4"}
    third = {"third": {"url": url_of(servers[2])}}
    keys = {"MAIL_FAILOVER": None, "MAIL_SPREAD": spread, "accounts": third}
    with two(servers[0], servers[1], **keys) as mail:
        sent = [mail.send(letter()).account for _ in range(16)]
        printed = repr(mail.handler)

    assert [sent.count(name) for name in ("default", "backup", "third")] == [12, 4, 0]
    assert printed.startswith("<FailoverEmailHandler default 3, backup 1, third 4 (down, ")


def test_shares_with_a_reserve(scripted: Scripted) -> None:
    """A member may be a group: here two share the mail, and a third is their reserve."""
    servers = [scripted(on={"MAIL": "421 4.3.2 no"}) for _ in range(2)] + [scripted()]
    one, other, reserve = (url_of(server) for server in servers)
    accounts = {
        "other": {"url": other},
        "reserve": {"url": reserve},
        "shared": {"spread": {"other": 1, "backup": 1}},
    }
    keys = {"MAIL_FAILOVER": ["shared", "reserve"], "accounts": accounts}
    with app_of(one, one, **keys) as mail:
        assert mail.send(letter()).account == "reserve"
        assert mail.send(letter(), using="reserve").account == "reserve"
        printed = repr(mail.handler)

    assert [len(server.connections) for server in servers] == [1, 1, 1]
    assert printed.count("down") == 2
    assert printed.endswith(", then reserve>")


# The options of the account that sends


def test_the_message_of_the_second(scripted: Scripted) -> None:
    """From, prefix and envelope are those of the account that sends; the Message-ID and the Date
    stay, and so does what the caller wrote."""
    first, second = scripted(on={"greeting": "421 4.3.2 no"}), scripted()
    backup = {
        "default_from": "backup@example.org",
        "subject_prefix": "[b]",
        "bounce_address": "bounces@example.org",
    }
    seen = []
    keys = {"MAIL_SUBJECT_PREFIX": "[a]", "SECRET_KEY": "k", "MAIL_CONNECT_TIMEOUT": 60}
    with two(first, second, backup=backup, **keys) as mail:

        @mail.before_send
        def note(message: Message) -> Message:
            seen.append((message.from_addr, message.message_id, message.date))
            return message.replace(headers={"X-Seen": str(len(seen))})

        defaulted = mail.send(Message(subject="Hi", text="x", to="ann@example.com"))
        given = mail.send(letter(subject="Hi"))

    one, other = (email.message_from_bytes(message.content) for message in second.accepted)
    assert (one["From"], one["Subject"]) == ("backup@example.org", "[b] Hi")
    assert second.accepted[0].sender.startswith("bounces+")
    assert one["Message-ID"] == defaulted.message_id
    assert [from_addr for from_addr, _, _ in seen[:2]] == ["shop@example.com", "backup@example.org"]
    assert seen[0][1:] == seen[1][1:]
    assert (other["From"], other["Subject"]) == ("a@example.com", "[b] Hi")
    assert given.message.from_addr == "a@example.com"  # type: ignore[union-attr]


def test_a_message_of_the_standard_library(scripted: Scripted) -> None:
    """It keeps its Message-ID and its Date too, and the caller's object does not change."""
    first, second = scripted(on={"MAIL": "421 4.3.2 no"}), scripted()
    message = EmailMessage()
    message["To"], message["Subject"] = "ann@example.com", "Hi"
    message.set_content("x")
    with two(first, second, backup={"default_from": "backup@example.org"}) as mail:
        report = mail.send(message)

    found = email.message_from_bytes(second.accepted[0].content)
    assert (found["From"], found["Message-ID"]) == ("backup@example.org", report.message_id)
    assert report.message_id.endswith("@example.com>")
    assert message.keys() == [
        "To",
        "Subject",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    ]


def test_the_rate_limit_of_each(scripted: Scripted) -> None:
    """A message counts for the limit of the account that sends it, and waits for no other."""
    first, second = scripted(), scripted()
    with two(first, second, MAIL_RATE_LIMIT="2/h", backup={"rate_limit": "9/h"}) as mail:
        before = [report.account for report in mail.send_each(letters(2))]
        now = time.monotonic()
        health_of(mail).learn("default", Down(now, now + 300, 1, "a test"))
        after = [report.account for report in mail.send_each(iter(letters(3)))]

    assert before == ["default"] * 2
    assert after == ["backup"] * 3  # the limit of the first would last an hour


def test_suppressed_recipients(scripted: Scripted, tmp_path: t.Any) -> None:
    """A recipient that gets no mail gets none through another account either."""
    first, second = scripted(on={"greeting": "421 4.3.2 no"}), scripted()
    keys = {
        "MAIL_SUPPRESSIONS": True,
        "MAIL_QUEUE": str(tmp_path / "q.sqlite"),
        "MAIL_QUEUE_ENGINE": "none",
    }
    for backup in ({}, {"default_from": "backup@example.org"}):
        with two(first, second, backup=backup, **keys) as mail:
            mail.suppressions.add("bob@example.com", reason="asked")
            for _ in range(2):  # the first is found down, and then it is known
                report = mail.send(letter("ann@example.com", "bob@example.com"))
                assert states(report) == [ACCEPTED, REFUSED]
            mail.queue.close()

    assert {one.recipients for one in second.accepted} == {("ann@example.com",)}
    assert len(second.accepted) == 4


# Providers


def test_a_provider_first(scripted: Scripted) -> None:
    """An answer of an API is judged like a reply: a message that may have been taken stays."""
    server = scripted()
    with FakeResend() as fake, app_of(fake.mail_url + "&timeout=60", url_of(server)) as mail:
        fake.manners.extend([LOST, LOST])
        doubtful = send(mail)
        health_of(mail).learn("default", None)
        fake.manners.append(not_taken_and(page(401)))
        login = send(mail)
        health_of(mail).learn("default", None)
        fake.manners.append(not_taken_and(page(429)))
        busy = send(mail)
        health_of(mail).learn("default", None)
        fake.manners.append(not_taken_and(page(422)))
        wrong = send(mail)

    # Another account could send the same message again, so it is not deferred.
    assert (states(doubtful), doubtful.account) == ([UNKNOWN], "default")
    assert doubtful.safe_until is None
    assert [report.account for report in (login, busy, wrong)] == ["backup", "backup", "default"]
    assert states(wrong) == [REFUSED]
    assert len(server.accepted) == 2


def test_what_one_account_cannot_send(scripted: Scripted) -> None:
    """A message must be one that each account can send: the caller's line raises the error."""
    server = scripted()
    with FakeResend() as fake, app_of(url_of(server), fake.mail_url) as mail:
        with pytest.raises(MessageError, match="Resend takes no envelope_sender"):
            mail.send(letter().replace(envelope_sender="bounces@example.com"))
        assert mail.send(letter()).account == "default"

    assert (len(server.accepted), fake.taken) == (1, [])


# Tests and staging


def test_nothing_is_sent_in_a_test(scripted: Scripted) -> None:
    """TESTING, captures, MAIL_SUPPRESS_SEND and MAIL_REDIRECT_TO apply to each account."""
    first, second = scripted(on={"greeting": "421 4.3.2 no"}), scripted()
    with two(first, second, TESTING=True) as mail:
        assert mail.send(letter()).account == "default"
    with two(first, second, MAIL_SUPPRESS_SEND=True) as mail:
        assert mail.send(letter()).ok
    with two(first, second) as mail, mail.capture() as outbox:
        assert mail.send(letter()).account == "default"
        assert outbox.one(subject="Hi").using == "default"
    assert (first.connections, second.connections) == ([], [])

    with two(first, second, MAIL_REDIRECT_TO="dev@example.com") as mail:
        mail.send(letter("ann@example.com"))
    assert [one.recipients for one in second.accepted] == [(Address("dev@example.com"),)]


# What is less usual


def test_what_only_the_second_cannot_send(scripted: Scripted) -> None:
    """A before_send function that stops the message for one account leaves it to the others."""
    servers = [scripted(on={"greeting": "421 4.3.2 no"}), scripted(), scripted()]
    one, two_, three = map(url_of, servers)
    keys = {"MAIL_FAILOVER": ["default", "backup", "third"], "accounts": {"third": {"url": three}}}
    with app_of(one, two_, backup={"default_from": "backup@example.org"}, **keys) as mail:

        @mail.before_send
        def stop(message: Message) -> Message | None:
            return None if message.from_addr == "backup@example.org" else message

        message = Message(subject="Hi", text="x", to="ann@example.com")
        found = [mail.send(message).account for _ in range(2)]  # unknown to be down, and known
        servers[2].stop()
        report = send(mail, message)

    assert found == ["third"] * 2
    assert servers[1].connections == []
    # Only the first account is left to try, and it is down.
    assert (states(report), report.account) == ([DEFERRED], "default")


def test_recipients_after_an_interruption(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    """If an exception ends the second delivery, the recipients of the first are still told."""
    first = scripted(on={"RCPT TO:<relay@": "554 5.7.1 Relay access denied"})
    second = scripted()
    told: list[Report] = []

    def interrupt(phase: Phase, job: Job) -> None:
        if job.account == "backup":
            raise KeyboardInterrupt

    with two(first, second) as mail:
        prepared = mail.handler.prepare(letter("ann@example.com", "relay@example.com"))
        with pytest.raises(KeyboardInterrupt):
            list(mail.handler.dispatch([prepared], interrupt, left=told.append))

    (report,) = told
    assert report.accepted == ["ann@example.com"]
    assert report.unknown == []


def test_a_handler_that_leads_back(scripted: Scripted) -> None:
    """An account whose handler passes messages back to the group is an error."""
    server = scripted()
    with app_of(url_of(server), url_of(server), accounts={"p": {"handler": Passing}}) as mail:
        assert mail.send(letter(), using="p").ok
    keys = {"MAIL_FAILOVER": ["p", "default"], "accounts": {"p": {"handler": Passing}}}
    circle = pytest.raises(ConfigurationError, match="in a circle: 'p' -> 'default' -> 'p'")
    with app_of(url_of(server), url_of(server), **keys) as mail, circle:
        mail.send(letter())


class Passing(EmailHandler):
    """Passes every job on to the default account."""

    handler_for: Callable[[str], EmailHandler] | None = None

    def with_handlers(self, handler_for: Callable[[str], EmailHandler]) -> t.Self:
        return dataclasses.replace(self, handler_for=handler_for)

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        assert self.handler_for is not None
        yield from self.handler_for("default").deliver(jobs, observe)
