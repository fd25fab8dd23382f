"""A caller that stops early: messages that a server accepted are still in the log and in a
signal."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import logging
import typing as t
from collections import Counter

import pytest
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler import message_failed
from flask_mailhandler import message_sent
from flask_mailhandler.handlers.base import EmailHandler
from flask_mailhandler.handlers.parallel import _Awaited
from flask_mailhandler.phase import Phase
from flask_mailhandler.report import Report
from flask_mailhandler.smtp.stream import Stream
from pooling import app_for
from pooling import Interrupt
from sending import ACCEPTED
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import REFUSED
from sending import Scripted
from sending import states
from sending import UNKNOWN
from servers import SILENCE

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator

    from flask_mailhandler.report import Job
    from flask_mailhandler.report import Observe
    from servers import ScriptedServer
    from servers.connection import Connection


@contextlib.contextmanager
def told(app: Flask) -> Iterator[list[Report]]:
    """The reports of all signals of an app."""
    found: list[Report] = []

    def receiver(sender: Flask, *, message: object, report: Report) -> None:
        found.append(report)

    with message_sent.connected_to(receiver, app), message_failed.connected_to(receiver, app):
        yield found


def logged(caplog: pytest.LogCaptureFixture, report: Report) -> int:
    """The number of log lines about a message."""
    return sum(report.message_id in record.getMessage() for record in caplog.records)


def taken(server: ScriptedServer) -> list[str]:
    """The recipients for which the server has accepted a message."""
    server.settle()
    return [recipient for accepted in server.accepted for recipient in accepted.recipients]


def leave_by_break(reports: Iterator[Report]) -> None:
    for number, _ in enumerate(reports, 1):
        if number == 3:
            break


def leave_by_an_exception(reports: Iterator[Report]) -> None:
    with contextlib.suppress(ZeroDivisionError):
        for number, _ in enumerate(reports, 1):
            if number == 3:
                raise ZeroDivisionError


def leave_by_close(reports: Iterator[Report]) -> None:
    for _ in range(3):
        next(reports)
    t.cast("t.Generator[Report]", reports).close()


def leave_to_the_collector(reports: Iterator[Report]) -> None:
    for _ in range(3):
        next(reports)
    ring: list[t.Any] = [reports]
    ring.append(ring)


@pytest.mark.parametrize("connections", [1, 2, 4])
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
@pytest.mark.parametrize(
    "leave", [leave_by_break, leave_by_an_exception, leave_by_close, leave_to_the_collector]
)
def test_left(
    scripted: Scripted,
    caplog: pytest.LogCaptureFixture,
    leave: Callable[[Iterator[Report]], None],
    extensions: list[str],
    connections: int,
) -> None:
    """An iteration that is left: each message that the server has is reported once, in both."""
    caplog.set_level(logging.INFO)
    server = scripted(extensions=extensions)
    app, mail = app_for(server, pool_size=4)

    with app.app_context(), told(app) as found:
        leave(mail.send_each(iter(letters(50)), connections=connections))
        gc.collect()

    assert 3 <= len(found) < 50
    assert Counter(report.accepted[0] for report in found) == Counter(taken(server))
    assert [logged(caplog, report) for report in found] == [1] * len(found)


def test_left_with_failures(scripted: Scripted) -> None:
    """A message that was refused or withheld is reported with its outcome too, and a stopped one is
    not."""
    server = scripted(on={"RCPT TO:<r2@": "550 5.1.1 no"})
    app, mail = app_for(server, pool_size=2, allow_to=["r1@example.com", "r2@example.com"])
    both = letter("r2@example.com", "r3@example.com", subject="both")

    with app.app_context(), told(app) as found:
        reports = mail.send_each(iter([*letters(1), both, *letters(1)]), connections=2)
        next(reports)
        t.cast("t.Generator[Report]", reports).close()

    assert len({report.message_id for report in found}) == len(found)
    assert all(REFUSED in states(report) for report in found if not report.ok)
    assert Counter(r for report in found for r in report.accepted) == Counter(taken(server))


def interrupting(where: Callable[..., object], then: t.Any) -> tuple[Interrupt, t.Any]:
    """An action of a server that interrupts the main thread, and then replies."""
    interrupt = Interrupt(where)

    def action(line: str, connection: Connection) -> t.Any:
        interrupt()
        return then

    return interrupt, action


def one(mail: Mail) -> None:
    mail.send(letter("r1@example.com"))


def several(mail: Mail) -> None:
    mail.send(letters(3))


def each(mail: Mail) -> None:
    for _ in mail.send_each(iter(letters(3))):
        pass


@pytest.mark.parametrize("send", [one, several, each])
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"], ["PIPELINING", "CHUNKING"]])
def test_interrupted(
    scripted: Scripted,
    caplog: pytest.LogCaptureFixture,
    send: Callable[[Mail], None],
    extensions: list[str],
) -> None:
    """Ctrl-C while waiting for the reply to the end of data: earlier messages are reported, and the
    current one is reported as unknown."""
    caplog.set_level(logging.INFO)
    earlier = 0 if send is one else 1
    interrupt, action = interrupting(Stream._receive, SILENCE)
    server = scripted(extensions=extensions, on={"end of data": [*["250 ok"] * earlier, action]})
    app, mail = app_for(server, one_flight="CHUNKING" in extensions)

    with (
        app.app_context(),
        told(app) as found,
        interrupt.handled(),
        pytest.raises(KeyboardInterrupt),
    ):
        send(mail)

    assert [states(report) for report in found] == [*[[ACCEPTED]] * earlier, [UNKNOWN]]
    assert "sending was interrupted" in found[-1].outcomes[0].text
    assert [logged(caplog, report) for report in found] == [1] * len(found)


@pytest.mark.parametrize("step", ["greeting", "MAIL", "RCPT", "DATA"])
def test_interrupted_before(scripted: Scripted, step: str) -> None:
    """Ctrl-C before the end of data: no recipient has the message, and nothing is reported."""
    interrupt, action = interrupting(Stream._receive, SILENCE)
    server = scripted(on={step: [action]})
    app, mail = app_for(server)

    with (
        app.app_context(),
        told(app) as found,
        interrupt.handled(),
        pytest.raises(KeyboardInterrupt),
    ):
        one(mail)

    assert found == []


def test_interrupted_between_batches(scripted: Scripted) -> None:
    """In a message of several transactions each recipient has its own outcome."""
    interrupt, action = interrupting(Stream._receive, SILENCE)
    server = scripted(extensions=[], on={"end of data": ["250 ok", action]})
    app, mail = app_for(server, recipients_per_message=1)
    message = letter("a@example.com", "b@example.com", "c@example.com")

    with (
        app.app_context(),
        told(app) as found,
        interrupt.handled(),
        pytest.raises(KeyboardInterrupt),
    ):
        mail.send(message)

    assert [states(report) for report in found] == [[ACCEPTED, UNKNOWN, DEFERRED]]


def test_interrupted_with_several_connections(scripted: Scripted) -> None:
    """Ctrl-C while several connections are in use: the current messages are finished and
    reported."""
    interrupt, action = interrupting(_Awaited.look, "250 ok")
    server = scripted(on={"end of data": ["250 ok", action]})
    app, mail = app_for(server, pool_size=2)

    with (
        app.app_context(),
        told(app) as found,
        interrupt.handled(),
        pytest.raises(KeyboardInterrupt),
    ):
        [*mail.send_each(iter(letters(30)), connections=2)]

    assert Counter(report.accepted[0] for report in found) == Counter(taken(server))
    assert len(found) >= 2


def test_a_receiver_that_is_interrupted(scripted: Scripted) -> None:
    """Ctrl-C in a receiver of one signal: the other messages are reported too."""
    server = scripted()
    app, mail = app_for(server)

    def receiver(sender: Flask, *, message: object, report: Report) -> None:
        if report.accepted == ["r1@example.com"]:
            raise KeyboardInterrupt

    with (
        app.app_context(),
        message_sent.connected_to(receiver, app),
        told(app) as found,
        pytest.raises(KeyboardInterrupt),
    ):
        mail.send(letters(3))

    assert [report.accepted[0] for report in found][-2:] == ["r2@example.com", "r3@example.com"]


class Stopping(EmailHandler):
    """A third-party handler that is stopped at a phase of its second message."""

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        from flask_mailhandler.handlers.base import accept

        for number, job in enumerate(jobs):
            observe(Phase.MAIL, job)
            if number and "early" in job.envelope.recipients[0]:
                raise SystemExit
            observe(Phase.END_OF_DATA, job)
            if number:
                raise SystemExit
            observe(Phase.DONE, job)
            yield accept(job)


@pytest.mark.parametrize(
    ("second", "expect"),
    [("late@example.com", [[ACCEPTED], [UNKNOWN]]), ("early@example.com", [[ACCEPTED]])],
)
@pytest.mark.parametrize("lazily", [True, False])
def test_other_handlers(second: str, expect: list[t.Any], lazily: bool) -> None:
    """A message whose end of data a custom handler has announced and not reported is unknown."""
    app, mail = app_for(None, handler=Stopping)
    messages = [letter("r1@example.com"), letter(second)]

    with app.app_context(), told(app) as found, pytest.raises(SystemExit):
        [*mail.send_each(messages)] if lazily else mail.send(messages)

    assert [states(report) for report in found] == expect


class Sharing(EmailHandler):
    """A third-party handler that sends several messages at once, or one recipient after the other,
    and is stopped when it has announced so many ends of data."""

    stops_at: t.ClassVar[int] = 0
    reports_after: t.ClassVar[int] = 0

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        from flask_mailhandler.handlers.base import accept

        ended = 0
        every = [*jobs]
        for job in every:
            for recipient in job.envelope.recipients:
                one = dataclasses.replace(job, envelope=job.envelope.to([recipient]))
                observe(Phase.END_OF_DATA, one)
                ended += 1
                if ended == self.stops_at:
                    raise SystemExit
                observe(Phase.DONE, one)
        yield from map(accept, every[: self.reports_after])
        raise SystemExit


@pytest.mark.parametrize(
    ("stops_at", "reports_after", "expect"),
    [
        (1, 0, [[UNKNOWN, DEFERRED]]),
        (2, 0, [[UNKNOWN, UNKNOWN]]),
        (3, 0, [[UNKNOWN, UNKNOWN], [UNKNOWN]]),
        (9, 0, [[UNKNOWN, UNKNOWN], [UNKNOWN], [UNKNOWN]]),
        (9, 1, [[ACCEPTED, ACCEPTED], [UNKNOWN], [UNKNOWN]]),
        (9, 3, [[ACCEPTED, ACCEPTED], [ACCEPTED], [ACCEPTED]]),
    ],
)
def test_other_handlers_that_share_a_request(
    monkeypatch: pytest.MonkeyPatch, stops_at: int, reports_after: int, expect: list[t.Any]
) -> None:
    """No recipient whose end of data was announced is reported deferred, or left out: one announced
    before others may have the message too."""
    monkeypatch.setattr(Sharing, "stops_at", stops_at)
    monkeypatch.setattr(Sharing, "reports_after", reports_after)
    app, mail = app_for(None, handler=Sharing)
    messages = [letter("1@example.com", "2@example.com"), *letters(2)]

    with app.app_context(), told(app) as found, pytest.raises(SystemExit):
        mail.send(messages)

    assert [states(report) for report in found] == expect
