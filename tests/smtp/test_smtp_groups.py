"""Command groups (RFC 2920) and overlap: the number of round trips, and the outcomes when a group
goes wrong."""

from __future__ import annotations

import contextlib
import itertools
import socket
import typing as t

import pytest

from flask_mailhandler import Address
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.net.tcp import create_connection
from flask_mailhandler.phase import Phase
from flask_mailhandler.phase import State
from flask_mailhandler.report import Job
from flask_mailhandler.smtp.delivery import Delivery
from flask_mailhandler.smtp.dialogue import Dialogue
from flask_mailhandler.smtp.states import TransactionState
from flask_mailhandler.smtp.stream import Stream
from flask_mailhandler.smtp.stream import TimedOutError
from flask_mailhandler.smtp.transaction import Transaction
from pooling import Hold
from sending import ACCEPTED
from sending import became
from sending import codes
from sending import deliver
from sending import in_groups
from sending import job
from sending import letter
from sending import REFUSED
from sending import Scripted
from sending import smtp
from sending import states
from servers import DROP
from servers import RESET
from servers import SILENCE
from servers import Then

ANN, BOB, CID = "ann@example.com", "bob@example.com", "cid@example.com"


@pytest.fixture
def scripted(scripted: Scripted) -> Scripted:
    """Servers that offer PIPELINING."""
    return in_groups(scripted)


# Round trips


def test_one_after_the_other(scripted: Scripted) -> None:
    """PROTOCOL 1: a message on a reused connection takes two flights."""
    server = scripted()
    handler = smtp(server)
    handler.send([letter()])
    before = server.connections[0].flights

    handler.send([letter(ANN, BOB, CID)])

    assert server.connections[0].flights == before + 2


def test_list(scripted: Scripted) -> None:
    """PROTOCOL 2: in a list each message costs one round trip; EHLO, the last end of data and QUIT
    are the others."""
    server = scripted()

    assert became(server, 20) == "a" * 20
    assert server.connections[0].flights == 1 + 1 + 20 + 1


def test_the_same_people(scripted: Scripted) -> None:
    """Each message of a list is one transaction, also if its recipients got the previous one."""
    server = scripted()

    smtp(server).send([letter(ANN, BOB), letter(BOB, CID), letter(ANN, BOB)])

    assert [accepted.recipients for accepted in server.accepted] == [
        (ANN, BOB),
        (BOB, CID),
        (ANN, BOB),
    ]


def test_batches(scripted: Scripted) -> None:
    """PROTOCOL 2, 5: each batch of 100 recipients also costs one round trip."""
    server = scripted()
    to = [f"r{number}@example.com" for number in range(1000)]

    (report,) = smtp(server, recipients_per_message=100).send([letter(*to)])
    server.settle()

    assert report.accepted == to
    assert [len(accepted.recipients) for accepted in server.accepted] == [100] * 10
    assert server.connections[0].flights == 1 + 1 + 10 + 1


def test_only_what_is_there(scripted: Scripted) -> None:
    """PROTOCOL 2: sending does not wait for a message that is not yet made with half a content
    sent: each is reported before the next is drawn."""
    server = scripted()
    handler = smtp(server)
    seen: list[int] = []

    def drawn() -> t.Iterator[Job]:
        for _ in range(3):
            seen.append(len(server.accepted))
            yield job()

    reports = [*handler.deliver(drawn(), lambda phase, job: None)]

    assert [report.ok for report in reports] == [True] * 3
    assert seen == [0, 1, 2]


def test_phases(scripted: Scripted) -> None:
    """Each phase is reported before it begins, also if two messages share a write."""
    first, second = job(to=[ANN]), job(to=[BOB])
    seen: list[tuple[str, Phase]] = []

    [
        *smtp(scripted()).deliver(
            [first, second], lambda phase, job: seen.append((job.envelope.recipients[0], phase))
        )
    ]

    sending = [Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.CONTENT, Phase.END_OF_DATA, Phase.DONE]
    assert [phase for to, phase in seen if to == ANN and phase in sending] == sending
    assert [phase for to, phase in seen if to == BOB] == sending
    assert seen.index((BOB, Phase.MAIL)) == seen.index((ANN, Phase.END_OF_DATA)) + 1


