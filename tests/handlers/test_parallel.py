"""One list over several connections."""

from __future__ import annotations

import gc
import sys
import threading
import types
import typing as t
from collections import Counter

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import current_mail
from flask_mailhandler import LoginError
from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler import MessageError
from flask_mailhandler.handlers.parallel import _Worker
from pooling import app_for
from pooling import Call
from pooling import Hold
from pooling import state
from sending import ACCEPTED
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from sending import UNKNOWN
from servers import Delay
from servers import DROP
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Generator
    from collections.abc import Iterable
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler import Report
    from flask_mailhandler.handlers.smtp import SMTPEmailHandler
    from servers import ScriptedServer


def sending(
    handler: SMTPEmailHandler, messages: Iterable[Message], connections: int
) -> Generator[Report, None, None]:
    """The reports, which are made while they are iterated."""
    prepared = (handler.prepare(message) for message in messages)
    reports = handler.dispatch(prepared, connections=connections)
    return t.cast("Generator[Report, None, None]", reports)


def send(handler: SMTPEmailHandler, messages: Iterable[Message], connections: int) -> list[Report]:
    """All reports. If they do not come, the test fails and does not hang."""
    return Call(lambda: [*sending(handler, messages, connections)]).result()


def subjects(server: ScriptedServer) -> list[str]:
    """The subjects of the messages that were accepted."""
    return [
        line.partition(b": ")[2].decode()
        for accepted in server.accepted
        for line in accepted.content.splitlines()
        if line.startswith(b"Subject: ")
    ]


@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
@pytest.mark.parametrize("connections", [2, 3, 4])
def test_each_once(
    scripted: Scripted, connections: int, extensions: list[str], no_leaks: None
) -> None:
    """F-94, F-107: each message is sent once, over so many connections at most, in order."""
    server = scripted(extensions=extensions, on={"end of data": Delay(0.005, "250 ok")})
    handler = smtp(server, pool_size=4)

    reports = send(handler, letters(25), connections)
    handler.close()

    assert [report.accepted for report in reports] == [
        [f"r{each}@example.com"] for each in range(1, 26)
    ]
    assert Counter(subjects(server)) == Counter(map(str, range(1, 26)))
    assert len(server.connections) <= connections


def test_at_once(scripted: Scripted) -> None:
    """As many messages are sent at the same time as there are connections."""
    hold = Hold()
    server = scripted(on={"end of data": hold})
    handler = smtp(server, pool_size=3)

    call = Call(lambda: send(handler, letters(3), 3))
    for _ in range(3):
        hold.reached()
    assert state(handler) == "0 idle, 3 in use, 0 waiting"
    hold.let_go()

    assert [report.ok for report in call.result()] == [True] * 3


def test_no_more_than_needed(scripted: Scripted, no_leaks: None) -> None:
    """There is no connection without a message."""
    server = scripted()
    handler = smtp(server, pool_size=4)

    assert send(handler, [], 4) == []
    assert server.connections == []
    assert send(handler, [letter()], 4)[0].ok
    assert len(server.connections) == 1
    handler.close()


def test_as_they_come(scripted: Scripted) -> None:
    """A report is given as soon as it is there, and only some messages are prepared ahead."""
    server = scripted()
    handler = smtp(server, pool_size=2)
    made: list[str] = []

    def newsletter() -> Iterator[Message]:
        for message in letters(100):
            made.append(message.subject)
            yield message

    reports = sending(handler, newsletter(), 2)
    assert made == []
    for count, report in enumerate(reports, 1):
        assert report.ok
        assert len(made) <= count + 5

    assert len(made) == 100


def test_at_once_reported(scripted: Scripted) -> None:
    """A report that is there is given before another message is prepared."""
    server = scripted()
    handler = smtp(server, pool_idle=60)
    found: list[Report] = []

    def newsletter() -> Iterator[Message]:
        first, second, third = letters(3)
        yield first
        until(lambda: "1 idle" in state(handler), 60, "the first to be delivered")
        yield second
        assert len(found) == 1
        yield third

    for report in sending(handler, newsletter(), 2):
        found.append(report)

    assert len(found) == 3


def test_too_many(scripted: Scripted) -> None:
    """More connections than MAIL_POOL_SIZE are refused by the call that asks for them."""
    server = scripted()
    app, mail = app_for(server, pool_size=2)

    with app.app_context():
        with pytest.raises(ConfigurationError, match="more than MAIL_POOL_SIZE = 2"):
            mail.send_each(letters(3), connections=3)
        with pytest.raises(ConfigurationError, match="connections="):
            mail.send_each(letters(3), connections=0)

    assert server.connections == []


def test_other_handlers() -> None:
    """A handler that has no connections uses one."""
    app, mail = app_for(None, handler="memory")

    with app.app_context(), mail.capture() as outbox:
        reports = [*mail.send_each(letters(5), connections=5)]

    assert [report.ok for report in reports] == [True] * 5
    assert [message.subject for message in outbox] == ["1", "2", "3", "4", "5"]


def test_failures(scripted: Scripted) -> None:
    """A failure is in the report of its message, and the other messages are sent."""
    server = scripted(
        on={
            "RCPT TO:<r2@": "550 5.1.1 no",
            "RCPT TO:<r3@": "450 4.2.0 later",
            "RCPT TO:<r4@": "421 4.3.2 bye",
        }
    )

    reports = send(smtp(server), letters(8), 2)

    assert "".join(states(report)[0][0] for report in reports) == "arddaaaa"
    assert sorted(subjects(server)) == ["1", "5", "6", "7", "8"]


