"""The pool: which caller gets which connection, how many there are, and which are kept."""

from __future__ import annotations

import time
import typing as t

import pytest

from flask_mailhandler import ConnectError
from flask_mailhandler.net.slots import Slots
from flask_mailhandler.net.slots import Turn
from flask_mailhandler.phase import Phase
from flask_mailhandler.report import Job
from pooling import Call
from pooling import Hold
from pooling import one
from pooling import state
from pooling import two_idle
from pooling import used
from pooling import wait_for
from sending import ACCEPTED
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from servers import CLOSE_NOTIFY
from servers import Delay
from servers import DROP
from servers import RESET
from servers import SILENCE
from servers import Then
from servers.plan import clients
from servers.plan import Fault
from servers.plan import Plan

if t.TYPE_CHECKING:
    from pooling import Clock
    from servers.actions import Action
    from servers.certificates import Certificates


# How many


def test_bounded(scripted: Scripted, no_leaks: None) -> None:
    """F-94: eight threads share three connections; a thread that comes when all are in use
    waits."""
    hold = Hold()
    server = scripted(on={"end of data": hold})
    handler = smtp(server, pool_size=3)

    calls = [Call(lambda: one(handler)) for _ in range(8)]
    for _ in range(3):
        hold.reached()
    wait_for(handler, "5 waiting")
    assert state(handler) == "0 idle, 3 in use, 5 waiting"
    assert len(server.connections) == 3
    hold.let_go()

    assert all(call.result().ok for call in calls)
    assert len(server.accepted) == 8
    assert len(server.connections) == 3
    assert state(handler) == "3 idle, 0 in use, 0 waiting"
    handler.close()


@pytest.mark.parametrize(
    "fault",
    [
        Fault("MAIL", "220 what"),
        Fault("end of data", DROP),
        Fault("end of data", "421 4.3.2 bye"),
        Fault("end of data", b"250 a\r\n250 b\r\n"),
    ],
)
def test_closed_before_another_is_opened(scripted: Scripted, fault: Fault) -> None:
    """F-94: a slot is free only when its connection is closed, so there is never one more."""
    server = scripted()
    most: list[int] = []
    plan = Plan(lambda: most.append(clients(server.port)))
    plan.expect([fault._replace(number=number) for number in range(1, 20, 3)])
    server.script = plan
    handler = smtp(server, pool_size=2, messages_per_connection=4)

    calls = [Call(lambda: handler.send(letters(5))) for _ in range(4)]
    for call in calls:
        call.result()

    assert len(plan.fired) == 7
    assert max(most) <= 2


def test_a_place_is_free_when_its_connection_is_closed() -> None:
    """F-94: a caller that waits for a slot is not called while the previous connection is being
    closed."""
    slots: Slots[t.Any] = Slots(1, 60)
    first: Turn[t.Any] = Turn(fresh=False)
    waits: Turn[t.Any] = Turn(fresh=False)
    called: list[bool] = []

    class Dead:
        heard, idle = time.monotonic(), True

        def is_quiet(self) -> bool:
            return False

        def close(self) -> None:
            called.append(waits.wait(0))

    slots.enter(first)
    first.session = t.cast("t.Any", Dead())
    slots.enter(waits)
    slots.leave(first, keep=True)

    assert called == [False]
    assert waits.wait(0)


# Who is next


def test_in_order(scripted: Scripted) -> None:
    """The caller that has waited longest is next."""
    hold = Hold()
    server = scripted(on={"end of data": [hold]})
    handler = smtp(server, pool_size=1)

    calls = [Call(lambda: one(handler))]
    hold.reached()
    for number in range(1, 5):
        message = letter(f"r{number}@example.com")
        calls.append(Call(lambda message=message: one(handler, message)))  # type: ignore[misc]
        wait_for(handler, f"{number} waiting")
    hold.let_go()
    for call in calls:
        assert call.result().ok

    arrived = [accepted.recipients[0] for accepted in server.accepted]
    assert arrived == ["b@example.com", *(f"r{number}@example.com" for number in range(1, 5))]
    assert used(server) == [0] * 5