def test_phases_of_batches(scripted: Scripted) -> None:
    """F-100: the end of data is reported for the recipients that the batch may reach, and for no
    others."""
    server = scripted(on={"RCPT TO:<bob": "550 5.1.1 no"})
    seen: list[list[str]] = []

    def observe(phase: Phase, job: Job) -> None:
        if phase is Phase.END_OF_DATA:
            seen.append([*job.envelope.recipients])

    [*smtp(server, recipients_per_message=2).deliver([job(to=[ANN, BOB, CID])], observe)]

    assert seen == [[ANN], [CID]]


# Groups that are refused


@pytest.mark.parametrize(
    ("on", "expect"),
    [
        # F-59: the replies behind the refusal of MAIL are read, and do not count.
        ({"MAIL": ["550 5.7.1 no"]}, "rrr"),
        ({"MAIL": ["451 4.3.0 later"]}, "ddd"),
        ({"RCPT": ["550 5.1.1 no", "451 4.2.1 later", "550 5.1.1 no"]}, "rdr"),
        # F-60
        ({"DATA": ["451 4.3.0 later"]}, "ddd"),
        ({"DATA": ["554 5.3.0 no"]}, "rrr"),
        ({"RCPT": ["550 5.1.1 no"], "DATA": ["554 5.3.0 no"]}, "rrr"),
    ],
)
def test_refused(scripted: Scripted, on: dict[str, t.Any], expect: str) -> None:
    """F-59, F-60, PROTOCOL 7, 10: the first cause wins; the connection is kept, and the next group
    begins with RSET."""
    server = scripted(on=on)
    handler = smtp(server)

    (first,) = handler.send([letter(ANN, BOB, CID)])
    (second,) = handler.send([letter(ANN)])
    server.settle()

    assert "".join(state[0] for state in states(first)) == expect
    assert second.ok
    assert len(server.connections) == 1
    assert "RSET" in server.commands


def test_lone_dot(scripted: Scripted) -> None:
    """C-59, PROTOCOL 8: 354 although every recipient was refused: a lone dot is sent, and its reply
    does not count."""
    server = scripted(on={"RCPT": ["550 5.1.1 no"] * 2, "DATA": ["354 go"]})
    handler = smtp(server)

    (first,) = handler.send([letter(ANN, BOB)])
    (second,) = handler.send([letter(CID)])
    server.settle()

    assert states(first) == [REFUSED] * 2
    assert codes(first) == [550] * 2
    assert second.ok
    assert len(server.connections) == 1
    assert "RSET" not in server.commands


def test_no_dot_under_a_refused_sender(scripted: Scripted) -> None:
    """F-59, PROTOCOL 8: 354 after a refused MAIL: the connection is closed, because an empty
    message would be accepted."""
    server = scripted(on={"MAIL": ["550 5.7.1 no"], "RCPT": ["250 ok"], "DATA": ["354 go"]})

    (report,) = smtp(server).send([letter(ANN)])
    server.settle()

    assert states(report) == [REFUSED]
    assert codes(report) == [550]
    assert server.connections[0].left
    assert server.received == []


@pytest.mark.parametrize("said", ["421 4.3.2 bye", DROP, RESET, Then("503 5.5.1 what", DROP)])
def test_cut_while_it_does_not_matter(scripted: Scripted, said: t.Any, no_leaks: None) -> None:
    """PROTOCOL 7: the connection ends among replies that are ignored: the outcomes so far stay."""
    server = scripted(on={"MAIL": ["550 5.7.1 no"], "RCPT": [said]})

    (report,) = smtp(server).send([letter(ANN, BOB)])

    assert states(report) == [REFUSED] * 2
    assert codes(report) == [550] * 2


def test_login_wanted(scripted: Scripted) -> None:
    """F-29: 530 to MAIL in a group: the session fails, and with it the other messages of the
    list."""
    server = scripted(on={"MAIL": "530 5.7.0 log in"})

    assert became(server, 3) == "ddd"
    (connection,) = server.connections
    assert connection.closed_by == "QUIT"


def test_many_recipients(scripted: Scripted) -> None:
    """F-63, C-60, PROTOCOL 5: 5,000 recipients in one transaction, never more than 103 replies
    outstanding."""
    server = scripted()
    to = [f"r{number}@example.com" for number in range(5000)]

    (report,) = deliver(smtp(server), job(to=to))
    server.settle()

    assert report.accepted == to
    assert [accepted.recipients for accepted in server.accepted] == [tuple(to)]
    assert server.connections[0].flights == 1 + 49 + 1 + 1


