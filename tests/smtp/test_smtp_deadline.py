"""Everything ends within the time that is allowed for it in all."""

from __future__ import annotations

import contextlib
import time
import typing as t

import pytest

from flask_mailhandler import ConnectError
from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.phase import Phase
from flask_mailhandler.phase import State
from flask_mailhandler.smtp.delivery import Deliveries
from flask_mailhandler.smtp.delivery import Delivery
from flask_mailhandler.smtp.opening import Opening
from flask_mailhandler.smtp.session import Session
from sending import ACCEPTED
from sending import DEFERRED
from sending import deliver
from sending import job
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from sending import UNKNOWN
from servers import Delay
from servers import Drip
from servers import SILENCE
from servers import STOP_READING
from servers import Then
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

    from flask_mailhandler.smtp.endpoint import Endpoint
    from pooling import Clock
    from servers.actions import Action
    from servers.certificates import Certificates
    from servers.connection import Connection

BIG = b"Subject: big\r\n\r\n" + (b"x" * 78 + b"\r\n") * 200_000


@contextlib.contextmanager
def timed(at_least: float = 0.0) -> Iterator[None]:
    """It takes about this long, and not as long as the server's actions or another time limit; the
    margin is for a busy machine."""
    begin = time.monotonic()
    yield
    assert at_least <= time.monotonic() - begin < 40


def dripping(octets: bytes) -> Drip:
    """Octets for a minute, with only short pauses."""
    return Drip(octets + b"x" * 3000, every=0.02)


LINES = b"250-and more\r\n" * 850


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Callable[[Action], Action]:
    """Wrap an action of a server: the time of the message is over 0.3 s after it began. Whatever
    the machine did before, it is over there and nowhere else."""
    made: list[Deadline] = []

    def make(seconds: float) -> Deadline:
        made.append(Deadline(seconds))
        return made[-1]

    def wrap(action: Action) -> Action:
        def begin(line: str, connection: Connection) -> Action:
            made[-1].at = time.monotonic() + 0.3
            return action

        return begin

    monkeypatch.setattr("flask_mailhandler.smtp.delivery.Deadline", make)
    return wrap


@pytest.mark.parametrize(
    "on",
    [
        {"greeting": dripping(b"220 ")},
        {"greeting": dripping(b"220-a\r\n220-b\r\n")},
        {"EHLO": dripping(b"250-me\r\n")},
        {"EHLO": Drip(LINES, every=0.005)},
        {"EHLO": "500 no", "HELO": dripping(b"250 ")},
    ],
)
def test_slow_opening(scripted: Scripted, on: dict[str, t.Any], no_leaks: None) -> None:
    """F-81: a server that sends slowly does not hold a connection open for longer than allowed."""
    server = scripted(on=on)

    with timed(at_least=0.3):
        (report,) = smtp(server, connect_timeout=0.3).send([letter()])

    assert states(report) == [DEFERRED]
    assert "no answer within the time allowed" in str(report.error)


@pytest.mark.parametrize(("options", "allowed"), [({}, 20), ({"timeout": 10}, 10)])
def test_time_for_the_opening(
    scripted: Scripted,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, t.Any],
    allowed: int,
) -> None:
    """F-81: the limit is the time for a connection, or the message's time if that is less."""
    found: list[float] = []

    def opening(server: Endpoint, deadline: Deadline, *args: t.Any, **kwargs: t.Any) -> Opening:
        found.append(deadline.allowed)
        return Opening(server, deadline, *args, **kwargs)

    monkeypatch.setattr("flask_mailhandler.smtp.pool.Opening", opening)

    smtp(scripted(), connect_timeout=20, **options).send([letter()])

    assert [*map(round, found)] == [allowed]


@pytest.mark.parametrize(
    "on",
    [
        {"handshake": SILENCE},
        # A record that says it is long, and comes octet by octet.
        {"handshake": dripping(b"\x16\x03\x03\x30\x00")},
        {"greeting": dripping(b"220 ")},
    ],
)
def test_slow_tls(
    scripted: Scripted, certificates: Certificates, on: dict[str, t.Any], no_leaks: None
) -> None:
    """F-81: within the handshake, and within TLS, the time limit is for all reads together."""
    server = scripted(tls=certificates.valid, on=on)
    handler = smtp(server, connect_timeout=0.3, security="tls", tls_context=certificates.client())

    with timed(at_least=0.3):
        (report,) = handler.send([letter()])

    assert states(report) == [DEFERRED]


