"""Connect, greeting, EHLO: a session that cannot be opened is not the fault of a message."""

from __future__ import annotations

import re
import socket
import time
import typing as t

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConnectError
from flask_mailhandler import DeferredError
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from flask_mailhandler.phase import Phase
from flask_mailhandler.smtp.endpoint import Endpoint
from flask_mailhandler.smtp.reply import Reply
from sending import ACCEPTED
from sending import codes
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from servers import DROP
from servers import Flood
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import Then
from servers.dead_ends import black_hole
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from collections.abc import Iterator


def failure(handler: SMTPEmailHandler) -> DeferredError:
    """The error of two messages without a session; each has its own."""
    reports = handler.send(letters(2))

    assert [states(report) for report in reports] == [[DEFERRED], [DEFERRED]]
    errors = [report.error for report in reports]
    assert errors[0] is not errors[1]
    assert [error and error.report for error in errors] == reports
    assert isinstance(errors[0], DeferredError)
    assert str(errors[0]) == str(errors[1])
    return errors[0]


# Connect


def test_closed_port(no_leaks: None) -> None:
    """F-1: no server listens: deferred, with host, port and what to check."""
    with closed_port() as port:
        error = failure(SMTPEmailHandler(host="127.0.0.1", port=port))

    assert isinstance(error, ConnectError)
    assert error.phase is Phase.CONNECT
    assert error.temporary
    assert str(error) == (
        f"No connection to 127.0.0.1:{port}: Connection refused. Check MAIL_HOST and MAIL_PORT."
    )


def test_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-2: an unknown name."""

    def getaddrinfo(*args: object, **kwargs: object) -> t.NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    error = failure(SMTPEmailHandler(host="mail.invalid", security="none"))

    assert isinstance(error, ConnectError)
    assert str(error).endswith("mail.invalid:25: Name or service not known. Check MAIL_HOST.")


def test_resolver_out_of_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """F-2: a temporary failure of the resolver says nothing about the name."""

    def getaddrinfo(*args: object, **kwargs: object) -> t.NoReturn:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    error = failure(SMTPEmailHandler(host="mail.invalid", security="none"))

    assert error.temporary
    assert str(error).endswith("Temporary failure in name resolution.")


@pytest.mark.parametrize("host", ["a..b", ".a", "x" * 64, f"a.{'x' * 64}.b", "", "a b", "a\nb"])
def test_impossible_hosts(host: str) -> None:
    """F-2: a name that no resolver can be asked for is refused where it is configured."""
    with pytest.raises(ConfigurationError, match=r"\bhost="):
        SMTPEmailHandler(host=host)


def test_black_hole(no_leaks: None) -> None:
    """F-4: without any answer the attempt ends after the time for a connection."""
    begin = time.monotonic()
    with black_hole() as port:
        error = failure(
            SMTPEmailHandler(host="127.0.0.1", port=port, connect_timeout=0.1, timeout=300)
        )

    assert time.monotonic() - begin < 100
    assert isinstance(error, ConnectError)
    assert "no answer within the time allowed" in str(error)
    assert "firewall" in str(error)


# Greeting


@pytest.mark.parametrize(
    ("said", "temporary", "text"),
    [
        (SILENCE, True, r"at greeting: no answer within the time allowed\. If the port speaks TLS"),
        ("554 5.7.1 not you", False, r"greets with 554 5\.7\.1 not you\."),
        (Then("554 5.7.1 not you", DROP), False, r"greets with 554 5\.7\.1 not you\."),
        ("421 too busy", True, r"greets with 421 too busy\."),
        (Then("421 too busy", DROP), True, r"greets with 421 too busy\."),
        ("250 hello", True, r"greets with 250 hello\."),
        (DROP, True, r"at greeting: the server closed the connection"),
        (b"HTTP/1.1 400 \x1b[2J\r\n\r\n", True, r"said 'HTTP/1\.1 400 \\x1b\[2J'"),
        (b"\r\n220 late\r\n", True, r"said '', which is not an SMTP reply"),
        (Flood(b"220-and more\r\n"), True, r"longer than 65536 octets"),
        (Flood(b"220 x"), True, r"longer than 4096 octets"),
        (Then(b"220 half", DROP), True, r"closed the connection"),
    ],
)
def test_bad_greetings(
    scripted: Scripted, said: t.Any, temporary: bool, text: str, impatient: None, no_leaks: None
) -> None:
    """F-6 ... F-9, F-11, F-12, C-14: without 220 there is no session, and only QUIT is sent."""
    server = scripted(on={"greeting": said})

    error = failure(smtp(server))

    assert isinstance(error, ConnectError)
    assert error.phase is Phase.GREETING
    assert error.temporary is temporary
    assert re.search(text, str(error))
    server.settle()
    assert len(server.connections) == 1
    assert set(server.commands) <= {"QUIT"}


def test_reset_instead_of_a_greeting(scripted: Scripted, no_leaks: None) -> None:
    """F-9: the reset may come before we have noticed the connection."""
    server = scripted(on={"greeting": RESET})

    error = failure(smtp(server))

    assert isinstance(error, ConnectError)
    assert error.phase in (Phase.CONNECT, Phase.GREETING)
    assert "Connection reset by peer" in str(error)


def test_long_texts_are_cut(scripted: Scripted) -> None:
    """F-82: errors show only so much of a server's text."""
    server = scripted(on={"greeting": "x" * 4000})

    error = failure(smtp(server))

    assert len(str(error)) < 700


