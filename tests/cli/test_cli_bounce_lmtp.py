"""``flask mail bounce --lmtp``: a server for the LMTP transport of a mail server."""

from __future__ import annotations

import contextlib
import os
import signal
import smtplib
import socket
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Mail
from running_lmtp import Running
from signed_bounces import bounce_to
from signed_bounces import signed_address

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that verifies, for the module."""
    with contextlib.ExitStack() as stack:
        running = Running(tmp_path_factory.mktemp("lmtp"), "127.0.0.1:0", KEY="secret")
        stack.callback(running.process.kill)
        yield running
        assert running.stop()[0] == 0


@pytest.fixture
def start(tmp_path: Path) -> Iterator[t.Callable[..., Running]]:
    """Start another one."""
    with contextlib.ExitStack() as stack:

        def start(place: str = "127.0.0.1:0", **env: str) -> Running:
            running = Running(tmp_path, place, **env)
            stack.enter_context(running.process)
            stack.callback(running.process.kill)
            return running

        yield start


def test_a_bounce(server: Running) -> None:
    """The app is told once, each recipient has a reply, and a signed one verifies the event."""
    signed = signed_address("ann@example.org")

    alone = server.deliver(bounce_to("ann@example.org"), signed)
    told = [server.line(), server.line()]
    several = server.deliver(bounce_to("ann@example.org"), "a@shop.example", signed, "b@c.example")

    assert alone == [b"250 2.0.0 The app was told"]
    assert told == [
        "told ann@example.org True\n",
        "ann@example.org bounced: 550 5.1.1 No such user\n",
    ]
    assert several == alone * 3
    assert [server.line(), server.line()] == told


def test_other_mail(server: Running) -> None:
    """Any other message is accepted, so that the mail server sends no bounce."""
    for octets in (b"", b"Subject: Hi\n\nThank you!\n", b"\xff\x00" * 99, b"..\n.\r"):
        assert server.deliver(octets, "bounces@shop.example") == [b"250 2.0.0 Not a notification"]
        assert (
            server.line()
            == "The message does not say what became of another message, or was read before.\n"
        )


def test_what_is_offered(server: Running) -> None:
    """The extensions of LMTP (RFC 2033 section 5), and addresses beyond ASCII."""
    with server.client() as client:
        offered = {*client.esmtp_features}

    assert {"size", "8bitmime", "smtputf8", "pipelining", "enhancedstatuscodes"} <= offered
    octets = bounce_to("jörg@example.org").replace(b"rfc822;", b"utf-8;")
    parameters = ["SMTPUTF8", "BODY=8BITMIME", "SIZE=999"]
    assert server.deliver(octets, "bounces@shop.example", mail=parameters)[0].startswith(b"250 ")
    assert server.line() == "told jörg@example.org False\n"
    assert server.line() == "jörg@example.org bounced: 550 5.1.1 No such user\n"


def test_a_large_bounce(server: Running) -> None:
    """Of a large message the head is read, whatever its lines are like."""
    octets = bounce_to("ann@example.org") + b"x" * 3_000_000 + b"\r\n." + b"y\r\n" * 200_000

    assert server.deliver(octets, "bounces@shop.example") == [b"250 2.0.0 The app was told"]
    assert [server.line(), server.line()][0] == "told ann@example.org False\n"


def test_a_message_that_is_too_large(server: Running) -> None:
    """It is refused, if possible before its content. Each recipient has a reply."""
    assert (
        server.deliver(b"x" * 7_000_000, "a@b.example", "c@d.example")
        == [b"552 5.3.4 The message is larger than 6000000 octets"] * 2
    )
    with server.client() as client:
        assert client.mail("", ["SIZE=6000001"])[0] == 552


TALKS = {
    "no recipient": (b"LHLO x\r\nMAIL FROM:<>\r\nDATA\r\n", b"503 5.5.1 There is no recipient"),
    "EHLO": (b"EHLO x\r\n", b"500 Error"),
    "no LHLO": (b"MAIL FROM:<>\r\n", b"503 Error"),
    "no MAIL": (b"LHLO x\r\nRCPT TO:<a@b.example>\r\n", b"503 5.0.0 Error"),
    "DATA with words": (
        b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA now\r\n",
        b"501 5.5.4 Syntax: DATA",
    ),
    "many recipients": (
        b"LHLO x\r\nMAIL FROM:<>\r\n" + b"RCPT TO:<a@b.example>\r\n" * 101,
        b"452 4.5.3 Too many recipients",
    ),
    "a long command": (b"LHLO " + b"x" * 200_000 + b"\r\n", b"500 Command line too long"),
    "octets": (b"\xff\x00\r\n", b"500 Error"),
    "a group": (
        b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.de>\r\nRCPT TO:<>\r\nRCPT TO:<c@d.de>\r\n"
        b"DATA\r\nSubject: x\r\n\r\n..\r\n.\r\nNOOP\r\n",
        b"250 2.0.0 Not a notification\r\n250 2.0.0 Not a notification\r\n250 2.0.0 OK",
    ),
}


@pytest.mark.parametrize("name", TALKS)
def test_talks(name: str, server: Running) -> None:
    """What a client does wrong has a reply, and so has each command of a group."""
    said, reply = TALKS[name]
    host, _, port = server.place.rpartition(":")
    with socket.create_connection((host, int(port)), 60) as sock, sock.makefile("rb") as replies:
        sock.sendall(said + b"QUIT\r\n")
        found = replies.read()

    assert reply in found
    assert found.splitlines()[-1].startswith(b"221 ")
    if name == "a group":
        assert (
            server.line()
            == "The message does not say what became of another message, or was read before.\n"
        )


def test_a_client_that_leaves(server: Running) -> None:
    """A message that breaks off is not read, and the next client is served."""
    with server.client() as client:
        client.mail("")
        client.rcpt("bounces@shop.example")
        client.docmd("DATA")
        client.send(bounce_to("ann@example.org"))
        client.close()

    server.deliver(bounce_to("bob@example.org"), "bounces@shop.example")
    assert [server.line(), server.line()][0] == "told bob@example.org False\n"


def test_the_app_cannot_be_told(start: t.Any) -> None:
    """Each recipient has a 451, and the mail server tries again."""
    server = start(KEY="")
    signed = signed_address("ann@example.org")

    replies = server.deliver(bounce_to("ann@example.org"), signed, "other@shop.example")
    later = server.deliver(bounce_to("ann@example.org"), "other@shop.example")

    assert replies == [b"451 4.3.0 The app could not be told: try again later"] * 2
    assert later == [b"250 2.0.0 The app was told"]
    assert "needs the app's SECRET_KEY" in (server.folder / "errors").read_text()
    assert server.stop()[0] == 0


def test_a_stop(start: t.Any) -> None:
    """At SIGTERM the message in hand gets its reply, one that waits a 451, and the others are
    hung up on."""
    server = start(KEY="secret")
    os.mkfifo(server.folder / "gate")
    idle, busy, waiting = server.client(), server.client(), server.client()
    with contextlib.closing(idle), contextlib.closing(busy), contextlib.closing(waiting):
        for client, recipient in ((busy, "slow@example.org"), (waiting, "ann@example.org")):
            client.mail("")
            client.rcpt("bounces@shop.example")
            client.docmd("DATA")
            client.send(bounce_to(recipient).replace(b"\n", b"\r\n") + b"\r\n.\r\n")
            if client is busy:
                assert server.line() == "told slow@example.org False\n"
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            idle.getreply()
        with (server.folder / "gate").open() as gate:
            assert gate.read() == "told"
        assert busy.getreply() == (250, b"2.0.0 The app was told")
        assert waiting.getreply()[0] == 451

    assert server.process.wait(60) == 0


def test_a_unix_socket(start: t.Any, tmp_path: Path) -> None:
    """It listens on a path, which other users can use, and which a second server does not take."""
    (tmp_path / "sub").mkdir()
    path = tmp_path / "sub" / "bounces.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))  # of a server that was killed
    server = start(str(path))

    assert server.place == str(path)
    assert path.stat().st_mode & 0o777 == 0o666
    assert server.deliver(b"", "bounces@shop.example") == [b"250 2.0.0 Not a notification"]
    second = run(f"unix:{path}")
    assert (second.exit_code, "Is another program listening there?" in second.output) == (75, True)
    code, rest = server.stop()
    assert (code, rest.endswith("Stopped.\n")) == (0, True)
    assert not path.exists()


def run(*options: str) -> Result:
    """Run the command in this process. It does not listen."""
    app = Flask("shop")
    Mail(app)
    return app.test_cli_runner().invoke(args=["mail", "bounce", "--lmtp", *options])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["2400"], "--lmtp must be like 127.0.0.1:2400"),
        (["127.0.0.1:99999"], "--lmtp must be like 127.0.0.1:2400"),
        (["192.0.2.1:2400"], "add --dangerously-listen-on-network"),
        (["192.0.2.1:2400", "--dangerously-listen-on-network"], "Cannot listen on 192.0.2.1:2400"),
        (["127.0.0.1:0", "--recipient", "a@b.example"], "Leave out --recipient"),
        (["nowhere/bounces.sock"], "Cannot listen on nowhere/bounces.sock: No such file"),
        ([__file__], "is not a socket: name a path at which there is nothing yet"),
        (["/dev/null"], "/dev/null is not a socket"),
        (["/"], "/ is not a socket"),
    ],
)
def test_a_wrong_place(options: list[str], said: str) -> None:
    """The error says what to write."""
    done = run(*options)

    assert (done.exit_code, said in done.output) == (75, True), done.output