@pytest.mark.parametrize(
    ("step", "action", "state"),
    [
        ("MAIL", dripping(b"250 "), DEFERRED),
        ("RCPT", dripping(b"250-a\r\n"), DEFERRED),
        ("DATA", dripping(b"354 "), DEFERRED),
        ("end of data", dripping(b"250 "), UNKNOWN),
        ("end of data", Drip(LINES, every=0.005), UNKNOWN),
        # The client looks at the time when it has heard something.
        ("end of data", Then(b"2", SILENCE), UNKNOWN),
    ],
)
@pytest.mark.parametrize("secure", [False, True])
def test_slow_transaction(
    scripted: Scripted,
    certificates: Certificates,
    soon: Callable[[Action], Action],
    step: str,
    action: Action,
    state: State,
    secure: bool,
    no_leaks: None,
) -> None:
    """F-54, F-81: the time limit of a message is for all its steps together."""
    server = scripted(on={step: soon(action)}, tls=certificates.valid if secure else None)
    options = {"security": "tls", "tls_context": certificates.client()} if secure else {}

    with timed(at_least=0.3):
        (report,) = smtp(server, **options).send([letter()])

    assert states(report) == [state]


@pytest.mark.parametrize("secure", [False, True])
def test_slow_steps(
    scripted: Scripted, certificates: Certificates, secure: bool, no_leaks: None
) -> None:
    """F-54, F-81: the time limit is for all steps together, although each step is in time."""
    on = {"MAIL": Delay(0.15, "250 ok"), "RCPT": Delay(0.15, "250 ok"), "DATA": SILENCE}
    server = scripted(on=on, tls=certificates.valid if secure else None)
    options = {"security": "tls", "tls_context": certificates.client()} if secure else {}

    with timed(at_least=0.4):
        (report,) = smtp(server, timeout=0.4, **options).send([letter()])

    assert states(report) == [DEFERRED]


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("said", [b"", b"452 4.3.1 no space\r\n"])
def test_server_stops_reading(
    scripted: Scripted, certificates: Certificates, said: bytes, secure: bool, no_leaks: None
) -> None:
    """F-47: the server does not read the content: the write ends in time, and an earlier reply is
    used."""
    action = Then(said, SILENCE) if said else STOP_READING
    server = scripted(
        on={"content": action}, extensions=[], tls=certificates.valid if secure else None
    )
    options = {"security": "tls", "tls_context": certificates.client()} if secure else {}
    handler = smtp(server, **options)
    # Not through the handler, which allows a large content a second for each 100 kB.
    delivery = Delivery(job(BIG), timeout=60)

    def observe(phase: Phase, job: object) -> None:
        if phase is Phase.CONTENT:
            until(server.connections[0].is_silent, 60, "the server to stop reading")
            delivery.deadline.at = time.monotonic() + 0.4

    with timed(at_least=0 if said else 0.4):
        opening = Opening(handler.server, delivery.deadline, lambda phase: None)
        opening.run()
        session = Session(handler.server, opening)
        (settled,) = session.send(Deliveries([delivery]), observe)
        session.close()

    (outcome,) = settled.ordered()
    assert outcome.state is DEFERRED
    assert outcome.code == (452 if said else None)


def at(clock: Clock, passed: float, reply: str) -> Action:
    """A reply that comes after so much time."""

    def action(line: str, connection: Connection) -> Action:
        clock.passed = passed
        return reply

    return action


def test_too_late_for_the_end(scripted: Scripted, clock: Clock, no_leaks: None) -> None:
    """PROTOCOL 17: with less than half of the time left the end of data is not written: deferred is
    better than unknown."""
    server = scripted(on={"DATA": [at(clock, 10.1, "354 go")]})

    late, next_one = smtp(server, timeout=20).send(letters(2))

    assert states(late) == [DEFERRED]
    assert "too little time was left" in str(late.error)
    assert next_one.ok
    assert len(server.received) == 1


def test_in_time_for_the_end(scripted: Scripted, clock: Clock) -> None:
    """PROTOCOL 17: all the time left is for the reply to the end of data."""
    server = scripted(on={"DATA": at(clock, 90, "354 go"), "end of data": at(clock, 140, "250 ok")})

    (report,) = smtp(server, timeout=200).send([letter()])

    assert states(report) == [ACCEPTED]


