"""Third-party servers, as the tests use them: aiosmtpd, Postfix, smtp-sink."""

from __future__ import annotations

import base64
import smtplib
import socket
import threading
import typing as t

import pytest

from servers.aiosmtpd_server import AiosmtpdServer
from servers.postfix import Postfix
from servers.smtp_sink import SmtpSink

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from servers.certificates import Certificates

FROM = "a@example.com"
TO = ["b@example.com", "c@example.com"]
CONTENT = "Subject: Hi\r\n\r\n.dot\r\n\r\nbye\r\n"


@pytest.mark.parametrize("users", [None, {"ann": "secret"}])
@pytest.mark.parametrize("mode", ["plain", "starttls", "tls"])
def test_aiosmtpd(
    aiosmtpd_server: Callable[..., AiosmtpdServer],
    certificates: Certificates,
    mode: str,
    users: dict[str, str] | None,
    no_leaks: None,
) -> None:
    """Aiosmtpd keeps the messages that it was given, in each mode, and requires TLS and login."""
    secure: dict[str, t.Any] = {} if mode == "plain" else {mode: certificates.valid}
    server = aiosmtpd_server(users=users, **secure)
    client = (
        smtplib.SMTP_SSL(
            server.host, server.port, local_hostname="localhost", context=certificates.client()
        )
        if mode == "tls"
        else smtplib.SMTP(server.host, server.port, local_hostname="localhost")
    )
    with client:
        if mode == "starttls":
            client.ehlo()
            assert client.mail(FROM)[0] == 530
            client.starttls(context=certificates.client())
        if users:
            client.ehlo()
            assert client.mail(FROM)[0] == 530
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("ann", "wrong")
            client.login("ann", "secret")
        client.sendmail(FROM, TO, CONTENT)

    assert server.messages == [(FROM, TO, CONTENT.encode())]


@pytest.mark.parametrize("mode", ["plain", "starttls", "tls"])
def test_aiosmtpd_stops(certificates: Certificates, mode: str, no_leaks: None) -> None:
    """Stopping closes connections that are open, in each mode, without a warning."""
    secure: dict[str, t.Any] = {} if mode == "plain" else {mode: certificates.valid}
    with AiosmtpdServer(**secure) as server:
        client = socket.create_connection((server.host, server.port), timeout=60)
        if mode == "tls":
            client = certificates.client().wrap_socket(client, server_hostname=server.host)
        assert client.recv(3) == b"220"
        if mode == "starttls":
            client.sendall(b"EHLO localhost\r\nSTARTTLS\r\n")
            while b"Ready to start TLS" not in client.recv(1000):
                pass
            client = certificates.client().wrap_socket(client, server_hostname=server.host)
    client.close()


def test_aiosmtpd_stops_in_a_handshake(certificates: Certificates, no_leaks: None) -> None:
    """Stopping closes a connection whose client has not answered STARTTLS yet."""
    server = AiosmtpdServer(starttls=certificates.valid).start()
    with socket.create_connection((server.host, server.port), timeout=30) as client:
        client.sendall(b"EHLO localhost\r\nSTARTTLS\r\n")
        while b"Ready to start TLS" not in client.recv(1000):
            pass
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        assert client.recv(1) == b""
        stopping.join()


def content(message_id: str) -> str:
    fields = "From: a@example.com\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n"
    return f"Message-ID: {message_id}\r\n{fields}{CONTENT}"


@pytest.mark.services
def test_postfix_delivers(postfix: Postfix) -> None:
    """A message that Postfix delivers can be read back, octet for octet, one copy for each
    recipient."""
    sent = content("<1@test.example>")
    with smtplib.SMTP(postfix.host, postfix.ports["plain"], local_hostname="localhost") as client:
        client.sendmail(FROM, [*TO, "d@elsewhere.example"], sent)

    copies = postfix.wait_for("<1@test.example>", copies=2)
    assert [copy.recipient for copy in copies] == TO
    assert [copy.content for copy in copies] == [sent.encode()] * 2
    assert {copy.sender for copy in copies} == {FROM}


