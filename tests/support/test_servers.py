"""Tests of the test servers, with a client that is not ours."""

from __future__ import annotations

import select
import smtplib
import socket
import time
import typing as t

import pytest

from flask_mailhandler import SMTPEmailHandler
from pooling import Call
from sending import letter
from servers import After
from servers import Delay
from servers import Drip
from servers import DROP
from servers import drop_after
from servers import Flood
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import STOP_READING
from servers import Then
from servers.dead_ends import black_hole
from servers.dead_ends import closed_port
from servers.dead_ends import keep_port
from servers.http_server import HTTPServer
from servers.plan import clients
from servers.plan import note_strangers
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from servers.certificates import Certificates

    Scripted = Callable[..., ScriptedServer]

CONTENT = "Subject: Hi\r\n\r\n.dot\r\n\r\nbye\r\n"
FROM = "a@example.com"
TO = ["b@example.com", "c@example.com"]

EHLO = b"EHLO [127.0.0.1]\r\n"
MAIL = b"MAIL FROM:<a@example.com>\r\n"
RCPT = b"RCPT TO:<b@example.com>\r\n"
DATA = b"DATA\r\n"
END = b"Subject: x\r\n\r\nHi\r\n.\r\n"
MAIL8 = b"MAIL FROM:<a@example.com> BODY=8BITMIME\r\n"
UTF8 = "MAIL FROM:<ä@example.com> SMTPUTF8 BODY=8BITMIME\r\n".encode()


def connect(server: ScriptedServer, timeout: float = 60) -> smtplib.SMTP:
    return smtplib.SMTP(server.host, server.port, local_hostname="[127.0.0.1]", timeout=timeout)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_accepts(scripted: Scripted, no_leaks: None, host: str) -> None:
    """An accepted message is recorded as the client sent it, with its commands."""
    server = scripted(host=host)
    with connect(server) as client:
        refused = client.sendmail(FROM, TO, CONTENT)
    server.settle()

    assert refused == {}
    (message,) = server.accepted
    assert (message.sender, message.recipients) == (FROM, tuple(TO))
    assert message.content == CONTENT.encode()
    assert message.parameters == {"SIZE": str(len(CONTENT))}
    # smtplib's spelling differs between Pythons.
    assert [command.upper() for command in server.commands] == [
        "EHLO [127.0.0.1]",
        f"MAIL FROM:<{FROM}> SIZE={len(CONTENT)}".upper(),
        f"RCPT TO:<{TO[0]}>".upper(),
        f"RCPT TO:<{TO[1]}>".upper(),
        "DATA",
        "QUIT",
    ]
    (connection,) = server.connections
    assert connection.closed_by == "QUIT"
    assert connection.flights == 7


def test_declared_replies(scripted: Scripted) -> None:
    """Replies are used in turn, the longest key first, and then the default."""
    server = scripted(
        on={
            "RCPT": ["450 4.2.0 later"],
            "RCPT TO:<c@example.com>": "550-5.1.1 no such user\n550 5.1.1 never was",
        }
    )
    with connect(server) as client:
        refused = client.sendmail(
            FROM, ["a@example.com", "c@example.com", "d@example.com"], CONTENT
        )

    assert refused == {
        "a@example.com": (450, b"4.2.0 later"),
        "c@example.com": (550, b"5.1.1 no such user\n5.1.1 never was"),
    }
    assert server.accepted[0].recipients == ("d@example.com",)


# What the server does


@pytest.mark.parametrize(
    ("on", "heard"),
    [
        ({"greeting": b"22"}, b"22"),
        ({"greeting": Then(b"220-a\r\n", Drip(b"220 b\r\n", every=0.001))}, b"220-a\r\n220 b\r\n"),
        ({"greeting": Then("554 no", DROP)}, b"554 no\r\n"),
        ({"greeting": Delay(0.01, "554 no")}, b"554 no\r\n"),
        ({"greeting": DROP}, b""),
        ({"greeting": lambda line, connection: f"220 {connection.number}"}, b"220 0\r\n"),
    ],
)
def test_actions(on: dict[str, t.Any], heard: bytes, no_leaks: None) -> None:
    """The client reads the declared greeting."""
    with (
        ScriptedServer(on=on) as server,
        socket.create_connection((server.host, server.port), timeout=60) as client,
    ):
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as replies:
            assert replies.read() == heard


@pytest.mark.parametrize("action", [SILENCE, Delay(60, "220 late"), Flood(), After(1, DROP)])
def test_stop_ends_everything(action: t.Any, no_leaks: None) -> None:
    """A server that waits, or never stops sending, can be stopped at once."""
    with (
        ScriptedServer(on={"greeting": action}) as server,
        socket.create_connection((server.host, server.port), timeout=60),
    ):
        begin = time.monotonic()
        server.stop()

        assert time.monotonic() - begin < 30


