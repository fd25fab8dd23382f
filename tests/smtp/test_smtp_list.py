"""Several messages: over one connection, and what happens when it ends early."""

from __future__ import annotations

import collections
import re
import typing as t

import pytest

from flask_mailhandler import ConnectError
from flask_mailhandler import MessageError
from flask_mailhandler.phase import Phase
from flask_mailhandler.report import Job
from flask_mailhandler.smtp.stream import Stream
from pooling import Interrupt
from sending import ACCEPTED
from sending import became
from sending import codes
from sending import DEFERRED
from sending import deliver
from sending import grouped
from sending import in_groups
from sending import job
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from servers import DROP
from servers import drop_after
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import Then

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.actions import Action
    from servers.connection import Connection


@pytest.fixture(params=["lock-step", "groups"])
def scripted(request: pytest.FixtureRequest, scripted: Scripted) -> Scripted:
    """Every test of this file holds in lock-step and in command groups."""
    return in_groups(scripted) if request.param == "groups" else scripted


def used(server: ScriptedServer) -> list[int]:
    """The connection of each accepted message."""
    return [accepted.connection for accepted in server.accepted]


def test_one_connection(scripted: Scripted, no_leaks: None) -> None:
    """One connection, one EHLO, no RSET between completed transactions."""
    server = scripted()

    assert became(server, 3) == "aaa"
    assert used(server) == [0, 0, 0]
    verbs = [command.split(" ")[0] for command in server.commands]
    assert verbs == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]


@pytest.mark.parametrize(
    ("options", "extensions", "expect"),
    [
        ({}, [], [0, 0, 0, 0, 0]),
        ({"messages_per_connection": 2}, [], [0, 0, 1, 1, 2]),
        ({"messages_per_connection": 1}, [], [0, 1, 2, 3, 4]),
        ({}, ["LIMITS MAILMAX=3"], [0, 0, 0, 1, 1]),
        ({"messages_per_connection": 2}, ["LIMITS MAILMAX=3"], [0, 0, 1, 1, 2]),
        ({"messages_per_connection": 5}, ["LIMITS MAILMAX=3"], [0, 0, 0, 1, 1]),
    ],
)
def test_messages_per_connection(
    scripted: Scripted, options: dict[str, t.Any], extensions: list[str], expect: list[int]
) -> None:
    """PROTOCOL 19: after so many messages a new connection is opened, and each is closed in
    order."""
    server = scripted(extensions=extensions)

    assert became(server, 5, **options) == "aaaaa"
    assert used(server) == expect
    assert all(connection.closed_by == "QUIT" for connection in server.connections)


def test_refused_messages_count(scripted: Scripted) -> None:
    """PROTOCOL 19: MAILMAX counts transactions, also those without an accepted recipient."""
    server = scripted(extensions=["LIMITS MAILMAX=2"], on={"RCPT": ["550 5.1.1 no"]})

    assert became(server, 3) == "raa"
    assert used(server) == [0, 1]


# A message that fails


@pytest.mark.parametrize(
    ("on", "expect", "resets"),
    [
        ({"MAIL": ["550 5.7.1 no"]}, "raa", 1),
        ({"MAIL": ["451 4.3.0 later"]}, "daa", 1),
        ({"RCPT": ["550 5.1.1 no"]}, "raa", 1),
        ({"RCPT": ["450 4.2.0 later"]}, "daa", 1),
        ({"DATA": ["554 5.3.0 no"]}, "raa", 1),
        ({"DATA": ["451 4.3.0 later"]}, "daa", 1),
        ({"end of data": ["554 5.7.1 spam"]}, "raa", 0),
        ({"end of data": ["451 4.3.0 later"]}, "daa", 0),
        ({"end of data": ["250 ok", "554 5.7.1 spam"]}, "ara", 0),
        ({"RCPT": ["550 5.1.1 no", "550 5.1.1 no"]}, "rra", 2),
    ],
)
def test_next_message(scripted: Scripted, on: dict[str, t.Any], expect: str, resets: int) -> None:
    """F-69, C-23, PROTOCOL 10: after a clean refusal comes RSET, unless there was a reply to an end
    of data, and the next message on the same connection."""
    server = scripted(on=on)

    assert became(server, 3) == expect
    assert len(server.connections) == 1
    assert server.commands.count("RSET") == resets