def test_one_break(scripted: Scripted) -> None:
    """A connection that breaks at the end of data makes one message unknown, and no other."""
    server = scripted(extensions=["PIPELINING"], on={"end of data": ["250 ok", DROP]})

    reports = send(smtp(server), letters(8), 2)

    assert Counter(states(report)[0] for report in reports) == {ACCEPTED: 7, UNKNOWN: 1}
    assert len(server.accepted) == 7


def test_no_session(scripted: Scripted, no_leaks: None) -> None:
    """Without a session, every message is deferred with its own error."""
    server = scripted(users={"ann": "other"})
    handler = smtp(server, username="ann", password="secret")

    reports = send(handler, letters(9), 2)

    assert [states(report) for report in reports] == [[DEFERRED]] * 9
    assert all(isinstance(report.error, LoginError) for report in reports)
    assert all(report.error and report.error.report is report for report in reports)
    assert len(server.connections) <= 2


def test_crowded(scripted: Scripted) -> None:
    """A server that accepts fewer connections gets all messages over those."""
    hold = Hold()
    server = scripted(
        on={"greeting": ["220 hi", "421 4.7.0 too many"], "end of data": [hold]},
    )
    handler = smtp(server, pool_size=2)

    call = Call(lambda: send(handler, letters(9), 2))
    hold.reached()
    hold.let_go()

    assert [report.ok for report in call.result()] == [True] * 9
    assert sorted(subjects(server)) == [str(each) for each in range(1, 10)]


def test_withheld(scripted: Scripted) -> None:
    """A message without a recipient, or that was stopped, is reported in its order, and no
    other message waits for it."""
    server = scripted(extensions=["PIPELINING"], on={"end of data": Delay(0.02, "250 ok")})
    handler = smtp(server, allow_to=["r1@example.com", "r2@example.com", "r8@example.com"])

    reports = send(handler, letters(9), 2)

    assert "".join(states(report)[0][0] for report in reports) == "aarrrrrar"
    assert len(server.accepted) == 3


@pytest.mark.parametrize("number", range(6))
def test_a_list_that_raises(scripted: Scripted, number: int, no_leaks: None) -> None:
    """A message that cannot be sent as it is raises after the reports of those before it."""
    server = scripted(on={"end of data": Delay(0.01, "250 ok")})
    handler = smtp(server)
    nobody = letter().replace(to=[])
    reports: list[Report] = []

    with pytest.raises(MessageError, match="no recipient"):
        reports.extend(sending(handler, [*letters(number), nobody, *letters(3)], 2))
    handler.close()

    assert [report.ok for report in reports] == [True] * number
    assert len(server.accepted) == number


def test_a_handler_that_raises(scripted: Scripted, tmp_path: Path, no_leaks: None) -> None:
    """An error that is not a DeliveryError is raised where the reports are iterated."""
    server = scripted()
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    handler = smtp(server, security="tls", tls_ca_file=wrong)

    with pytest.raises(ConfigurationError, match="MAIL_TLS_CA_FILE"):
        send(handler, letters(9), 2)

    assert state(handler) == "0 idle, 0 in use, 0 waiting"


def waits_for_workers() -> bool:
    """Whether a thread waits for the threads that deliver."""
    for frame in sys._current_frames().values():
        caller: types.FrameType | None = frame
        while caller is not None:
            if caller.f_code is _Worker.join.__code__:
                return True
            caller = caller.f_back
    return False


def test_given_up(scripted: Scripted, no_leaks: None) -> None:
    """If the caller stops iterating, only the messages that were begun are sent."""
    hold = Hold()
    server = scripted(on={"end of data": hold})
    handler = smtp(server)

    def newsletter() -> Iterator[Message]:
        yield from letters(5)
        hold.reached()
        hold.reached()
        raise KeyboardInterrupt

    call = Call(lambda: send(handler, newsletter(), 2))
    until(waits_for_workers, 60, "the end of the iteration")
    hold.let_go()
    with pytest.raises(KeyboardInterrupt):
        call.result()

    assert sorted(subjects(server)) == ["1", "2"]
    assert state(handler) == "2 idle, 0 in use, 0 waiting"
    handler.close()


def test_an_exception_of_the_caller(scripted: Scripted, no_leaks: None) -> None:
    """The same holds if the caller raises, and no thread is left."""
    server = scripted()
    handler = smtp(server)

    def newsletter() -> None:
        for report in sending(handler, letters(50), 2):
            assert report.ok
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        newsletter()
    gc.collect()
    handler.close()

    assert 1 <= len(server.accepted) <= 8


def test_signals_and_app(scripted: Scripted) -> None:
    """Signals are sent in the caller's thread, and the callable of a token finds the app."""
    found: list[tuple[str, threading.Thread]] = []

    def token() -> str:
        return current_mail.handler.default_subject

    def receiver(sender: object, message: Message, **facts: object) -> None:
        found.append((message.subject, threading.current_thread()))

    server = scripted(tokens={"ann": "token"})
    app, mail = app_for(server, username="ann", oauth_token=token, default_subject="token")
    with app.app_context(), message_sent.connected_to(receiver, app):
        assert all(report.ok for report in mail.send_each(letters(6), connections=2))

    assert found == [(str(each), threading.current_thread()) for each in range(1, 7)]