# Overlap that breaks


@pytest.mark.parametrize(
    ("on", "expect", "connections"),
    [
        ({"end of data": ["451 4.3.0 later"]}, "daaa", 1),
        ({"end of data": ["554 5.7.1 spam"]}, "raaa", 1),
        # The second was not taken, and goes on a fresh connection at once.
        ({"end of data": ["421 4.3.2 bye"]}, "daaa", 2),
        ({"end of data": [Then("421 4.3.2 bye", DROP)]}, "daaa", 2),
        ({"end of data": [DROP]}, "uaaa", 2),
        ({"end of data": [RESET]}, "uaaa", 2),
        ({"end of data": [Then(b"25", DROP)]}, "uaaa", 2),
        ({"end of data": ["354 what"]}, "uaaa", 2),
        ({"end of data": ["250 ok", DROP]}, "auaa", 2),
        # A time-out is not repeated.
        ({"end of data": [SILENCE]}, "udaa", 2),
        # The second has its own replies.
        ({"MAIL": ["250 ok", "550 5.7.1 no"]}, "araa", 1),
        ({"MAIL": ["250 ok", "550 5.7.1 no"], "DATA": ["354 go", "354 go"]}, "araa", 2),
        ({"RCPT": ["250 ok", "450 4.2.0 later"]}, "adaa", 1),
        ({"RCPT": ["250 ok", "550 no"], "DATA": ["354 go", "354 go"]}, "araa", 1),
        ({"DATA": ["354 go", "451 4.3.0 later"]}, "adaa", 1),
        ({"DATA": ["354 go", SILENCE]}, "adaa", 2),
        ({"RCPT": ["250 ok", DROP]}, "aaaa", 2),
    ],
)
def test_overlap(
    scripted: Scripted,
    on: dict[str, t.Any],
    expect: str,
    connections: int,
    impatient: None,
    no_leaks: None,
) -> None:
    """F-52, F-53, F-54, F-66, PROTOCOL 2: the reply to the end of data settles the first message;
    the second is independent, and is repeated once if the connection was lost."""
    server = scripted(on=on)

    assert became(server, 4) == expect
    assert len(server.connections) == connections


@pytest.mark.parametrize(
    ("said", "expect"),
    [
        ("451 4.3.0 later", "dd"),
        ("554 5.7.1 spam", "rd"),
        ("421 4.3.2 bye", "dd"),
        (DROP, "ud"),
        (SILENCE, "ud"),
    ],
)
def test_overlapping_batches(
    scripted: Scripted, said: t.Any, expect: str, impatient: None, no_leaks: None
) -> None:
    """PROTOCOL 15: the envelope of the next batch is already sent; it gets no content, not even an
    empty one, and the connection is closed."""
    server = scripted(on={"end of data": [said]})

    handler = smtp(server, recipients_per_message=1)
    (report,) = handler.send([letter(ANN, BOB)])
    server.settle()

    assert "".join(state[0] for state in states(report)) == expect
    assert len(server.received) == 1
    assert server.connections[0].closed_by != "QUIT"
    if expect[0] == "u":
        assert isinstance(report.error, UnknownOutcomeError)


@pytest.mark.parametrize("said", ["451 4.3.0 later", "554 5.7.1 spam"])
def test_an_envelope_that_is_left(scripted: Scripted, said: str) -> None:
    """PROTOCOL 15: after a batch that is sent and gets no content, the next message is sent over
    another connection: in the old envelope it would reach other recipients."""
    server = scripted(on={"end of data": [said]})

    first, second = smtp(server, recipients_per_message=1).send([letter(ANN, BOB), letter(CID)])

    assert not first.accepted
    assert second.ok
    assert [(taken.recipients, taken.connection) for taken in server.accepted] == [((CID,), 1)]