@pytest.mark.parametrize("said", ["500 what", "421 bye", "451 later", "220 what", DROP, RESET])
def test_reset_refused(scripted: Scripted, said: t.Any) -> None:
    """F-70, PROTOCOL 10: if RSET is not answered 250, the connection is closed and the next message
    uses another."""
    server = scripted(on={"RCPT": ["550 5.1.1 no"], "RSET": said})

    assert became(server, 2) == "ra"
    assert used(server) == [1]


@pytest.mark.parametrize(
    ("on", "expect", "connections"),
    [
        # It would not answer the others either.
        ({"MAIL": [SILENCE]}, "ddd", 1),
        ({"RCPT": ["421 4.7.0 bye"]}, "daa", 2),
        ({"DATA": ["250 what"]}, "daa", 2),
        ({"content": [drop_after(10)]}, "[du]aa", 2),
        ({"end of data": [DROP]}, "uaa", 2),
        ({"end of data": ["421 4.3.2 bye"]}, "daa", 2),
        # PROTOCOL 2: in groups the next message had been begun, and a time-out is not repeated.
        ({"end of data": [SILENCE]}, "u[ad]a", 2),
        # Not the first of its connection: but an end of data was given, or nothing was lost.
        ({"end of data": ["250 ok", DROP]}, "aua", 2),
        ({"end of data": ["250 ok", "421 4.3.2 bye"]}, "ada", 2),
        ({"MAIL": ["250 ok", SILENCE]}, "ada", 2),
        ({"RCPT": ["250 ok", "421 4.7.0 bye"]}, "ada", 2),
        ({"DATA": ["354 go", "421 4.7.0 bye"]}, "ada", 2),
        ({"DATA": ["354 go", "250 what"]}, "ada", 2),
        ({"MAIL": ["250 ok", "451 4.3.0 later"]}, "ada", 1),
    ],
)
def test_not_repeated(
    scripted: Scripted,
    on: dict[str, t.Any],
    expect: str,
    connections: int,
    impatient: None,
    no_leaks: None,
) -> None:
    """PROTOCOL 12: no repeat after a time-out, a protocol error, a 421 to RCPT or later, or within
    the content; the next message is sent over a new connection."""
    server = scripted(on=on)

    assert re.fullmatch(expect, became(server, 3))
    assert len(server.connections) == connections


# Repeat (a)


@pytest.mark.parametrize(
    "on",
    [
        {"MAIL": ["250 ok", DROP]},
        {"MAIL": ["250 ok", RESET]},
        {"MAIL": ["250 ok", Then(b"25", DROP)]},
        {"MAIL": ["250 ok", "421 4.3.2 shutting down"]},
        {"MAIL": ["250 ok", Then("421 4.4.2 idle", DROP)]},
        {"MAIL": ["250 ok", "421 idle"]},
        {"MAIL": ["250 ok", "451 4.4.2 idle"]},
        {"RCPT": ["250 ok", DROP]},
        {"RCPT": ["250 ok", RESET]},
        {"DATA": ["354 go", DROP]},
        {"end of data": [Then("250 ok", DROP)]},
        {"end of data": [Then("250 ok", RESET)]},
        {"end of data": [b"250 ok\r\n421 4.3.2 bye\r\n"]},
    ],
)
def test_moved(scripted: Scripted, on: dict[str, t.Any], no_leaks: None) -> None:
    """F-66, F-76, PROTOCOL 11, 12, 18: if a reused connection is lost or times out before any
    content, the message is sent once more, over a new one."""
    server = scripted(on=on)

    assert became(server, 4) == "aaaa"
    assert used(server) == [0, 1, 1, 1]