def test_reset(scripted: Scripted, no_leaks: None) -> None:
    """RESET is an RST: the client gets an error, not an end."""
    server = scripted(on={"MAIL": RESET})
    client = connect(server)
    client.ehlo()

    with pytest.raises(smtplib.SMTPServerDisconnected, match="reset"):
        client.mail(FROM)
    client.close()


@pytest.mark.parametrize("octets", [0, 1, 100_000])
def test_drop_in_the_content(octets: int, no_leaks: None) -> None:
    """The connection ends after exactly this number of octets of the content."""
    with (
        ScriptedServer(on={"content": drop_after(octets)}) as server,
        socket.create_connection((server.host, server.port), timeout=60) as client,
        client.makefile("rb") as replies,
    ):
        for octets_sent in (EHLO, MAIL, RCPT, DATA):
            client.sendall(octets_sent)
        client.sendall(b"x" * octets)
        heard = replies.readlines()
        server.settle()

    assert heard[-1] == b"354 go ahead\r\n"
    assert server.received == []
    assert server.connections[0].closed_by == "server"


def test_reply_in_the_content(no_leaks: None) -> None:
    """A reply in the middle of the content is the reply to end of data."""
    with ScriptedServer(on={"content": After(10, "550 5.7.1 that violates SMTP")}) as server:
        client = connect(server)
        with pytest.raises(smtplib.SMTPDataError, match="violates"):
            client.sendmail(FROM, TO, CONTENT)
        client.close()

    assert len(server.received) == 1
    assert server.accepted == []


def test_stop_reading(no_leaks: None) -> None:
    """The server does not read the content, so that a long one fills the window."""
    with ScriptedServer(on={"content": STOP_READING}) as server:
        client = connect(server)
        client.ehlo()
        client.mail(FROM)
        client.rcpt(TO[0])
        assert client.docmd("DATA")[0] == 354
        assert client.sock
        client.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.sock.sendall(b"x" * 20_000_000)
        client.close()

    assert server.received == []


def test_out_of_turn(scripted: Scripted, no_leaks: None) -> None:
    """A connection can be made to send or close while the client is idle."""
    server = scripted()
    client = connect(server)
    client.ehlo()
    (connection,) = server.connections

    assert connection.do(Then("421 4.4.2 timeout", DROP))
    assert client.getreply() == (421, b"4.4.2 timeout")
    client.close()
    server.settle()
    assert not connection.do("250 still there?")


def test_restart(scripted: Scripted, no_leaks: None) -> None:
    """A stopped server can be started again on the same port."""
    server = scripted()
    port = server.port
    server.stop()
    with pytest.raises(ConnectionRefusedError):
        connect(server)
    server.start()

    assert server.port == port
    with connect(server) as client:
        client.ehlo()


def test_kept_port(no_leaks: None) -> None:
    """A reserved port stays free for its server, which may stop and start, and no other process
    gets it."""
    with keep_port() as kept, socket.socket() as other:
        address = kept.getsockname()
        for _ in range(2):
            socket.create_server(address).close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, timeout=60)
        with pytest.raises(OSError, match="in use"):
            other.bind(address)


def test_impatient(scripted: Scripted, impatient: None, no_leaks: None) -> None:
    """A client that waits for a silent server times out at once, after it has read everything
    before."""
    server = scripted(on={"MAIL": Then("250-so far", SILENCE), "RCPT": "550 5.1.1 no"})
    handler = SMTPEmailHandler(host=server.host, port=server.port, timeout=3600)

    (report,) = Call(lambda: handler.send([letter()])).result()

    assert report.deferred and "no answer within the time allowed" in str(report.error)


def test_what_is_done_has_arrived(scripted: Scripted, no_leaks: None) -> None:
    """When do() returns, the client sees the effect without waiting."""
    for action in ("250 what?", DROP, RESET):
        server = scripted()
        with connect(server) as client:
            assert client.sock
            (connection,) = server.connections
            assert connection.do(action)

            assert select.select([client.sock], [], [], 0)[0]
            client.close()


def test_dead_ends(no_leaks: None) -> None:
    """A closed port refuses connections. A black hole lets the client wait."""
    with closed_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=60)
    with black_hole() as port, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), timeout=0.2)


def test_a_connection_to_an_earlier_server() -> None:
    """A socket that is still connected to a server which has ended does not count for the next."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        stale = socket.create_connection(("127.0.0.1", port))
        listener.accept()[0].close()
    with stale:
        assert clients(port) == 1
        note_strangers(port)
        assert clients(port) == 0


@pytest.mark.parametrize("mode", ["plain", "tls"])
def test_an_http_server_stops(certificates: Certificates, mode: str, no_leaks: None) -> None:
    """Stopping closes the connection of a silent client, even in a TLS handshake."""
    tls = certificates.valid if mode == "tls" else None
    with socket.socket() as client, HTTPServer(lambda request: b"", tls=tls) as server:
        client.connect(("127.0.0.1", server.port))
        until(lambda: server.opened, 60, "the connection")
