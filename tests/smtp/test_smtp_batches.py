"""More recipients than one transaction holds: batches of one content."""

from __future__ import annotations

import typing as t

import pytest

from flask_mailhandler import DeferredError
from flask_mailhandler import LoginError
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.report import Report
from sending import ACCEPTED
from sending import codes
from sending import DEFERRED
from sending import deliver
from sending import grouped
from sending import in_groups
from sending import job
from sending import letter
from sending import REFUSED
from sending import Scripted
from sending import smtp
from sending import states
from servers import After
from servers import DROP
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import Then

if t.TYPE_CHECKING:
    from servers.connection import Connection

TO = [f"r{number}@example.com" for number in range(7)]


@pytest.fixture(params=["lock-step", "groups"])
def scripted(request: pytest.FixtureRequest, scripted: Scripted) -> Scripted:
    """Every test of this file holds in lock-step and in command groups."""
    return in_groups(scripted) if request.param == "groups" else scripted


def send(server: ScriptedServer, **options: t.Any) -> Report:
    """A message to seven."""
    (report,) = smtp(server, **options).send([letter(*TO)])
    server.settle()
    return report


def batches(server: ScriptedServer) -> list[int]:
    """How many recipients each accepted transaction had; one content for all of them."""
    assert len({accepted.content for accepted in server.accepted}) <= 1
    return [len(accepted.recipients) for accepted in server.accepted]


def verbs(server: ScriptedServer) -> str:
    """The initials of the commands: MRRD is MAIL, two RCPT, DATA; S is RSET."""
    initials = [command[0] if command != "RSET" else "S" for command in server.commands]
    return "".join(initials)


@pytest.mark.parametrize(
    ("options", "extensions", "expect"),
    [
        ({}, [], [7]),
        ({"recipients_per_message": 7}, [], [7]),
        ({"recipients_per_message": 3}, [], [3, 3, 1]),
        ({"recipients_per_message": 1}, [], [1] * 7),
        ({}, ["LIMITS RCPTMAX=4"], [4, 3]),
        ({"recipients_per_message": 2}, ["LIMITS RCPTMAX=4"], [2, 2, 2, 1]),
        ({"recipients_per_message": 6}, ["LIMITS RCPTMAX=4"], [4, 3]),
    ],
)
def test_batches(
    scripted: Scripted, options: dict[str, t.Any], extensions: list[str], expect: list[int]
) -> None:
    """PROTOCOL 19: batches follow our limit and the server's; one content, in order, on one
    connection."""
    server = scripted(extensions=extensions)

    report = send(server, **options)

    assert report.ok and report.accepted == TO
    assert batches(server) == expect
    assert [to for accepted in server.accepted for to in accepted.recipients] == TO
    assert len(server.connections) == 1


# Repeat (b)


def at_most(number: int, refusal: str) -> t.Callable[[str, Connection], str]:
    """Replies to RCPT like a server that accepts so many."""

    def answer(line: str, connection: Connection) -> str:
        opened = connection.dialogue.transaction
        return refusal if opened and len(opened.recipients) >= number else "250 ok"

    return answer


@pytest.mark.parametrize(
    "refusal",
    [
        "452 4.5.3 too many",
        "452 too many",
        "452 5.5.3 too many",
        "552 5.5.3 too many",
        "451 4.5.3 Too many recipients: Too many recipients",  # OpenSMTPD
    ],
)
def test_too_many(scripted: Scripted, refusal: str) -> None:
    """F-39, C-18, C-70, PROTOCOL 13: the accepted recipients are completed, the rest follows on the
    same connection, and their number is the batch size from then on."""
    server = scripted(on={"RCPT": at_most(3, refusal)})

    report = send(server)

    assert report.ok and report.accepted == TO
    assert batches(server) == [3, 3, 1]
    # In lock-step the others are not asked for.
    assert verbs(server) == f"EMRRRR{'RRR' if grouped(server) else ''}DMRRRDMRDQ"
    assert len(server.connections) == 1


def test_too_many_and_refused(scripted: Scripted) -> None:
    """F-39: a recipient that was refused before the limit keeps its reply."""
    server = scripted(on={"RCPT": at_most(3, "452 4.5.3 too many"), "RCPT TO:<r1@": "550 5.1.1 no"})

    report = send(server)

    assert states(report) == [ACCEPTED, REFUSED, *[ACCEPTED] * 5]
    assert batches(server) == [3, 3]


@pytest.mark.parametrize("refusal", ["452 4.5.3 too many", "452 too many", "552 5.5.3 too many"])
def test_too_many_at_once(scripted: Scripted, refusal: str) -> None:
    """F-40: if even the first recipient is too many, it is deferred: one transaction, no loop."""
    server = scripted(on={"RCPT": refusal})

    report = send(server)

    assert states(report) == [DEFERRED] * 7
    assert codes(report) == [int(refusal[:3])] * 7
    assert verbs(server).count("M") == 1
    assert grouped(server) or "D" not in verbs(server)


@pytest.mark.parametrize(
    "refusal", ["452 4.3.1 no space", "452 4.2.2 mailbox full", "451 later", "552 5.2.2 full"]
)
def test_other_limits(scripted: Scripted, refusal: str) -> None:
    """F-41, PROTOCOL 13: a 4yz that is not about the number of recipients is not repeated."""
    server = scripted(on={"RCPT": at_most(3, refusal)})

    report = send(server)

    state = DEFERRED if refusal[0] == "4" else REFUSED
    assert states(report) == [ACCEPTED] * 3 + [state] * 4
    assert verbs(server) == "EMRRRRRRRDQ"


# A batch that fails