def test_waiting_ends(scripted: Scripted) -> None:
    """Waiting for a connection is part of the time allowed: deferred, with the key to set, and the
    callers after it move up."""
    hold = Hold()
    server = scripted(on={"end of data": [hold]})
    handler = smtp(server, pool_size=1)

    first = Call(lambda: one(handler))
    hold.reached()
    last = one(handler, timeout=0.1)
    behind = Call(lambda: one(handler))
    wait_for(handler, "1 waiting")
    hold.let_go()

    assert isinstance(last.error, ConnectError) and last.error.phase is Phase.CONNECT
    assert "within 0.1 s: 1 of 1 are in use by others. Set MAIL_POOL_SIZE" in str(last.error)
    assert states(last) == [DEFERRED]
    assert first.result().ok and behind.result().ok
    assert len(server.accepted) == 2


def test_last_used_first(scripted: Scripted) -> None:
    """F-71: the connection that was used last is the likeliest to be alive, so it is the next."""
    hold = Hold()
    server = scripted(on={"end of data": [hold]})
    handler = smtp(server)
    two_idle(handler, hold)

    one(handler)
    one(handler)

    assert used(server) == [1, 0, 0, 0]


# How long


def test_idle_limit(scripted: Scripted, clock: Clock) -> None:
    """F-78: an idle connection is used up to MAIL_POOL_IDLE, and then closed in order."""
    server = scripted()
    handler = smtp(server, pool_idle=60)

    one(handler)
    clock.passed = 59
    one(handler)
    clock.passed = 121
    one(handler)
    handler.close()
    server.settle()

    assert used(server) == [0, 0, 1]
    assert [connection.closed_by for connection in server.connections] == ["QUIT", "QUIT"]


@pytest.mark.parametrize(
    ("extensions", "options"),
    [([], {"messages_per_connection": 2}), (["LIMITS MAILMAX=2"], {})],
)
def test_messages_per_connection(
    scripted: Scripted, extensions: list[str], options: dict[str, t.Any]
) -> None:
    """F-78, PROTOCOL 19: MAIL_MESSAGES_PER_CONNECTION and LIMITS hold over several calls."""
    server = scripted(extensions=extensions)
    handler = smtp(server, **options)

    for _ in range(5):
        assert one(handler).ok

    assert state(handler) == "1 idle, 0 in use, 0 waiting"
    server.settle()
    assert used(server) == [0, 0, 1, 1, 2]
    assert [connection.closed_by for connection in server.connections] == ["QUIT"] * 3


# Whether it lives


@pytest.mark.parametrize("mode", ["none", "tls"])
@pytest.mark.parametrize(
    "action",
    [
        DROP,
        RESET,
        CLOSE_NOTIFY,
        "421 4.4.2 timeout",
        Then("421 4.4.2 timeout", DROP),
        b"250 x\r\n",
        b"250 a\r\n250 b\r\n250 c\r\n",
        b"250 a\r\n250 b\r\n354 c\r\n250 d\r\n",
        b"2",
    ],
)
def test_dead(
    scripted: Scripted, certificates: Certificates, mode: str, action: Action, no_leaks: None
) -> None:
    """F-71, F-72, F-73, F-77, PROTOCOL 18: an idle connection that has ended or received something
    is not used: the octets answer no command, and the message is sent over a new one."""
    server = scripted(tls=certificates.valid if mode == "tls" else None)
    handler = smtp(server, security=mode, tls_context=certificates.client(), pool_idle=60)
    one(handler)

    assert server.connections[0].do(action)
    reports = handler.send(letters(2))

    assert all(report.ok for report in reports)
    assert used(server) == [0, 1, 1]
    assert [line[:4] for line in server.connections[0].commands[1:4]] == ["MAIL", "RCPT", "DATA"]
    assert server.connections[0].commands[4:] in ([], ["QUIT"])


