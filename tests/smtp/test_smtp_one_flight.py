"""MAIL_ONE_FLIGHT: envelope and content in one write, to your own relay (PROTOCOL 4)."""

from __future__ import annotations

import math
import typing as t

import pytest

from flask_mailhandler import Message
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from flask_mailhandler.phase import Phase
from flask_mailhandler.report import Report
from flask_mailhandler.smtp import session
from sending import ACCEPTED
from sending import DEFERRED
from sending import job
from sending import letter
from sending import REFUSED
from sending import Scripted
from sending import smtp
from sending import states
from sending import UNKNOWN
from servers import DROP
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import Then
from servers.actions import Taken

if t.TYPE_CHECKING:
    from pooling import Clock

FRESH = session._FRESH
ANN, BOB = "ann@example.com", "bob@example.com"
OFFER = ["PIPELINING", "CHUNKING", "8BITMIME", "SIZE 1000000"]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No reply is too old, however slow the machine."""
    monkeypatch.setattr("flask_mailhandler.smtp.session._FRESH", math.inf)


def warm(server: ScriptedServer, **options: t.Any) -> SMTPEmailHandler:
    """A handler that has seen that the server knows BDAT."""
    handler = smtp(server, one_flight=True, **options)
    handler.send([letter()])
    return handler


def verbs(server: ScriptedServer) -> str:
    return " ".join(command.split(" ")[0] for command in server.commands)


def flights(server: ScriptedServer, handler: SMTPEmailHandler, *to: str, **fields: t.Any) -> int:
    """Round trips of one message on the first connection."""
    before = server.connections[0].flights
    handler.send([letter(*to, **fields)])
    return server.connections[0].flights - before


def test_one_flight(scripted: Scripted) -> None:
    """PROTOCOL 4, C-62 ... C-65: the first message takes two flights, and each one after it one."""
    server = scripted(extensions=OFFER)
    handler = warm(server)

    assert flights(server, handler, ANN, text=".dot\n") == 1
    assert flights(server, handler, ANN, BOB) == 1
    assert verbs(server) == "EHLO MAIL RCPT BDAT MAIL RCPT BDAT MAIL RCPT RCPT BDAT"
    assert server.accepted[1].content.endswith(b"\r\n\r\n.dot\r\n")
    assert server.connections[0].flights == 1 + 2 + 1 + 1


@pytest.mark.parametrize(
    ("extensions", "options", "text"),
    [
        (["CHUNKING"], {}, "Hello.\n"),
        (["PIPELINING"], {}, "Hello.\n"),
        (OFFER, {"one_flight": False}, "Hello.\n"),
        (OFFER, {}, "Large\n" * 1000),
    ],
)
def test_not_for_everybody(
    scripted: Scripted, extensions: list[str], options: dict[str, t.Any], text: str
) -> None:
    """PROTOCOL 4: only with PIPELINING and CHUNKING, and only up to 4,096 octets; else DATA."""
    server = scripted(extensions=extensions)
    handler = smtp(server, **({"one_flight": True} | options))

    for _ in range(2):
        handler.send([letter(text=text)])

    assert "BDAT" not in verbs(server)
    assert len(server.accepted) == 2


@pytest.mark.parametrize("number", [100, 101, 102, 103, 104, 120, 150])
def test_more_recipients_than_a_group_holds(scripted: Scripted, number: int) -> None:
    """The content follows the command that announces it, however many recipients a small message
    has: elsewhere it would be read as commands."""
    server = scripted(extensions=OFFER)
    handler = warm(server)
    to = [f"{count}@b.example" for count in range(number)]
    text = "RSET\nMAIL FROM:<eve@example.com>\nRCPT TO:<ann@example.com>\nDATA\nHello.\n"
    message = Message(subject="Hi", text=text, from_addr="a@example.com", bcc=to)

    (report,) = handler.send([message])

    assert states(report) == [ACCEPTED] * number
    assert [accepted.recipients for accepted in server.accepted[1:]] == [tuple(to)]
    last = "BDAT" if number <= 101 else "DATA"
    assert verbs(server) == "EHLO MAIL RCPT BDAT MAIL " + "RCPT " * number + last


def test_two_flights_after_a_refusal(scripted: Scripted) -> None:
    """PROTOCOL 4: after a 4yz or 5yz messages take two flights, until one is accepted again."""
    server = scripted(extensions=OFFER, on={"RCPT TO:<bob": "550 5.1.1 no"})
    handler = warm(server)

    assert flights(server, handler, ANN, BOB) == 1
    assert flights(server, handler, ANN) == 2
    assert flights(server, handler, ANN) == 1


def test_two_flights_after_a_pause(
    scripted: Scripted, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PROTOCOL 4: a message takes two flights if the last reply is more than 2 s old."""
    server = scripted(extensions=OFFER)
    handler = warm(server)
    monkeypatch.setattr("flask_mailhandler.smtp.session._FRESH", FRESH)

    clock.passed = 1.9
    assert flights(server, handler) == 1
    clock.passed = 4.1
    assert flights(server, handler) == 2