def test_each_message_has_its_time(scripted: Scripted, clock: Clock) -> None:
    """The time of a message begins with its turn."""
    server = scripted(on={"end of data": [at(clock, 40 * n, "250 ok") for n in (1, 2, 3, 4)]})

    reports = smtp(server, timeout=100).send(letters(4))

    assert [states(report) for report in reports] == [[ACCEPTED]] * 4


def test_opening_counts(scripted: Scripted) -> None:
    """The time of a message includes the opening of its connection."""
    server = scripted(on={"greeting": SILENCE})

    with timed(at_least=0.3):
        (report,) = smtp(server, timeout=0.3).send([letter()])

    assert states(report) == [DEFERRED]


@pytest.mark.parametrize("connections", [1, 2])
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
def test_a_server_that_answers_no_mail(
    scripted: Scripted, extensions: list[str], connections: int, impatient: None
) -> None:
    """If a server does not answer the first MAIL of a session, the other messages of the list are
    deferred at once, as without a connection."""
    server = scripted(extensions=extensions, on={"MAIL": SILENCE})
    handler = smtp(server)
    prepared = [handler.prepare(letter) for letter in letters(6)]

    reports = [*handler.dispatch(prepared, connections=connections)]

    assert [states(report) for report in reports] == [[DEFERRED]] * 6
    assert all(isinstance(report.error, ConnectError) for report in reports)
    assert all(report.error and report.error.phase is Phase.MAIL for report in reports)
    assert "at mail: no answer within the time allowed." in str(reports[5].error)
    assert len(server.connections) == connections


@pytest.mark.parametrize("step", ["RCPT", "DATA", "end of data"])
def test_a_server_that_answers_mail(scripted: Scripted, step: str, impatient: None) -> None:
    """A server that hangs later may hang at this message only: the next one is tried."""
    server = scripted(extensions=[], on={step: [SILENCE]})

    reports = smtp(server).send(letters(2))

    assert not reports[0].ok and not isinstance(reports[0].error, ConnectError)
    assert reports[1].ok


def test_time_of_one_sending(scripted: Scripted) -> None:
    """``timeout=`` of a sending counts instead of the handler's."""
    server = scripted(on={"MAIL": SILENCE})

    with timed(at_least=0.3):
        (report,) = smtp(server, timeout=60).send([letter()], timeout=0.3)

    assert states(report) == [DEFERRED]


def test_time_for_size(scripted: Scripted, clock: Clock) -> None:
    """A second more for each 100 kB."""
    server = scripted(extensions=[], on={"end of data": at(clock, 15, "250 ok")})

    (report,) = deliver(smtp(server, timeout=1), job(BIG[: 16 + 80 * 25_000]))

    assert states(report) == [ACCEPTED]


def test_clock_that_jumps(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """F-104: a change of the system's time has no effect."""
    message = letter()

    def never() -> t.NoReturn:
        raise AssertionError("the system's time was asked")

    server = scripted()
    handler = smtp(server)
    handler.send([message])
    monkeypatch.setattr(time, "time", never)

    assert handler.send([message])[0].ok


def test_deadlines(clock: Clock) -> None:
    """The nearer of two deadlines counts, and none is negative."""
    deadline = Deadline(10)
    clock.passed = 1

    assert deadline.remaining() == pytest.approx(9)
    assert deadline.within(5).remaining() == pytest.approx(5)
    assert deadline.within(50).remaining() == pytest.approx(9)
    assert Deadline(-1).remaining() == 0


@pytest.mark.parametrize(
    ("allowed", "left", "over"),
    [(10, 6, False), (10, 4, True), (60, 11, False), (60, 9, True), (600, 11, False)],
)
def test_nearly_over(clock: Clock, allowed: float, left: float, over: bool) -> None:
    """PROTOCOL 17: half of the time is enough for the last reply, and so are ten seconds."""
    deadline = Deadline(allowed)
    clock.passed = allowed - left

    assert deadline.nearly_over is over


def test_closing_is_quick(scripted: Scripted, certificates: Certificates, no_leaks: None) -> None:
    """F-106: releasing a handler whose server is dead takes no time and gives no warning."""
    server = scripted(tls=certificates.valid, on={"end of data": SILENCE, "QUIT": SILENCE})
    handler = smtp(server, timeout=0.2, security="tls", tls_context=certificates.client())

    with timed():
        handler.send([letter()])
        handler.close()
        del handler