@pytest.mark.parametrize(
    "said",
    [
        b"250 a\r\n250 b\r\n",
        b"250 a\r\n250 b\r\n250 c\r\n",
        b"250 a\r\n250 b\r\n354 c\r\n250 d\r\n",
        b"250 a\r\n2",
    ],
)
def test_unasked(scripted: Scripted, said: bytes) -> None:
    """F-77, PROTOCOL 11: after a second, unexpected reply the connection is closed. The next
    message is sent over a new connection; if it had begun, which shows at DATA, it is deferred."""
    server = scripted(on={"end of data": [said]})

    assert became(server, 4) == ("adaa" if grouped(server) else "aaaa")
    assert server.connections[0].left


@pytest.mark.parametrize("how", [DROP, "421 4.3.2 bye"])
def test_moved_once(scripted: Scripted, how: t.Any) -> None:
    """F-66, PROTOCOL 12: a message is repeated once; the next one has its own repeat."""
    server = scripted(on={"MAIL": ["250 ok", how, how, "250 ok", how]})

    assert became(server, 5) == "adaaa"
    assert used(server) == [0, 2, 3, 3]


FULL = "452 4.5.3 Too many recipients: Too many messages sent"


def full_after(number: int) -> t.Any:
    """MAIL of OpenSMTPD: each connection takes so many messages."""

    taken: collections.Counter[int] = collections.Counter()

    def answer(line: str, connection: Connection) -> str:
        taken[connection.number] += 1
        return FULL if taken[connection.number] > number else "250 2.0.0 Ok"

    return answer


def test_a_full_connection(scripted: Scripted, no_leaks: None) -> None:
    """If a connection has taken enough messages, the next one is sent over a new one."""
    server = scripted(on={"MAIL": full_after(2)})

    assert became(server, 5) == "aaaaa"
    assert used(server) == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("said", "expect"),
    [
        ([FULL, FULL], "dd"),  # on the first connection nothing was sent
        (["250 ok", FULL, FULL, FULL], "add"),  # the new connection is no better
        (["250 ok", "452 4.3.1 no space"], "ad"),
        (["250 ok", "452 later"], "ad"),
    ],
)
def test_no_new_connection_would_help(scripted: Scripted, said: list[str], expect: str) -> None:
    """A server that takes no message is not asked again and again for a new connection."""
    server = scripted(on={"MAIL": said})

    assert became(server, len(expect)) == expect
    assert len(server.connections) == 1 + (said[1:3] == [FULL, FULL])


def test_limit_of_one(scripted: Scripted) -> None:
    """F-68: a server that closes after every message: each is delivered once."""
    server = scripted(on={"end of data": Then("250 ok", DROP)})

    assert became(server, 4) == "aaaa"
    assert used(server) == [0, 1, 2, 3]


def test_a_new_connection_is_not_to_be_had(scripted: Scripted) -> None:
    """F-66: if there is no new connection, all the rest is deferred, with the cause."""
    server = scripted(
        on={"MAIL": ["250 ok", "421 4.3.2 bye"], "greeting": ["220 hi", "421 4.7.0 too many"]}
    )

    reports = smtp(server).send(letters(3))

    assert [states(report) for report in reports] == [[ACCEPTED], [DEFERRED], [DEFERRED]]
    assert isinstance(reports[1].error, ConnectError)
    assert "421 4.7.0 too many" in str(reports[1].error)