def test_dead_beside_another(scripted: Scripted) -> None:
    """F-71, PROTOCOL 18: a check is enough to skip a dead connection; the others are kept."""
    hold = Hold()
    server = scripted(on={"end of data": [hold]})
    handler = smtp(server, pool_idle=60)
    two_idle(handler, hold)

    assert server.connections[0].do(DROP)
    assert one(handler).ok

    assert used(server) == [1, 0, 1]


@pytest.mark.parametrize("mode", ["tls", "starttls"])
def test_alive(scripted: Scripted, certificates: Certificates, mode: str) -> None:
    """PROTOCOL 18: the session tickets of TLS 1.3 do not mean that a connection is dead."""
    server = scripted(**{mode: certificates.valid})
    handler = smtp(server, security=mode, tls_context=certificates.client(), pool_idle=60)

    for _ in range(3):
        assert one(handler).ok

    assert used(server) == [0, 0, 0]


@pytest.mark.parametrize(
    "on",
    [
        {"MAIL": ["250 ok", "250 ok", DROP]},
        {"MAIL": ["250 ok", "250 ok", RESET]},
        {"MAIL": ["250 ok", "250 ok", "421 4.3.2 bye"]},
        {"MAIL": ["250 ok", "250 ok", "451 4.4.2 idle"]},
        {"RCPT": ["250 ok", "250 ok", DROP]},
        {"DATA": ["354 go", "354 go", DROP]},
    ],
)
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
def test_moved(scripted: Scripted, on: dict[str, t.Any], extensions: list[str]) -> None:
    """F-75, F-76, PROTOCOL 12: a connection lost between the check and the content: the message is
    sent once more, over a new one, and the other idle ones are closed."""
    hold = Hold()
    server = scripted(extensions=extensions, on={"end of data": [hold]} | on)
    handler = smtp(server)
    two_idle(handler, hold)

    assert one(handler).ok
    handler.close()
    server.settle()

    assert used(server) == [1, 0, 2]
    assert server.connections[1].closed_by == "QUIT"


def test_moved_once(scripted: Scripted) -> None:
    """PROTOCOL 12: if the new connection is lost too, the message is deferred."""
    server = scripted(on={"MAIL": ["250 ok", DROP, DROP]})
    handler = smtp(server)

    reports = [one(handler) for _ in range(3)]

    assert [states(report) for report in reports] == [[ACCEPTED], [DEFERRED], [ACCEPTED]]
    assert used(server) == [0, 2]


# Kept, or not


@pytest.mark.parametrize(
    "on",
    [
        {"MAIL": ["550 5.7.1 no"]},
        {"MAIL": ["451 4.3.0 later"]},
        {"RCPT": ["550 5.1.1 no"]},
        {"DATA": ["554 5.3.0 no"]},
        {"end of data": ["554 5.7.1 spam"]},
        {"end of data": ["451 4.3.0 later"]},
    ],
)
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
def test_kept(scripted: Scripted, on: dict[str, t.Any], extensions: list[str]) -> None:
    """F-69: after a clean refusal the connection is kept, and starts again with RSET if no reply
    has ended the transaction."""
    server = scripted(extensions=extensions, on=on)
    handler = smtp(server)

    assert not one(handler).ok
    assert state(handler) == "1 idle, 0 in use, 0 waiting"
    assert one(handler).ok

    assert used(server) == [0]
    assert server.commands.count("RSET") == ("end of data" not in on)


@pytest.mark.parametrize("lost", [DROP, "421 4.3.2 bye"])
def test_said_behind_a_lost_end(scripted: Scripted, lost: Action) -> None:
    """PROTOCOL 2, 12: a message whose envelope was sent after an end of data that was lost is sent
    over a new connection, and the idle one is closed."""
    hold = Hold()
    server = scripted(extensions=["PIPELINING"], on={"end of data": [hold, "250 ok", lost]})
    handler = smtp(server, pool_size=2)
    two_idle(handler, hold)

    first, second = handler.send(letters(2))

    assert not first.ok and second.ok
    assert used(server)[-1] == 2
    assert state(handler) == "1 idle, 0 in use, 0 waiting"


