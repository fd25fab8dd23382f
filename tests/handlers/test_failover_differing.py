"""Failover where the servers differ: in what they offer, what they take, and how busy they are."""

from __future__ import annotations

import contextvars
import threading
import typing as t

import pytest

from failing_over import app_of
from failing_over import health_of
from failing_over import two
from failing_over import url_of
from flask_mailhandler import DeferredError
from flask_mailhandler import Message
from flask_mailhandler import RefusedError
from flask_mailhandler.handlers.failover.health import Down
from pooling import Clock
from sending import ACCEPTED
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import REFUSED
from sending import Scripted
from sending import states

if t.TYPE_CHECKING:
    from flask_mailhandler import Mail
    from flask_mailhandler import Report
    from flask_mailhandler import State

SMALL = {"extensions": ["SIZE 100", "8BITMIME"]}
DOWN = {"on": {"greeting": "421 4.3.2 no"}}
EIGHT_BIT = ["8BITMIME", "SMTPUTF8"]
TO = [f"r{number}@example.com" for number in range(4)]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the pauses. It stands still until a test moves it."""
    clock = Clock()
    monkeypatch.setattr("flask_mailhandler.handlers.failover.health.time", clock)
    return clock


def send(mail: Mail, *to: str) -> Report:
    """Send a message. A failure is in the report."""
    (report,) = mail.send_each([letter(*to)])
    return report


def put_down(mail: Mail, name: str, clock: Clock, seconds: float = 300) -> None:
    """Make an account known to be down for so many seconds."""
    now = clock.monotonic()
    health_of(mail).learn(name, Down(now, now + seconds, 1, "a test"))


# What a server does not offer


def test_too_large_for_the_first(scripted: Scripted) -> None:
    """A message larger than the first server announces goes on: the server was not asked."""
    first, second = scripted(**SMALL), scripted()
    with two(first, second) as mail:
        reports = [mail.send(letter()) for _ in range(2)]

    assert [report.account for report in reports] == ["backup"] * 2
    assert len(second.accepted) == 2
    assert not any(line.startswith("MAIL") for line in first.commands)


def test_too_large_for_all(scripted: Scripted) -> None:
    """If no server accepts the size, the message is refused."""
    first, second = scripted(**SMALL), scripted(**SMALL)
    with two(first, second) as mail, pytest.raises(RefusedError, match="octets, and"):
        mail.send(letter())


# By which the reserve refuses a message, and what becomes of it while the first account is down.
RESERVE: dict[str, tuple[dict[str, t.Any], State]] = {
    "its size": (SMALL, DEFERRED),
    "its sender": ({"on": {"MAIL": "550 5.7.1 sender not verified"}}, DEFERRED),
    "no relay": ({"on": {"RCPT": "554 5.7.1 Relay access denied"}}, DEFERRED),
    "no recipient": ({"on": {"RCPT": "550 5.1.1 no such user"}}, REFUSED),
    "spam": ({"on": {"end of data": "554 5.6.0 spam"}}, REFUSED),
}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("server", "state"), RESERVE.values(), ids=RESERVE)
def test_what_the_reserve_cannot_send(
    scripted: Scripted, server: dict[str, t.Any], state: State, known: bool, pauses: Clock
) -> None:
    """A message that only the first account can send is deferred while that is down, and sent when
    it is back."""
    tried = state is DEFERRED or not known
    first, second = scripted(on={"greeting": ["421 4.3.2 no"] * tried}), scripted(**server)
    with two(first, second) as mail:
        if known:
            put_down(mail, "default", pauses)
        report = send(mail)
        assert states(report) == [state]
        kind = DeferredError if state is DEFERRED else RefusedError
        assert isinstance(report.error, kind)

        pauses.passed += 1000
        assert mail.send(letter()).account == "default"


def test_an_account_that_was_not_tried(scripted: Scripted, pauses: Clock) -> None:
    """A message tries one account that is down. While another one is left, it is not refused."""
    servers = [scripted(on={"MAIL": "550 5.7.1 sender not verified"}) for _ in range(2)]
    urls = [url_of(server) for server in (*servers, scripted())]
    keys: dict[str, t.Any] = {
        "accounts": {"third": {"url": urls[2]}},
        "MAIL_FAILOVER": ["default", "backup", "third"],
    }
    with app_of(*urls[:2], **keys) as mail:
        put_down(mail, "default", pauses, seconds=-1)
        put_down(mail, "third", pauses)
        report = send(mail)

    assert (states(report), report.account) == ([DEFERRED], "backup")
    assert [len(server.connections) for server in servers] == [1, 1]


def test_a_recipient_that_the_reserve_cannot_send_to(scripted: Scripted) -> None:
    """The same holds for a recipient who needs SMTPUTF8; the others get the message."""
    first = scripted(extensions=EIGHT_BIT, **DOWN)
    second = scripted(extensions=["8BITMIME"])
    with two(first, second) as mail:
        report = send(mail, "jörg@example.com", "ann@example.com")

    assert states(report) == [DEFERRED, ACCEPTED]
    assert "does not offer SMTPUTF8" in report.outcomes[0].text


def test_a_size_says_nothing_of_the_next(scripted: Scripted, pauses: Clock) -> None:
    """While all accounts are down, a message that is too large is no reason to defer the others
    without trying them."""
    servers = [scripted(extensions=["SIZE 1000"]) for _ in range(2)]
    large = letter(text="x" * 70 + "\n" + "y" * 2000)
    with two(*servers) as mail:
        put_down(mail, "default", pauses)
        put_down(mail, "backup", pauses)
        reports = [*mail.send_each([large, letter()])]

    assert [states(report) for report in reports] == [[DEFERRED], [ACCEPTED]]


# Batches


@pytest.mark.parametrize("refusal", ["554 5.6.0 spam", "451 4.3.0 later", "550 5.1.1 no such user"])
@pytest.mark.parametrize("step", ["DATA", "end of data"])
def test_batches_of_a_refused_content(scripted: Scripted, step: str, refusal: str) -> None:
    """A content that the first server does not accept for one batch goes on for none."""
    first, second = scripted(on={step: refusal}), scripted()
    with app_of(url_of(first, recipients_per_message=1), url_of(second)) as mail:
        report = send(mail, *TO)

    assert report.account == "default"
    assert states(report)[1:] == [DEFERRED] * 3
    assert second.connections == []


@pytest.mark.parametrize("refusal", ["452 4.5.3 too many", "451 4.5.3 too many"])
def test_more_than_the_first_takes(scripted: Scripted, refusal: str) -> None:
    """The recipients beyond the limit of a transaction follow in another one; only those whose
    transaction fails go on."""
    first = scripted(
        on={"RCPT": ["250 ok", "250 ok", refusal], "MAIL": ["250 ok", *["421 4.3.2 no"] * 2]}
    )
    second = scripted()
    with two(first, second) as mail:
        report = send(mail, *TO)

    assert report.ok
    assert [one.recipients for one in first.accepted] == [tuple(TO[:2])]
    assert [one.recipients for one in second.accepted] == [tuple(TO[2:])]
    assert [one.account for one in report.outcomes] == ["default"] * 2 + [""] * 2


# Connections


def test_two_that_need_each_other(scripted: Scripted) -> None:
    """A message that goes on does not keep the connection that another one waits for."""
    both = threading.Barrier(2)

    def deny(line: str, connection: object) -> str:
        both.wait(60)
        return "554 5.7.1 Relay access denied"

    first = scripted(on={"RCPT TO:<r@b.example>": deny})
    second = scripted(on={"RCPT TO:<r@a.example>": deny})
    keys: dict[str, t.Any] = {"MAIL_FAILOVER": None, "MAIL_SPREAD": {"default": 1, "backup": 1}}
    found = []
    urls = [url_of(server, pool_size=1) for server in (first, second)]
    with app_of(*urls, **keys) as mail:
        threads = [
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(lambda: found.append(send(mail, "r@a.example", "r@b.example")),),
            )
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [report.ok for report in found] == [True, True]
    for server, name in ((first, "a"), (second, "b")):
        assert [one.recipients for one in server.accepted] == [(f"r@{name}.example",)] * 2
        assert len(server.connections) == 1


def test_a_list_keeps_its_connection(scripted: Scripted) -> None:
    """A message of a list that goes on costs no connection."""
    first, second = scripted(on={"MAIL": ["250 ok", "550 5.7.1 sender not verified"]}), scripted()
    with two(first, second) as mail:
        accounts = [report.account for report in mail.send_each(iter(letters(4)))]

    assert accounts == ["default", "backup", "default", "default"]
    assert [len(server.connections) for server in (first, second)] == [1, 1]


# A message that does not try the account that it was chosen to try


def test_a_chance_that_is_not_taken(scripted: Scripted, pauses: Clock) -> None:
    """If a message cannot go to the account whose pause is over, the next one tries it."""
    first, second = scripted(on={"MAIL": "550 5.7.1 sender not verified"}), scripted()
    with two(first, second, backup={"default_from": "backup@example.org"}) as mail:

        @mail.before_send
        def stop(message: Message) -> Message | None:
            stops = message.from_addr == "backup@example.org" and message.subject == "stop"
            return None if stops else message

        put_down(mail, "backup", pauses, seconds=-1)
        messages = [Message(subject=name, text="x", to="b@example.com") for name in ("stop", "go")]
        stopped, sent = mail.send_each(messages)
        assert health_of(mail).states() == {}

    assert (states(stopped), stopped.account) == ([REFUSED], "default")
    assert (states(sent), sent.account) == ([ACCEPTED], "backup")