@pytest.mark.parametrize(
    ("on", "expect"),
    [
        ({"MAIL": ["250 ok", "550 5.7.1 no"]}, REFUSED),
        ({"MAIL": ["250 ok", "421 4.4.2 idle"]}, DEFERRED),
        ({"RCPT": ["250 ok", "550 5.1.1 no"]}, REFUSED),
        ({"RCPT": ["250 ok", "450 4.2.1 later"]}, DEFERRED),
        ({"end of data": ["250 ok", "451 4.3.0 later"]}, DEFERRED),
        ({"end of data": ["250 ok", "554 5.7.1 spam"]}, REFUSED),
        ({"end of data": ["250 ok", "421 4.3.0 bye"]}, DEFERRED),
        ({"end of data": ["250 ok", DROP]}, UNKNOWN),
        ({"end of data": ["250 ok", RESET]}, UNKNOWN),
        ({"end of data": ["250 ok", SILENCE]}, UNKNOWN),
        ({"end of data": ["250 ok", Then(b"25", DROP)]}, UNKNOWN),
        ({"end of data": ["250 ok", b"250 a\r\n250 b\r\n"]}, UNKNOWN),
        ({"MAIL": ["250 ok", DROP]}, UNKNOWN),
        ({"RCPT": ["250 ok", RESET]}, UNKNOWN),
        ({"RCPT": ["250 ok", "354 what"]}, UNKNOWN),
    ],
)
def test_what_becomes_of_it(
    scripted: Scripted, on: dict[str, t.Any], expect: str, impatient: None, no_leaks: None
) -> None:
    """F-65, PROTOCOL 4: a reply settles it; without one it is unknown from the first octet on, and
    is never repeated."""
    server = scripted(extensions=OFFER, on=on)
    handler = warm(server)

    (report,) = handler.send([letter(ANN)])
    (after,) = handler.send([letter(BOB)])
    server.settle()

    assert states(report) == [expect]
    assert after.ok
    assert [accepted.recipients for accepted in server.accepted].count((ANN,)) <= 1


@pytest.mark.parametrize(
    "refused", [{"MAIL": ["250 ok", "550 no"]}, {"RCPT": ["250 ok", "550 no"]}]
)
def test_closed_after_a_refusal(scripted: Scripted, refused: dict[str, t.Any]) -> None:
    """PROTOCOL 4: if a content without recipients followed, the connection is closed after the
    replies."""
    server = scripted(extensions=OFFER, on=refused)
    handler = warm(server)

    handler.send([letter(ANN)])
    server.settle()

    assert server.connections[0].left


@pytest.mark.parametrize("code", [500, 502, 503, 504])
@pytest.mark.parametrize("place", [0, 1])
def test_bdat_is_not_known(scripted: Scripted, code: int, place: int) -> None:
    """F-65, PROTOCOL 14, repeat (c): BDAT is refused: DATA on a new connection, and from now on."""
    replies = [*["250 ok"] * place, f"{code} 5.5.1 what"]
    server = scripted(extensions=OFFER, on={"BDAT": replies})
    handler = smtp(server, one_flight=True)

    reports: list[Report] = []
    for _ in range(4):
        reports += handler.send([letter(ANN)])
    server.settle()

    assert [report.ok for report in reports] == [True] * 4
    assert len(server.accepted) == 4
    assert verbs(server).count("BDAT") == place + 1
    assert len(server.connections) == 2


@pytest.mark.parametrize("flights", [1, 2])
def test_cannot_be_written(scripted: Scripted, flights: int, no_leaks: None) -> None:
    """PROTOCOL 16: a content that the kernel did not fully take cannot have arrived: deferred."""
    server = scripted(extensions=OFFER)
    handler = warm(server) if flights == 1 else smtp(server, one_flight=True)

    def observe(phase: Phase, job: object) -> None:
        if phase is Phase.END_OF_DATA:
            assert server.connections[0].do(RESET)

    (report,) = handler.send([letter(ANN)], observe=observe)

    assert states(report) == [DEFERRED]
    assert ("BDAT" in verbs(server)) is (flights == 1)


def test_part_of_the_recipients(scripted: Scripted) -> None:
    """PROTOCOL 4, 7: 250 to BDAT accepts the recipients that were answered 25z."""
    server = scripted(extensions=OFFER, on={"RCPT TO:<bob": "550 5.1.1 no"})

    (report,) = warm(server).send([letter(ANN, BOB)])

    assert states(report) == [ACCEPTED, REFUSED]