@pytest.mark.parametrize(
    "on",
    [
        {"MAIL": [SILENCE]},
        {"MAIL": ["220 what"]},
        {"RCPT": ["421 4.3.2 bye"]},
        {"DATA": [b"354 a\r\n250 b\r\n"]},
        {"content": [DROP]},
        {"end of data": [SILENCE]},
        {"end of data": [DROP]},
        {"end of data": ["421 4.3.2 bye"]},
        {"end of data": ["354 what"]},
        {"end of data": [b"what\r\n"]},
        {"end of data": [Delay(1, "250 late")]},
    ],
)
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
def test_doubtful(
    scripted: Scripted,
    on: dict[str, t.Any],
    extensions: list[str],
    impatient: None,
    no_leaks: None,
) -> None:
    """PROTOCOL 20: a connection that timed out, broke or sent an invalid reply is not reused."""
    server = scripted(extensions=extensions, on=on)
    handler = smtp(server, pool_size=1)

    assert not one(handler).ok
    assert state(handler) == "0 idle, 0 in use, 0 waiting"
    assert one(handler).ok

    assert used(server)[-1] == 1
    assert "QUIT" not in server.connections[0].commands


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.TLS])
def test_exception(scripted: Scripted, phase: Phase, no_leaks: None) -> None:
    """F-79: an exception of the caller within a sending: the connection is closed, and its slot is
    free."""
    server = scripted(users={"ann": "secret"})
    handler = smtp(server, pool_size=1, username="ann", password="secret")

    def observe(now: Phase, job: Job) -> None:
        if now is phase:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        handler.send([letter()], observe=observe)
    assert state(handler) == "0 idle, 0 in use, 0 waiting"

    assert one(handler).ok
    assert len(server.accepted) == (2 if phase is Phase.DONE else 1)


# Letting go


def test_closed_and_used_again(scripted: Scripted) -> None:
    """F-106: close() ends the idle connections in order; the next message opens another."""
    server = scripted()
    handler = smtp(server, pool_idle=60)
    one(handler)

    handler.close()
    handler.close()
    server.settle()
    assert server.connections[0].closed_by == "QUIT"
    assert one(handler).ok
    assert used(server) == [0, 1]


@pytest.mark.parametrize("mode", ["none", "tls"])
@pytest.mark.parametrize("action", [DROP, RESET])
def test_closed_when_dead(
    scripted: Scripted, certificates: Certificates, mode: str, action: Action, no_leaks: None
) -> None:
    """F-106: close() of connections that the server has closed gives no error and no warning."""
    server = scripted(tls=certificates.valid if mode == "tls" else None)
    handler = smtp(server, security=mode, tls_context=certificates.client(), pool_idle=60)
    one(handler)

    server.connections[0].do(action)
    handler.close()

    assert state(handler) == "0 idle, 0 in use, 0 waiting"


def test_nobody_has_it(scripted: Scripted, no_leaks: None) -> None:
    """F-106: the connections of a handler that is no longer referenced are closed in order."""
    server = scripted()
    handlers = [smtp(server, pool_idle=60)]
    server.clients.clear()
    one(handlers[0])

    handlers.clear()
    server.settle()

    assert server.connections[0].closed_by == "QUIT"


def test_repr(scripted: Scripted) -> None:
    """State prints itself."""
    server = scripted()
    handler = smtp(server, pool_size=3)
    name = f"127.0.0.1:{server.port}"

    assert repr(handler.pool) == f"<Pool {name} of 3: 0 idle, 0 in use, 0 waiting>"
    one(handler)
    assert repr(handler.pool) == f"<Pool {name} of 3: 1 idle, 0 in use, 0 waiting>"