def test_long_greeting(scripted: Scripted) -> None:
    """F-10: a greeting of several lines."""
    server = scripted(on={"greeting": "220-me\n220-No spam.\n220 ESMTP"})

    (report,) = smtp(server).send([letter()])

    assert report.ok


# EHLO


@pytest.mark.parametrize("code", [500, 502, 504, 550])
def test_helo(scripted: Scripted, code: int) -> None:
    """F-13, C-4: HELO if EHLO is not understood, and then no extensions."""
    server = scripted(on={"EHLO": f"{code} what?"})

    (report,) = smtp(server).send([letter()])
    server.settle()

    assert report.ok
    assert server.commands[:3] == [
        "EHLO [127.0.0.1]",
        "HELO [127.0.0.1]",
        "MAIL FROM:<a@example.com>",
    ]


@pytest.mark.parametrize(
    ("on", "temporary", "text"),
    [
        ({"EHLO": "421 4.3.2 shutting down"}, True, "answers EHLO with 421 4.3.2 shutting down"),
        ({"EHLO": "451 4.7.0 later"}, True, "answers EHLO with 451"),
        ({"EHLO": "220 what"}, True, "answers EHLO with 220"),
        ({"EHLO": "500 no", "HELO": "550 not you"}, False, "answers EHLO with 550 not you"),
        ({"EHLO": "500 no", "HELO": "450 later"}, True, "answers EHLO with 450 later"),
        ({"EHLO": DROP}, True, "at ehlo: the server closed the connection"),
        ({"EHLO": "500 no", "HELO": DROP}, True, "at ehlo: the server closed the connection"),
        ({"EHLO": SILENCE}, True, "at ehlo: no answer within the time allowed"),
        ({"EHLO": b"250-a\r\n251 b\r\n"}, True, "at ehlo: the server changed from 250 to 251"),
    ],
)
def test_bad_ehlo(
    scripted: Scripted,
    on: dict[str, t.Any],
    temporary: bool,
    text: str,
    impatient: None,
    no_leaks: None,
) -> None:
    """F-14, F-15: no session, no HELO after a 421 or a drop, no second connection."""
    server = scripted(on=on)

    error = failure(smtp(server))

    assert isinstance(error, ConnectError)
    assert error.phase is Phase.EHLO
    assert error.temporary is temporary
    assert text in str(error)
    server.settle()
    assert len(server.connections) == 1
    assert not [command for command in server.commands if command.startswith("MAIL")]
    assert ("HELO [127.0.0.1]" in server.commands) == ("HELO" in on)


def test_odd_extensions(scripted: Scripted) -> None:
    """F-16: 100 lines, lower case, blanks at the end, the old AUTH."""
    lines = ["size 1000000 ", "8bitmime ", "AUTH=PLAIN", *(f"X-{n} y" for n in range(100))]
    server = scripted(extensions=lines, users={"ann": "secret"})

    (report,) = smtp(server, username="ann", password="secret").send([letter()])

    assert report.ok
    assert server.accepted[0].parameters["SIZE"] == str(len(server.accepted[0].content))
    assert server.connections[0].logged_in


# What we say


@pytest.mark.parametrize(
    ("host", "hello"), [("127.0.0.1", "EHLO [127.0.0.1]"), ("::1", "EHLO [IPv6:::1]")]
)
def test_ehlo_by_address(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, host: str, hello: str
) -> None:
    """C-2, C-3, F-108: the address literal is the name, and the DNS is not asked for one."""

    def never(*args: object) -> t.NoReturn:
        raise AssertionError("the DNS was asked")

    for name in ("getfqdn", "gethostname", "gethostbyaddr", "getnameinfo"):
        monkeypatch.setattr(socket, name, never)
    server = scripted(host=host)

    (report,) = smtp(server).send([letter()])

    assert report.ok
    assert server.commands[0] == hello