@pytest.mark.parametrize(
    ("said", "expect"), [(b"554 5.7.1 spam\r\n", REFUSED), (b"250 ok\r\n", ACCEPTED), (b"", None)]
)
def test_written_in_part(
    said: bytes, expect: State | None, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    """PROTOCOL 16: the end of data is written, and the envelope after it is not: a reply that has
    arrived counts, and without one the outcome is unknown."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deadline = Deadline(60)
        sock = create_connection("127.0.0.1", listener.getsockname()[1], deadline)
        stream = Stream(sock, deadline)
        theirs, _ = listener.accept()
    with theirs:
        dialogue = Dialogue(stream, pipelining=True)
        delivery = Delivery(job(to=[ANN]), 5)
        transaction = Transaction(
            dialogue,
            SMTPEmailHandler().server,
            delivery,
            [Address(ANN)],
            lambda phase, job: None,
        )
        transaction.accepted.append(Address(ANN))
        theirs.sendall(said)
        # The first write is in time, whenever it is; it is the kernel that takes no more.
        times = itertools.chain([60.0], itertools.repeat(0.3))
        monkeypatch.setattr(stream, "_left", lambda: next(times))

        class Following:
            def start(self, *last: str) -> None:
                # More than the kernel holds of what is not read.
                dialogue.queue(["RCPT TO:<" + "r" * 200_000 + ">"] * 100)

        with contextlib.ExitStack() as stack:
            if expect is None:
                stack.enter_context(pytest.raises(TimedOutError))
            transaction.end_of_data(t.cast("t.Any", Following()))
        usable = dialogue.open
        dialogue.close()

    doubtful = expect is None
    assert transaction.state is (TransactionState.IN_DOUBT if doubtful else TransactionState.ENDED)
    assert not usable
    assert [outcome.state for outcome in delivery.outcomes.values()] == [expect] * bool(expect)


def test_too_many_in_an_overlap(scripted: Scripted) -> None:
    """F-39, PROTOCOL 13: the rest of a transaction that was too large overlaps, too."""
    server = scripted(on={"RCPT": ["250 ok", "452 4.5.3 too many", "452 4.5.3 too many"]})

    (report,) = smtp(server).send([letter(ANN, BOB, CID)])

    assert states(report) == [ACCEPTED] * 3
    assert [accepted.recipients for accepted in server.accepted] == [(ANN,), (BOB,), (CID,)]


def test_last_of_a_connection(scripted: Scripted) -> None:
    """PROTOCOL 19: no transaction begins that the connection may not finish."""
    server = scripted()

    assert became(server, 5, messages_per_connection=2) == "aaaaa"
    assert [accepted.connection for accepted in server.accepted] == [0, 0, 1, 1, 2]
    assert [connection.closed_by for connection in server.connections] == ["QUIT"] * 3


def test_one_that_cannot_go(scripted: Scripted) -> None:
    """F-90: a message too large for the server is refused, and does not stop the others."""
    server = scripted(extensions=["SIZE 2000"])
    large = letter(text="x\n" * 1500)

    reports = smtp(server).send([letter(), large, letter(), large])
    server.settle()

    assert [states(report)[0] for report in reports] == [ACCEPTED, REFUSED, ACCEPTED, REFUSED]
    assert len(server.connections) == 1


def test_one_that_cannot_be_made(scripted: Scripted) -> None:
    """PROTOCOL 2: an error in making the next message, ahead of its turn, does not affect the one
    being sent."""
    server = scripted()
    handler = smtp(server)

    def prepared() -> t.Iterator[t.Any]:
        yield handler.prepare(letter(ANN))
        raise LookupError("no more")

    reports = handler.dispatch(prepared(), ready=lambda: True)

    assert states(next(reports)) == [ACCEPTED]
    with pytest.raises(LookupError):
        next(reports)
    assert [accepted.recipients for accepted in server.accepted] == [(ANN,)]


def test_given_up_in_an_overlap(scripted: Scripted, no_leaks: None) -> None:
    """C-57, PROTOCOL 2: if the caller stops after the next envelope was sent, the connection is
    closed without QUIT, which might be taken for content."""
    hold = Hold()
    server = scripted(on={"MAIL": ["250 ok", hold]})
    reports = smtp(server).deliver([job()] * 3, lambda phase, job: None)

    assert next(reports).ok
    t.cast("t.Any", reports).close()
    hold.let_go()
    server.settle()

    assert len(server.received) == 1
    assert server.connections[0].closed_by == "client"
    assert "QUIT" not in server.commands


def test_connection_lost_twice(scripted: Scripted) -> None:
    """PROTOCOL 12: the second message is repeated once, and then deferred."""
    server = scripted(on={"end of data": [DROP], "MAIL": ["250 ok", DROP]})

    assert became(server, 3) == "uda"