@pytest.mark.parametrize(
    ("on", "expect"),
    [
        # F-67
        ({"MAIL": ["250 ok", "451 4.3.0 later"]}, "aaaddd"),
        ({"MAIL": ["250 ok", "421 4.3.2 bye", "421 4.3.2 bye"]}, "aaaddd"),
        ({"MAIL": ["250 ok", "550 5.7.1 no"]}, "aaarrr"),
        ({"MAIL": ["250 ok", "530 5.7.0 log in"]}, "aaaddd"),
        ({"DATA": ["354 go", "451 4.3.0 later"]}, "aaaddd"),
        ({"DATA": ["354 go", "554 5.3.0 no"]}, "aaarrr"),
        ({"DATA": ["554 5.3.0 no"]}, "rrrddd"),
        ({"DATA": ["421 4.3.0 bye"]}, "dddddd"),
        ({"end of data": ["451 4.3.0 later"]}, "dddddd"),
        ({"end of data": ["421 4.3.0 bye"]}, "dddddd"),
        ({"end of data": ["554 5.7.1 spam"]}, "rrrddd"),
        ({"end of data": [DROP]}, "uuuddd"),
        ({"end of data": [SILENCE]}, "uuuddd"),
        ({"end of data": ["354 what"]}, "uuuddd"),
        ({"end of data": ["250 ok", DROP]}, "aaauuu"),
        ({"end of data": ["250 ok", "554 5.7.1 spam"]}, "aaarrr"),
    ],
)
def test_failed_batch(
    scripted: Scripted, on: dict[str, t.Any], expect: str, impatient: None, no_leaks: None
) -> None:
    """F-67, PROTOCOL 15: after a batch that was not accepted no further one starts, and the error
    says so; the outcomes of earlier batches stay."""
    server = scripted(on=on)

    handler = smtp(server, recipients_per_message=3)
    (report,) = handler.send([letter(*TO[:6])])

    assert "".join(state[0] for state in states(report)) == expect
    assert len(server.received) <= 2
    if expect[3:] == "ddd" and expect[:3] not in ("aaa", "ddd"):
        assert "not tried, because " in report.outcomes[3].text
        assert isinstance(report.error, UnknownOutcomeError | DeferredError)
        assert expect[0] == "u" or "not tried, because an earlier batch got: 554" in str(
            report.error
        )


@pytest.mark.parametrize(
    ("reply", "about"),
    [
        ("451 4.3.0 later", "content"),
        ("554 5.6.0 spam", "content"),
        ("550 5.1.1 no such user", "content"),  # of the first batch
        ("550 5.7.1 sender not verified", "sender"),
        ("452 4.4.5 quota exceeded", "account"),
    ],
)
def test_about_the_rest(scripted: Scripted, reply: str, about: str) -> None:
    """The recipients that are not tried after a batch wait for the reason that it was refused for,
    which is never one of them."""
    server = scripted(on={"end of data": reply})

    report = send(server, recipients_per_message=4)

    assert {str(one.about) for one in report.outcomes[4:]} == {about}
    assert {one.state for one in report.outcomes[4:]} == {DEFERRED}


def test_login_wanted_for_a_batch(scripted: Scripted) -> None:
    """F-29, F-67: a batch accepted before a 530 stays accepted."""
    server = scripted(on={"MAIL": ["250 ok", "530 5.7.0 log in"]})

    report = send(server, recipients_per_message=4)

    assert states(report) == [ACCEPTED] * 4 + [DEFERRED] * 3
    assert isinstance(report.error, LoginError)
    assert report.error.report is report


def test_last_words_to_a_batch(scripted: Scripted) -> None:
    """PROTOCOL 15, 16: a refusal within the content ends the message too."""
    server = scripted(on={"content": [After(1000, Then("550 5.7.1 no", DROP))]})
    big = b"Subject: x\r\n\r\n" + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * 100_000

    (report,) = deliver(smtp(server, recipients_per_message=1), job(big, TO[:3]))
    server.settle()

    assert states(report) == [REFUSED, DEFERRED, DEFERRED]
    assert len(server.connections) == 1


@pytest.mark.parametrize("how", [DROP, RESET, "421 4.4.2 idle", "451 4.4.2 idle"])
def test_moved_batch(scripted: Scripted, how: t.Any) -> None:
    """PROTOCOL 12: a batch whose connection was lost before it moves to a new one, once for each
    batch."""
    server = scripted(on={"MAIL": ["250 ok", how, "250 ok", how]})

    report = send(server, recipients_per_message=3)

    assert report.ok
    assert batches(server) == [3, 3, 1]
    assert len(server.connections) == 3


def test_all_refused_in_a_batch(scripted: Scripted) -> None:
    """F-32, PROTOCOL 10: a batch of which all recipients are refused is ended by RSET, and the next
    follows."""
    server = scripted(on={"RCPT": ["550 5.1.1 no"] * 3})

    report = send(server, recipients_per_message=3)

    assert states(report) == [REFUSED] * 3 + [ACCEPTED] * 4
    assert verbs(server) == f"EMRRR{'D' if grouped(server) else ''}SMRRRDMRDQ"


def test_messages_per_connection_within_a_message(scripted: Scripted) -> None:
    """PROTOCOL 19: batches count as messages if the messages of a connection are limited."""
    server = scripted(extensions=["LIMITS MAILMAX=2"])

    report = send(server, recipients_per_message=2)

    assert report.ok
    assert [accepted.connection for accepted in server.accepted] == [0, 0, 1, 1]
    # By connection: QUIT is not waited for, and may be read behind the next EHLO.
    said = ["".join(line[0] for line in one.commands) for one in server.connections]
    assert said == ["EMRRDMRRDQ", "EMRRDMRDQ"]
