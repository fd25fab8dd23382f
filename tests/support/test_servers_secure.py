"""TLS and login of the scripted server, with their failures."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import typing as t

import pytest

from servers import After
from servers import CLOSE_NOTIFY
from servers import DROP
from servers import drop_after
from servers import ScriptedServer
from servers import Then

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from servers.certificates import Certificates

    Scripted = Callable[..., ScriptedServer]

CONTENT = "Subject: Hi\r\n\r\n.dot\r\n\r\nbye\r\n"
FROM = "a@example.com"
TO = ["b@example.com", "c@example.com"]


def connect(server: ScriptedServer) -> smtplib.SMTP:
    return smtplib.SMTP(server.host, server.port, local_hostname="localhost", timeout=60)


def test_tls(scripted: Scripted, certificates: Certificates, no_leaks: None) -> None:
    """TLS from the first octet."""
    server = scripted(tls=certificates.valid, require_tls=True)
    with smtplib.SMTP_SSL(
        server.host, server.port, local_hostname="localhost", context=certificates.client()
    ) as client:
        client.sendmail(FROM, TO, CONTENT)

    assert server.connections[0].tls
    assert len(server.accepted) == 1


def test_starttls(scripted: Scripted, certificates: Certificates, no_leaks: None) -> None:
    """STARTTLS; extensions and login may differ after it."""
    server = scripted(
        starttls=certificates.valid,
        extensions=["SIZE 1"],
        extensions_tls=["SIZE 2"],
        users={"ann": "secret"},
        require_tls=True,
    )
    with connect(server) as client:
        client.ehlo()
        assert client.esmtp_features == {"size": "1", "starttls": ""}
        client.starttls(context=certificates.client())
        client.ehlo()

    assert client.esmtp_features == {"size": "2", "auth": " PLAIN LOGIN"}


REASONS = {
    "expired": "certificate has expired",
    "wrong_host": "not valid for '127.0.0.1'|mismatch",
    "untrusted": "unable to get local issuer",
    # TLS 1.3 tells the client only in its first read.
    "client_required": "certificate required|closed",
}


@pytest.mark.parametrize("fault", REASONS)
def test_bad_certificates(certificates: Certificates, fault: str, no_leaks: None) -> None:
    """Each bad certificate fails for the reason in its name."""
    with (
        ScriptedServer(tls=getattr(certificates, fault)) as server,
        pytest.raises(
            OSError, match=r"expired|mismatch|doesn't match|local issuer|required|closed"
        ),
    ):
        smtplib.SMTP_SSL(
            server.host, server.port, local_hostname="localhost", context=certificates.client()
        )


def test_client_certificate(certificates: Certificates, no_leaks: None) -> None:
    """A client with a certificate of the CA is accepted."""
    context = certificates.client()
    context.load_cert_chain(certificates.client_cert_file, certificates.client_key_file)
    with (
        ScriptedServer(tls=certificates.client_required) as server,
        smtplib.SMTP_SSL(
            server.host, server.port, local_hostname="localhost", context=context
        ) as client,
    ):
        assert client.noop()[0] == 250


@pytest.mark.parametrize(
    "on",
    [
        {"STARTTLS": Then("220 go", DROP)},
        {"STARTTLS": "454 4.7.0 not now"},
        {"handshake": drop_after(50)},
        {"handshake": After(50, b"220 what handshake?\r\n")},
    ],
)
def test_spoilt_starttls(certificates: Certificates, on: dict[str, t.Any], no_leaks: None) -> None:
    """Whatever fails in STARTTLS, the connection ends, and the server can be stopped."""
    with ScriptedServer(starttls=certificates.valid, on=on) as server:
        client = connect(server)
        client.ehlo()
        with pytest.raises((OSError, smtplib.SMTPException)):
            client.starttls(context=certificates.client())
        client.close()

    assert not server.connections[0].tls


def test_injected_reply(certificates: Certificates, no_leaks: None) -> None:
    """A client that continues after plaintext following the 220 breaks the protocol (smtplib
    does)."""
    injected = {"STARTTLS": b"220 go\r\n250 injected\r\n"}
    with (
        ScriptedServer(starttls=certificates.valid, on=injected) as server,
        connect(server) as client,
    ):
        client.ehlo()
        client.starttls(context=certificates.client())
        client.ehlo()

    assert [breach.partition(":")[0] for breach in server.breaches] == ["F-77"]


def test_close_notify(certificates: Certificates, no_leaks: None) -> None:
    """CLOSE_NOTIFY ends TLS properly. DROP does not."""
    for action, ragged in ((CLOSE_NOTIFY, False), (DROP, True)):
        with (
            ScriptedServer(tls=certificates.valid, on={"greeting": action}) as server,
            socket.create_connection((server.host, server.port), timeout=60) as sock,
            certificates.client().wrap_socket(
                sock, server_hostname=server.host, suppress_ragged_eofs=False
            ) as client,
        ):
            try:
                assert client.recv(1) == b""
                assert not ragged
            except ssl.SSLEOFError:
                assert ragged


@pytest.mark.parametrize("password", ["secret", "wrong"])
@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_login(scripted: Scripted, mechanism: str, initial: bool, password: str) -> None:
    """PLAIN and LOGIN, with and without an initial response."""
    server = scripted(users={"ann": "secret"})
    with connect(server) as client:
        client.ehlo()
        client.user, client.password = "ann", password
        with contextlib.suppress(smtplib.SMTPAuthenticationError):
            client.auth(
                mechanism, getattr(client, f"auth_{mechanism}"), initial_response_ok=initial
            )

    assert server.connections[0].logged_in == (password == "secret")


@pytest.mark.parametrize("token", ["good", "bad"])
@pytest.mark.parametrize(
    ("mechanism", "form", "resignation"),
    [
        ("XOAUTH2", "user=ann\1auth=Bearer {}\1\1", ""),
        ("OAUTHBEARER", "n,a=ann,\1host=localhost\1port=25\1auth=Bearer {}\1\1", "\1"),
    ],
)
def test_token(scripted: Scripted, mechanism: str, form: str, resignation: str, token: str) -> None:
    """A refused token gets a challenge with the reason, which the client answers."""
    server = scripted(tokens={"ann": "good"})
    answers = {None: form.format(token)}
    with connect(server) as client:
        client.ehlo()
        with contextlib.suppress(smtplib.SMTPAuthenticationError):
            client.auth(mechanism, lambda challenge=None: answers.get(challenge, resignation))

    assert server.connections[0].logged_in == (token == "good")


def test_declared_challenge(scripted: Scripted) -> None:
    """C-92: a client may cancel a declared challenge with "*"."""
    server = scripted(users={"ann": "secret"}, on={"AUTH": "334 d2hhdD8="})
    with connect(server) as client:
        client.ehlo()
        assert client.docmd("AUTH", "PLAIN AGFubgBzZWNyZXQ=") == (334, b"d2hhdD8=")
        assert client.docmd("*") == (501, b"5.7.0 cancelled")

    assert server.commands[-2:] == ["*", "QUIT"]