@pytest.mark.parametrize(
    ("name", "hello"),
    [
        ("mail.example.com", "EHLO mail.example.com"),
        ("Bücher.example", "EHLO xn--bcher-kva.example"),
        ("[192.0.2.1]", "EHLO [192.0.2.1]"),
        ("[IPv6:2001:db8::1]", "EHLO [IPv6:2001:db8::1]"),
    ],
)
def test_ehlo_by_name(scripted: Scripted, name: str, hello: str) -> None:
    """C-3, C-55: a configured name, as A-labels."""
    server = scripted()

    (report,) = smtp(server, local_hostname=name).send([letter()])

    assert report.ok
    assert server.commands[0] == hello


@pytest.mark.parametrize(
    "name", ["a b", "a\r\nMAIL FROM:<x@y.z>", "-a.example", "[1.2.3]", "", "a@b", "under_score"]
)
def test_impossible_names(name: str) -> None:
    """C-3, command injection: an invalid name is refused where it is configured."""
    with pytest.raises(ConfigurationError, match="local_hostname"):
        SMTPEmailHandler(local_hostname=name)


def test_phases(scripted: Scripted) -> None:
    """Each phase is reported before it begins."""
    server = scripted()
    seen: list[Phase] = []

    smtp(server).send([letter()], observe=lambda phase, job: seen.append(phase))

    assert seen == [phase for phase in Phase if phase not in (Phase.TLS, Phase.AUTH)]


def test_nothing_is_connected_for_nothing() -> None:
    """No message, no connection."""
    with closed_port() as port:
        assert SMTPEmailHandler(host="127.0.0.1", port=port).send([]) == []


def test_an_observer_that_raises(scripted: Scripted, no_leaks: None) -> None:
    """Whatever ends the opening, the socket is closed."""
    server = scripted()

    def observe(phase: Phase, job: object) -> None:
        if phase is Phase.EHLO:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        smtp(server).send([letter()], observe=observe)
    server.settle()

    assert server.commands == []


def test_later_connection_fails(scripted: Scripted) -> None:
    """The outcomes of a first connection stay if there is no second one."""
    server = scripted(on={"greeting": ["220 hi", "421 4.7.0 too many connections"]})

    reports = smtp(server, messages_per_connection=2).send(letters(4))

    assert [states(report) for report in reports] == [[ACCEPTED]] * 2 + [[DEFERRED]] * 2
    assert [codes(report) for report in reports] == [[250]] * 2 + [[None]] * 2
    assert isinstance(reports[3].error, ConnectError)
    assert len(server.connections) == 2


@pytest.fixture
def session_parts() -> Iterator[list[object]]:
    """Objects of a session, for their reprs."""
    from flask_mailhandler.net.deadline import Deadline
    from flask_mailhandler.smtp.delivery import Delivery
    from flask_mailhandler.smtp.opening import Opening
    from flask_mailhandler.smtp.session import Session
    from sending import job

    with ScriptedServer() as server:
        opening = Opening(smtp(server).server, Deadline(60), lambda phase: None)
        opening.run()
        session = Session(smtp(server).server, opening)
        yield [Deadline(5), Delivery(job(), 5), opening.stream, session]
        session.close()


def test_reprs(session_parts: list[object]) -> None:
    """State prints itself."""
    deadline, delivery, stream, session = session_parts

    assert re.fullmatch(r"<Deadline \d\.\d of 5 s left>", repr(deadline))
    assert repr(delivery) == "<Delivery 0 settled, 1 waiting>"
    assert repr(stream) == "<Stream plain, 0 octets unread>"
    assert re.fullmatch(r"<Session 127.0.0.1:\d+ idle, 0 begun>", repr(session))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost.example.com", False),
        ("192.0.2.1", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    """Hosts of this machine are known without asking the DNS."""
    server = Endpoint(host=host, port=25, security="none", tls_context=lambda: NotImplemented)

    assert server.loopback is loopback


def test_probe(scripted: Scripted) -> None:
    """A session can be asked whether it would take a message, and none is sent."""
    from flask_mailhandler.address import Address
    from flask_mailhandler.net.deadline import Deadline
    from flask_mailhandler.smtp.opening import Opening
    from flask_mailhandler.smtp.session import Session

    server = scripted(on={"RCPT": ["550 5.1.1 no", "421 bye"], "MAIL": ["451 later"]})
    found: list[tuple[Reply, Reply | None]] = []
    handler = smtp(server)
    opening = Opening(handler.server, Deadline(60), lambda phase: None)
    opening.run()
    session = Session(handler.server, opening)
    for _ in range(3):
        found.append(session.probe("a@example.com", Address("b@example.com"), 60))
    session.close()
    server.settle()

    assert [[reply and reply.code for reply in pair] for pair in found] == [
        [451, None],
        [250, 550],
        [250, 421],
    ]
    assert server.commands.count("RSET") == 2
    assert server.commands[-1] == "QUIT"
    assert "DATA" not in server.commands
