"""The SMTP server for tests."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
import sys
import threading
import typing as t
from email.message import EmailMessage

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from flask_mailhandler import Attachment
from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConnectError
from flask_mailhandler import DeferredError
from flask_mailhandler import LoginError
from flask_mailhandler import Mail
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import RefusedError
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler import SMTPServer
from flask_mailhandler import TLSError
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.testing.connection import MAX_SIZE

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ANN, BOB = "ann@example.com", "bob@example.com"
UNHURRIED = {"MAIL_TIMEOUT": 60, "MAIL_CONNECT_TIMEOUT": 60}


@pytest.fixture
def server(no_leaks: None) -> Iterator[SMTPServer]:
    with SMTPServer() as server:
        yield server


@contextlib.contextmanager
def captured(server: SMTPServer, **config: t.Any) -> Iterator[Mail]:
    """The Mail of an app with this configuration, which sends to the server."""
    app = Flask("wire")
    app.config.update(MAIL_DEFAULT_FROM="shop@example.com", **UNHURRIED, **config)
    mail = Mail(app)
    with app.app_context(), mail.capture(server=server):
        yield mail


def message(**fields: t.Any) -> Message:
    return Message(**{"subject": "Hi", "text": "Hello", "to": ANN, **fields})


def test_what_arrives(server: SMTPServer) -> None:
    """A message at the server reads as if captured in memory, Bcc included."""
    bill = Attachment(b"%PDF", filename="bill.pdf")
    with captured(server) as mail:
        report = mail.send(
            message(subject="Grüße", html="<p>Hello <b>Ann", bcc=BOB, attachments=bill)
        )

    arrived = server.outbox.one(to=BOB, subject="Grüße")
    assert arrived.from_addr == "shop@example.com"
    assert arrived.to == [ANN]
    assert arrived.bcc == [BOB]
    assert arrived.text == "Hello"
    assert arrived.select("b")[0].text == "Ann"
    assert arrived.attachment("bill.pdf").data == b"%PDF"
    assert arrived.message_id == report.message_id
    assert arrived.report.accepted == [ANN, BOB]
    assert report.outcomes[0].text == "OK"


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=60
)


@settings(deadline=None, max_examples=60)
@given(
    subject=WORDS, lines=st.lists(WORDS, max_size=4), data=st.binary(max_size=200), filename=WORDS
)
def test_both_ways_read_the_same(
    shared: SMTPServer, subject: str, lines: list[str], data: bytes, filename: str
) -> None:
    """Every message reads the same over the wire as in memory."""
    sent = message(
        subject=subject,
        text="\n".join([*lines, "."]),
        html="<p>".join([*lines, "."]),
        from_addr="shop@example.com",
        # A name of white space alone is none, whichever kind of white space it is.
        attachments=Attachment(
            data, filename=re.sub(r"^[\s/\\.]+|[\s/\\.]+$", "", filename) or "x"
        ),
    )
    memory = MemoryEmailHandler()
    memory.send([sent])
    wire = SMTPEmailHandler(host=shared.host, port=shared.port)
    wire.send([sent])
    wire.close()

    here, there = memory.outbox[0], shared.outbox[-1]
    assert there.content == here.content
    assert there.envelope == here.envelope
    assert (there.subject, there.text, there.html) == (here.subject, here.text, here.html)
    assert [(a.filename, a.data) for a in there.attachments] == [
        (a.filename, a.data) for a in here.attachments
    ]


@pytest.fixture(scope="module")
def shared() -> Iterator[SMTPServer]:
    with SMTPServer() as server:
        yield server


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"MAIL_URL": "smtp://localhost"}, []),
        ({"MAIL_URL": "smtp://mx.example.com"}, ["STARTTLS"]),
        ({"MAIL_URL": "smtp://mx.example.com:2525?security=none"}, []),
        ({"MAIL_URL": "smtp://shop:secret@mx.example.com:587"}, ["STARTTLS", "AUTH PLAIN ***"]),
        ({"MAIL_URL": "smtps://shop:secret@mx.example.com"}, ["AUTH PLAIN ***"]),
        (
            {
                "MAIL_URL": "smtps://mx.example.com",
                "MAIL_USERNAME": "shop",
                "MAIL_OAUTH_TOKEN": lambda: "ya29",
            },
            ["AUTH OAUTHBEARER ***"],
        ),
        (
            {
                "MAIL_URL": "smtps://mx.example.com",
                "MAIL_TLS_CONTEXT": ssl.create_default_context(),
            },
            [],
        ),
        ({"MAIL_HANDLER": "file", "MAIL_FOLDER": "mail", "MAIL_USERNAME": "x"}, []),
        ({"TESTING": True}, []),
    ],
)
def test_as_the_app_is_configured(
    server: SMTPServer, config: dict[str, t.Any], said: list[str]
) -> None:
    """Messages are sent to the server as the app is configured: encrypted and logged in."""
    with captured(server, **config) as mail:
        mail.send(message())

    assert len(server.outbox) == 1
    assert [line for line in server.commands if line[:4] in ("STAR", "AUTH")] == said


def test_every_account(server: SMTPServer) -> None:
    """Each account sends as it is configured."""
    accounts = {
        "bulk": {"url": "smtps://bulk:x@bulk.example.com", "recipients_per_message": 1},
        "local": {"host": "localhost"},
    }
    with captured(server, MAIL_HOST="mx.example.com", MAIL_ACCOUNTS=accounts) as mail:
        mail.send(message(to=[ANN, BOB]), using="bulk")
        mail.send(message(), using="local")
        mail.send(message())

    recipients = [captured.envelope.recipients for captured in server.outbox]
    assert recipients == [[ANN], [BOB], [ANN], [ANN]]


def test_failures_on_the_wire(server: SMTPServer) -> None:
    """Failures of the outbox apply to the server."""
    outbox = server.outbox
    with captured(server) as mail:
        with outbox.fail("refused", to=BOB):
            assert mail.send(message(to=[ANN, BOB])).refused == [BOB]
        with outbox.fail("deferred"), pytest.raises(DeferredError, match="451"):
            mail.send(message())
        with outbox.fail("unknown"), pytest.raises(UnknownOutcomeError):
            mail.send(message())
        mail.handler.close()
        with outbox.fail("connect"), pytest.raises(ConnectError):
            mail.send(message())
        assert mail.send(message()).ok

    assert [captured.envelope.recipients for captured in outbox] == [[ANN], [ANN]]


@pytest.mark.parametrize(
    ("step", "reply", "error", "said"),
    [
        ("connect", None, ConnectError, "closed the connection"),
        ("greeting", "554 5.3.2 Not today", ConnectError, "greets with 554 5.3.2 Not today"),
        ("EHLO", "421 4.3.2 Later", ConnectError, "answers EHLO with 421"),
        ("STARTTLS", "454 4.7.0 Later", TLSError, "refuses STARTTLS: 454"),
        ("AUTH", "535 5.7.8 Wrong", LoginError, "535"),
        ("AUTH", None, LoginError, "closed the connection"),
        ("MAIL", "550 5.7.1 Not you", RefusedError, "550 5.7.1 Not you"),
        ("RCPT", "550-5.7.1 See\n550 5.7.1 https://x.example", RefusedError, "550 5.7.1 See https"),
        ("DATA", "451 4.3.0 Later", DeferredError, "451"),
        ("end of data", "554 5.6.0 Spam", RefusedError, "554 5.6.0 Spam"),
        ("end of data", None, UnknownOutcomeError, "at end of data"),
    ],
)
def test_a_reply_of_its_own(
    server: SMTPServer, step: t.Any, reply: str | None, error: t.Any, said: str
) -> None:
    """reply() sets the reply to any step, as often as wanted."""
    scripted = server.reply(step, reply, times=1)
    with captured(server, MAIL_URL="smtp://shop:secret@mx.example.com") as mail:
        with pytest.raises(error, match=said):
            mail.send(message())
        assert server.outbox == []
        if error is not LoginError:  # which is not retried at once
            assert mail.send(message()).ok

    assert scripted.met == 1


@pytest.mark.parametrize(
    ("step", "reply", "said"),
    [
        ("RCPT", "no", "'no' is not a reply"),
        ("RCPT", "550 a\n551 b", "is not a reply"),
        ("RCPT", "250 ok\r\n250 x", "is not a reply"),
        ("RCPT", "550-a", "is not a reply"),
        ("VRFY", "250 ok", "'VRFY' is not a step. Write one of connect, greeting"),
    ],
)
def test_what_is_no_reply(step: t.Any, reply: str, said: str) -> None:
    """An invalid reply, or a step that does not exist, is refused."""
    with pytest.raises(ValueError, match=said):
        SMTPServer().reply(step, reply)


def test_users(no_leaks: None) -> None:
    """A server with users requires a login, and checks it."""
    with SMTPServer(users={"shop": "secret", "app": "ya29"}) as server:
        with captured(server, MAIL_URL="smtps://shop:secret@mx.example.com") as mail:
            assert mail.send(message()).ok
        token = {"MAIL_USERNAME": "app", "MAIL_OAUTH_TOKEN": "ya29"}
        with captured(server, MAIL_URL="smtps://mx.example.com", **token) as mail:
            assert mail.send(message()).ok
        for url in ("smtps://shop:other@mx.example.com", "smtps://mx.example.com"):
            with captured(server, MAIL_URL=url) as mail, pytest.raises(LoginError):
                mail.send(message())


@pytest.mark.parametrize("login", ["auth_plain", "auth_login"])
@pytest.mark.parametrize("initial", [True, False])
def test_other_clients(server: SMTPServer, login: str, initial: bool) -> None:
    """Any client can send to it: with TLS and a certificate to trust, and any login."""
    mime = EmailMessage()
    mime["From"], mime["To"], mime["Subject"] = "a@example.com", ANN, "Hi"
    mime.set_content(".dot\n..dots\n.\n")
    trusting = ssl.create_default_context(cadata=server.certificates.authority.decode())

    with smtplib.SMTP(server.host, server.port) as client:
        client.starttls(context=trusting)
        client.ehlo()
        client.user, client.password = "shop", "secret"
        client.auth(login[5:].upper(), getattr(client, login), initial_response_ok=initial)
        client.send_message(mime)
    with smtplib.SMTP_SSL("localhost", server.tls_port, context=trusting) as client:
        client.send_message(mime)

    assert [captured.text for captured in server.outbox] == [".dot\n..dots\n.\n"] * 2


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        (b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nRSET\r\n", [250, 250, 250, 250]),
        (b"RCPT TO:<a@b.example>\r\nDATA\r\n", [503, 554]),
        (b"MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\nDATA\r\n", [250, 503, 554]),
        (b"MAIL FROM:a@b.example\r\nMAIL FROM:<nobody>\r\nMAIL\r\n", [501, 501, 501]),
        (b"MAIL FROM:<a@b.example>\r\nRCPT TO:<>\r\nRCPT TO:<\xff@b>\r\n", [250, 501, 501]),
        (b"VRFY x\r\n\r\n\xff\xfe\r\nNOOP\r\n", [502, 502, 502, 250]),
        (b"AUTH\r\nAUTH MD5\r\nAUTH PLAIN !\r\nAUTH PLAIN AA==\r\n", [504, 504, 535, 535]),
        (
            b"AUTH XOAUTH2 AA==\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN =\r\n*\r\n",
            [535, 334, 535, 334, 535],
        ),
        (b"EHLO x\nQUIT\n", [250, 221]),
        (b"x" * 70_000 + b"\r\n", [421]),
        (
            b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n.\r\nNOOP\r\n",
            [250, 250, 354, 250, 250],
        ),
    ],
)
def test_a_client_that_says_anything(server: SMTPServer, said: bytes, codes: list[int]) -> None:
    """For any input, in one write or octet by octet, each command gets one reply."""
    for size in (len(said), 1):
        if size == 1 and len(said) > 1000:
            continue
        with socket.create_connection((server.host, server.port)) as client:
            for start in range(0, len(said), size):
                client.sendall(said[start : start + size])
            client.shutdown(socket.SHUT_WR)
            lines = client.makefile("rb").read().splitlines()
        assert [int(line[:3]) for line in lines if line[3:4] != b"-"] == [220, *codes]


def test_foreign_content(server: SMTPServer) -> None:
    """Content that is not a message is captured as it is."""
    octets = b"\xff\xfe\0 no header\r\n\r\n" + b"Content-Type: multipart/mixed\r\n" * 100
    with smtplib.SMTP(server.host, server.port) as client:
        client.sendmail("a@example.com", [ANN, BOB], octets)

    assert bytes(server.outbox[0].content) == octets
    assert server.outbox[0].envelope.recipients == [ANN, BOB]
    assert server.outbox.find(to=BOB, subject="") == server.outbox


def test_a_message_that_is_too_large(server: SMTPServer) -> None:
    """Content that is too large is refused, and never completely in memory."""
    with socket.create_connection((server.host, server.port)) as client:
        client.sendall(b"MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\n")
        for _ in range(2 * MAX_SIZE >> 20):
            client.sendall(b"x" * (1 << 20))
        client.sendall(b"\r\n.\r\nQUIT\r\n")
        lines = client.makefile("rb").read().splitlines()

    assert [line[:3] for line in lines[-2:]] == [b"552", b"221"]
    assert server.outbox == []


def test_one_connection_for_many(server: SMTPServer) -> None:
    """A list is sent over one connection."""
    with captured(server) as mail:
        mail.send([message(subject=str(number)) for number in range(20)])

    assert [captured.subject for captured in server.outbox] == [*map(str, range(20))]
    assert server.commands.count("QUIT") <= 1
    assert sum(line.startswith("EHLO") for line in server.commands) == 1


def test_waiting_for_mail_of_a_thread(server: SMTPServer) -> None:
    """wait_for() returns when a thread has sent the message."""
    go = threading.Event()

    def work() -> None:
        go.wait()
        handler = SMTPEmailHandler(host=server.host, port=server.port)
        handler.send([message(from_addr=BOB)])
        handler.close()

    thread = threading.Thread(target=work)
    thread.start()
    go.set()

    assert server.outbox.wait_for(to=ANN, timeout=60).subject == "Hi"
    thread.join()


def test_without_the_extra(server: SMTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without the extra says what to install before anything is sent."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    monkeypatch.delitem(sys.modules, "flask_mailhandler.testing.certificates", raising=False)

    with (
        pytest.raises(ConfigurationError, match=r"pip install 'Flask-MailHandler\[testing\]'"),
        captured(server, MAIL_URL="smtps://mx.example.com"),
    ):
        pass
    with captured(server, MAIL_URL="smtp://localhost") as mail:
        assert mail.send(message()).ok


def test_start_and_stop(no_leaks: None) -> None:
    """A stopped server does not respond. It can be started again, and its repr shows its state."""
    server = SMTPServer()
    assert repr(server) == "<SMTPServer stopped, 0 captured>"
    server.start()
    port = server.port
    with socket.create_connection((server.host, port)) as idle, idle.makefile("rb") as said:
        assert said.readline() == b"220 localhost ESMTP\r\n"
        server.stop()
        server.stop()
        assert said.read() == b""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((server.host, port))
    with server:
        assert repr(server) == f"<SMTPServer on 127.0.0.1:{server.port}, 0 captured>"
        assert server.url == f"smtp://127.0.0.1:{server.port}?security=none"
    with pytest.raises(RuntimeError, match="not started"), captured(server):
        pass


@pytest.mark.parametrize("said", [b"", b"EHLO x\r\nSTARTTLS\r\n", b"DATA\r\n", b"AUTH LOGIN\r\n"])
def test_stopping_while_a_client_is_silent(no_leaks: None, said: bytes) -> None:
    """The server stops whatever a client has not finished, even a TLS handshake."""
    with contextlib.ExitStack() as clients, SMTPServer() as server:
        for port in (server.port, server.tls_port):
            client = clients.enter_context(socket.create_connection((server.host, port)))
            client.sendall(said if port == server.port else b"")
            if port == server.port:
                client.recv(1)


def test_a_certificate_of_somebody_else(server: SMTPServer) -> None:
    """Only a client with the server's certificate trusts it."""
    with (
        socket.create_connection((server.host, server.tls_port)) as client,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        ssl.create_default_context().wrap_socket(client, server_hostname="localhost")