@pytest.mark.services
def test_postfix_refuses(postfix: Postfix) -> None:
    """Postfix refuses an unknown address, defers a greylisted one, and refuses an unwanted
    sender."""
    with smtplib.SMTP(postfix.host, postfix.ports["plain"], local_hostname="localhost") as client:
        client.ehlo()
        assert client.mail("refused@example.com")[0] == 550
        assert client.mail(FROM)[0] == 250
        code, text = client.rcpt("unknown@example.com")
        assert (code, text[:5]) == (550, b"5.1.1")
        assert client.rcpt("later@example.com")[0] == 450


@pytest.mark.services
def test_postfix_limits_recipients(postfix: Postfix) -> None:
    """The 51st recipient is refused with 452 4.5.3."""
    with smtplib.SMTP(postfix.host, postfix.ports["limited"], local_hostname="localhost") as client:
        client.ehlo()
        client.mail(FROM)
        replies = [client.rcpt(f"r{number}@example.com") for number in range(51)]

    assert {code for code, _ in replies[:50]} == {250}
    assert replies[50] == (452, b"4.5.3 Error: too many recipients")


@pytest.mark.services
def test_postfix_rejects_a_bare_newline(postfix: Postfix) -> None:
    """C-1 is judged by Postfix too."""
    with smtplib.SMTP(postfix.host, postfix.ports["plain"], local_hostname="localhost") as client:
        client.ehlo()
        client.mail(FROM)
        client.rcpt(TO[0])
        client.docmd("DATA")
        client.send(b"Subject: x\r\n\r\na\nb\r\n.\r\n")
        assert client.getreply()[0] == 550


@pytest.mark.services
@pytest.mark.parametrize("port", ["starttls", "submission", "submissions"])
def test_postfix_secures(postfix: Postfix, certificates: Certificates, port: str) -> None:
    """STARTTLS, TLS, and login where it is required, with a password that is not ASCII."""
    client: smtplib.SMTP
    if port == "submissions":
        client = smtplib.SMTP_SSL(
            postfix.host,
            postfix.ports[port],
            local_hostname="localhost",
            context=certificates.client(),
        )
    else:
        client = smtplib.SMTP(postfix.host, postfix.ports[port], local_hostname="localhost")
        client.ehlo()
        assert client.mail(FROM)[0] == 530
        client.starttls(context=certificates.client())
    with client:
        client.ehlo()
        if port != "starttls":
            client.mail(FROM)
            assert client.rcpt(TO[0])[0] == 554
            client.rset()
            assert client.docmd("AUTH", plain(postfix.user, "wrong"))[0] == 535
            assert client.docmd("AUTH", plain(postfix.user, postfix.password))[0] == 235
        client.sendmail(FROM, TO[0], content(f"<{port}@test.example>"))

    postfix.wait_for(lambda copy: copy.message["Message-ID"] == f"<{port}@test.example>")


def plain(user: str, password: str) -> str:
    response = b"\0".join([b"", user.encode(), password.encode()])
    return f"PLAIN {base64.b64encode(response).decode()}"


@pytest.mark.services
def test_postfix_tells_what_it_waited_for(postfix: Postfix) -> None:
    """A message that does not arrive ends in an error with Postfix's log."""
    with pytest.raises(TimeoutError, match=r"(?s)copies of <no@where>.*postfix/"):
        postfix.wait_for("<no@where>", timeout=0)


@pytest.mark.services
@pytest.mark.parametrize(
    ("flags", "code"), [((), 250), (("-f", "RCPT"), 500), (("-r", "RCPT"), 450)]
)
def test_smtp_sink(
    smtp_sink: Callable[..., SmtpSink], flags: tuple[str, ...], code: int, no_leaks: None
) -> None:
    """Smtp-sink accepts everything, or fails in the way that its flags name."""
    sink = smtp_sink(*flags)
    with smtplib.SMTP(sink.host, sink.port, local_hostname="localhost") as client:
        client.ehlo()
        client.mail(FROM)

        assert client.rcpt(TO[0])[0] == code