@pytest.mark.parametrize(
    "action", [DROP, RESET, "421 4.4.2 timeout", Then("421 4.4.2 timeout", DROP), "250 what"]
)
@pytest.mark.parametrize("fresh", [True, False])
def test_idle(scripted: Scripted, action: t.Any, fresh: bool) -> None:
    """F-71, F-72: a connection that ends, or receives something, while the next message is made is
    noticed before MAIL. On a reused connection the message is repeated; on a fresh one it is
    deferred."""
    server = scripted()

    def jobs() -> Iterator[Job]:
        if not fresh:
            yield job()
        # The job is drawn when the connection is needed, and again before its transaction.
        yield job()

    def observe(phase: Phase, current: Job) -> None:
        if phase is Phase.MAIL and len(server.accepted) == (not fresh) and not done:
            done.append(phase)
            assert server.connections[0].do(action)

    done: list[Phase] = []
    reports = [*smtp(server).deliver(jobs(), observe)]

    assert states(reports[-1]) == [DEFERRED if fresh else ACCEPTED]
    assert len(server.accepted) == (0 if fresh else 2)
    if fresh and "421" in str(action):
        assert codes(reports[-1]) == [421]


def test_partial_refusals(scripted: Scripted) -> None:
    """Each message has its own report."""
    server = scripted(on={"RCPT TO:<r2@": "550 5.1.1 no", "RCPT TO:<r3@": "450 4.2.0 later"})

    assert became(server, 4) == "arda"


def test_results_are_given_as_they_come(scripted: Scripted) -> None:
    """A list is delivered lazily: a message is reported before the next is drawn."""
    server = scripted()
    drawn: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(3):
            drawn.append(number)
            yield job()

    reports = smtp(server).deliver(jobs(), lambda phase, job: None)

    assert next(reports).ok
    assert drawn == [0]
    # Who asks no more has the connection closed in order.
    t.cast("t.Any", reports).close()
    server.settle()
    assert server.connections[0].closed_by == "QUIT"


def test_a_list_that_raises(scripted: Scripted, no_leaks: None) -> None:
    """An error of the list itself ends the sending, and the connection is closed in order."""
    server = scripted()

    def jobs() -> Iterator[Job]:
        yield job()
        raise MessageError("no more")

    with pytest.raises(MessageError, match="no more"):
        deliver(smtp(server), *jobs())
    with pytest.raises(MessageError, match="no more"):
        [*smtp(server).deliver(jobs(), lambda phase, job: None)]
    server.settle()

    assert server.connections[0].closed_by == "QUIT"


def test_checked_whole(scripted: Scripted) -> None:
    """A message that cannot be sent as it is raises before the first connection."""
    server = scripted()
    nobody = letter().replace(to=[])

    with pytest.raises(MessageError, match="no recipient"):
        smtp(server).send([letter(), nobody])

    assert server.connections == []


# Asynchronous exceptions


@pytest.fixture
def interrupt() -> Iterator[Action]:
    """An action of a server that interrupts the main thread, which waits for its reply."""
    interrupt = Interrupt(Stream._receive)

    def action(line: str, connection: Connection) -> t.Any:
        interrupt()
        return SILENCE

    with interrupt.handled():
        yield action


@pytest.mark.parametrize(
    "step", ["greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "end of data"]
)
@pytest.mark.parametrize("earlier", [0, 1])
def test_interrupt(
    scripted: Scripted,
    interrupt: Action,
    step: str,
    earlier: int,
    no_leaks: None,
) -> None:
    """F-80: an interrupt within recv: the connection is closed, and not used again."""
    opening = step in ("greeting", "EHLO", "AUTH")
    usual = {"end of data": "250 ok", "DATA": "354 go"}.get(step, "250 ok")
    server = scripted(
        users={"ann": "secret"},
        on={step: [interrupt] if opening else [*[usual] * earlier, interrupt]},
    )
    handler = smtp(server, username="ann", password="secret")

    with pytest.raises(KeyboardInterrupt):
        handler.send(letters(2))
    server.settle()
    (report,) = handler.send([letter()])

    assert report.ok
    assert server.connections[0].left
    assert len(server.connections) == 2