@pytest.mark.parametrize(
    ("then", "expect"),
    [("250 ok", ACCEPTED), ("554 5.7.1 spam", REFUSED), (DROP, DEFERRED), (SILENCE, DEFERRED)],
)
def test_421_to_a_recipient(
    scripted: Scripted, then: t.Any, expect: str, impatient: None, no_leaks: None
) -> None:
    """F-36, PROTOCOL 9: all expected replies are read, because the last may accept the message for
    the others; without it, the server was closing before it accepted anything."""
    server = scripted(
        extensions=OFFER, on={"RCPT TO:<bob": "421 4.3.2 bye", "end of data": ["250 ok", then]}
    )

    handler = warm(server)

    (report,) = handler.send([letter(ANN, BOB)])
    (after,) = handler.send([letter()])
    server.breaches[:] = [breach for breach in server.breaches if "421" not in breach]

    assert states(report) == [expect, DEFERRED]
    assert after.ok
    assert server.accepted[-1].connection == 1
    assert len(server.connections) == 2


@pytest.mark.parametrize("then", [DROP, SILENCE])
def test_a_server_that_goes_on_after_421(
    scripted: Scripted, then: t.Any, impatient: None, no_leaks: None
) -> None:
    """If a reply follows the 421, the server was not closing, and may have the content."""
    server = scripted(
        extensions=OFFER,
        on={"RCPT TO:<bob": "421 4.3.2 bye", "end of data": ["250 ok", Taken(then)]},
    )

    (report,) = warm(server).send([letter(ANN, BOB, "carl@example.com")])
    server.breaches[:] = [breach for breach in server.breaches if "421" not in breach]

    assert states(report) == [UNKNOWN, DEFERRED, UNKNOWN]


@pytest.mark.parametrize("step", ["MAIL", "RCPT TO:<bob", "end of data"])
def test_a_goodbye_behind_the_content(scripted: Scripted, step: str, no_leaks: None) -> None:
    """After the content has been sent, 221 does not mean that it was not accepted."""
    usual = ["250 ok"] if step != "RCPT TO:<bob" else []
    server = scripted(extensions=OFFER, on={step: [*usual, "221 2.0.0 bye"]})

    (report,) = warm(server).send([letter(ANN, BOB)])
    server.breaches.clear()  # the content went with commands that were not answered 25z

    assert states(report) == [UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("said", ["221 2.0.0 bye", "220 what", "354 more", "299 what"])
def test_what_is_no_reply_to_a_chunk(scripted: Scripted, said: str) -> None:
    """In two flights the chunk is the end of data too: neither 25z, 4yz nor 5yz is unknown."""
    server = scripted(extensions=OFFER, on={"end of data": said})

    (report,) = smtp(server, one_flight=True).send([letter()])

    assert states(report) == [UNKNOWN]


def test_unknown_are_those_without_a_reply(scripted: Scripted) -> None:
    """PROTOCOL 4, 7: a recipient refused before the connection broke stays refused."""
    server = scripted(
        extensions=OFFER, on={"RCPT TO:<bob": "550 5.1.1 no", "end of data": ["250 ok", DROP]}
    )

    (report,) = warm(server).send([letter(BOB, ANN)])

    assert states(report) == [REFUSED, UNKNOWN]


def test_phase(scripted: Scripted) -> None:
    """PROTOCOL 4: the phase is end of data before the first octet is written."""
    server = scripted(extensions=OFFER)
    handler = warm(server)
    seen: list[tuple[Phase, int]] = []

    [*handler.deliver([job()], lambda phase, job: seen.append((phase, len(server.commands))))]

    assert [phase for phase, _ in seen] == [Phase.END_OF_DATA, Phase.DONE]
    assert seen[0][1] == 4


def test_list_without_chunking(scripted: Scripted) -> None:
    """PROTOCOL 2: without CHUNKING a list overlaps, as without the option."""
    server = scripted(extensions=["PIPELINING"])
    handler = smtp(server, one_flight=True)

    reports = handler.send([letter() for _ in range(10)])
    server.settle()

    assert all(report.ok for report in reports)
    assert server.connections[0].flights == 1 + 1 + 10 + 1


@pytest.mark.parametrize("action", [DROP, RESET, "421 4.4.2 idle"])
def test_closed_meanwhile(scripted: Scripted, action: t.Any) -> None:
    """F-71, F-72, PROTOCOL 4, 18: a connection that the server closes while the caller handles a
    report is noticed before the flight, and the message is sent over another."""
    server = scripted(extensions=OFFER)
    reports = smtp(server, one_flight=True).deliver([job()] * 3, lambda phase, job: None)

    before = [next(reports), next(reports)]
    assert server.connections[0].do(action)
    last = next(reports)

    assert [states(report) for report in [*before, last]] == [[ACCEPTED]] * 3
    assert [accepted.connection for accepted in server.accepted] == [0, 0, 1]


def test_list(scripted: Scripted) -> None:
    """PROTOCOL 4: in a list, too, each message is one flight."""
    server = scripted(extensions=OFFER)
    handler = smtp(server, one_flight=True)

    reports = handler.send([letter() for _ in range(10)])
    server.settle()

    assert all(report.ok for report in reports)
    assert server.connections[0].flights == 1 + 2 + 9 + 1
