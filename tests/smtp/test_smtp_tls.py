"""Encrypted and verified, or not at all."""

from __future__ import annotations

import re
import ssl
import time
import typing as t

import pytest

from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConnectError
from flask_mailhandler import DeferredError
from flask_mailhandler import TLSError
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from flask_mailhandler.phase import Phase
from flask_mailhandler.smtp.stream import Stream
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states
from servers import After
from servers import DROP
from servers import drop_after
from servers import RESET
from servers import ScriptedServer
from servers import SILENCE
from servers import Then
from servers.waiting import until

if t.TYPE_CHECKING:
    from pathlib import Path

    from servers.certificates import Certificates

SECURITIES = pytest.mark.parametrize("security", ["tls", "starttls"])


def start(
    scripted: Scripted, security: str, context: ssl.SSLContext, **declared: t.Any
) -> ScriptedServer:
    """A server that requires TLS and a login, and records a client that sends either in clear
    text."""
    given: dict[str, t.Any] = {security: context, "users": {"ann": "secret"}, "require_tls": True}
    return scripted(**given, **declared)


def secure(
    server: ScriptedServer, certificates: Certificates, security: str, **options: t.Any
) -> SMTPEmailHandler:
    given = {"tls_ca_file": certificates.ca_file, "username": "ann", "password": "secret"}
    return smtp(server, security=security, **(given | options))


def failure(handler: SMTPEmailHandler) -> DeferredError:
    """The error of a message without a session."""
    (report,) = handler.send([letter()])

    assert states(report) == [DEFERRED]
    assert isinstance(report.error, DeferredError)
    return report.error


def failures(handler: SMTPEmailHandler, server: ScriptedServer) -> DeferredError:
    """The error of two sendings, one after the other, both without a session; no login and no
    message was sent over any connection."""
    failure(handler)
    error = failure(handler)
    # A client that gave up may have gone before the server has looked.
    until(lambda: len(server.connections) >= 2, 60, "both connections")
    server.settle()
    assert len(server.connections) == 2
    spoken = {command.split(" ")[0] for command in server.commands}
    assert spoken <= {"EHLO", "HELO", "STARTTLS", "QUIT"}
    return error


@SECURITIES
def test_encrypted(
    scripted: Scripted, certificates: Certificates, security: str, no_leaks: None
) -> None:
    """C-2, C-96, C-97: TLS, then EHLO again, and what was offered before is forgotten."""
    server = start(
        scripted, security, certificates.valid, extensions=["SIZE 1"], extensions_tls=["8BITMIME"]
    )

    reports = secure(server, certificates, security).send(letters(2))
    server.settle()

    assert all(report.ok for report in reports)
    (connection,) = server.connections
    assert connection.tls and connection.logged_in
    clear = ["EHLO [127.0.0.1]", "STARTTLS"] if security == "starttls" else []
    assert connection.commands[: len(clear) + 1] == [*clear, "EHLO [127.0.0.1]"]
    assert server.accepted[0].parameters == {}


@SECURITIES
@pytest.mark.parametrize(
    ("fault", "temporary", "text"),
    [
        ("untrusted", False, "its certificate was not accepted: .*set MAIL_TLS_CA_FILE to its"),
        ("expired", False, r"certificate has expired\. The server needs a new certificate\."),
        ("wrong_host", False, r"mismatch.*Set MAIL_HOST to the name in the certificate\."),
        ("client_required", True, "set MAIL_TLS_CERT_FILE and MAIL_TLS_KEY_FILE"),
    ],
)
def test_bad_certificates(
    scripted: Scripted,
    certificates: Certificates,
    security: str,
    fault: str,
    temporary: bool,
    text: str,
    no_leaks: None,
) -> None:
    """C-98, PROTOCOL 20: a bad certificate, or a missing client certificate."""
    server = start(scripted, security, getattr(certificates, fault))

    error = failures(secure(server, certificates, security), server)

    assert isinstance(error, TLSError)
    assert error.phase is Phase.TLS
    assert error.temporary is temporary
    assert re.search(f"No encrypted connection to .*{text}", str(error))


@SECURITIES
def test_client_certificate(scripted: Scripted, certificates: Certificates, security: str) -> None:
    """A client certificate that the server requires."""
    server = start(scripted, security, certificates.client_required)
    handler = secure(
        server,
        certificates,
        security,
        tls_cert_file=certificates.client_cert_file,
        tls_key_file=certificates.client_key_file,
    )

    (report,) = handler.send([letter()])

    assert report.ok


def test_own_context(scripted: Scripted, certificates: Certificates) -> None:
    """A context of your own is used as it is."""
    server = start(scripted, "tls", certificates.valid)
    handler = secure(
        server, certificates, "tls", tls_ca_file=None, tls_context=certificates.client()
    )

    assert handler.send([letter()])[0].ok


def test_system_authorities(scripted: Scripted, certificates: Certificates) -> None:
    """By default only the system's authorities count, and no private one."""
    server = start(scripted, "tls", certificates.valid)

    error = failures(smtp(server, security="tls"), server)

    assert isinstance(error, TLSError)


def test_context(certificates: Certificates) -> None:
    """TLS 1.2 at the least, verified, and the context is built once."""
    server = SMTPEmailHandler(security="tls", tls_ca_file=certificates.ca_file).server

    context = server.tls_context()

    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context is server.tls_context()


@pytest.mark.parametrize("on", [{}, {"EHLO": "500 no"}])
def test_no_starttls(scripted: Scripted, on: dict[str, t.Any]) -> None:
    """F-17: STARTTLS is configured and not offered, or EHLO is not even understood."""
    server = scripted(on=on, users={"ann": "secret"}, require_tls=True)

    error = failures(smtp(server, security="starttls", username="ann", password="secret"), server)

    assert isinstance(error, TLSError)
    assert not error.temporary
    assert "does not offer STARTTLS. Set MAIL_SECURITY = 'tls' and the TLS port" in str(error)


@pytest.mark.parametrize(
    ("on", "temporary", "text"),
    [
        ({"STARTTLS": "454 4.7.0 not now"}, True, r"refuses STARTTLS: 454 4\.7\.0 not now\."),
        ({"STARTTLS": "501 5.5.4 no"}, False, r"refuses STARTTLS: 501 5\.5\.4 no\."),
        ({"STARTTLS": "250 fine"}, False, r"refuses STARTTLS: 250 fine\."),
        ({"STARTTLS": "421 bye"}, True, r"refuses STARTTLS: 421 bye\."),
        ({"STARTTLS": DROP}, True, r"at tls: the server closed the connection"),
        ({"STARTTLS": b"22O go\r\n"}, True, r"at tls: .*which is not an SMTP reply"),
        ({"STARTTLS": SILENCE}, True, r"at tls: no answer within the time allowed"),
        ({"STARTTLS": b"220 go\r\n220 go\r\n"}, True, r"plain text after its reply"),
        ({"STARTTLS": b"220 go\r\n250-evil\r\n250 AUTH PLAIN\r\n"}, True, r"as an attacker"),
        ({"STARTTLS": b"220 go\r\n2"}, True, r"plain text after its reply"),
        ({"STARTTLS": Then("220 go", DROP)}, True, r"No encrypted connection to"),
        ({"handshake": drop_after(50)}, True, r"No encrypted connection to"),
        ({"handshake": After(50, RESET)}, True, r"No encrypted connection to"),
        ({"handshake": After(50, SILENCE)}, True, r"no answer within the time allowed"),
        ({"handshake": After(50, b"250 what?\r\n")}, True, r"(?i)wrong.version|record.layer"),
    ],
)
def test_spoilt_starttls(
    scripted: Scripted,
    certificates: Certificates,
    on: dict[str, t.Any],
    temporary: bool,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    impatient: None,
    no_leaks: None,
) -> None:
    """STARTTLS refused, answered twice, with plain text after the 220, the handshake cut."""
    server = start(scripted, "starttls", certificates.valid, on=on)

    start_tls = Stream.start_tls

    def in_time(stream: Stream, *given: t.Any) -> None:
        if on == {"handshake": After(50, SILENCE)}:  # which is waited for in the handshake
            stream.deadline.at = time.monotonic() + 0.3
        start_tls(stream, *given)

    monkeypatch.setattr(Stream, "start_tls", in_time)

    error = failures(secure(server, certificates, "starttls"), server)

    assert isinstance(error, TLSError)
    assert error.phase is Phase.TLS
    assert error.temporary is temporary
    assert re.search(text, str(error))


@pytest.mark.parametrize("action", [DROP, RESET])
@SECURITIES
def test_end_after_the_handshake(
    scripted: Scripted, certificates: Certificates, security: str, action: t.Any
) -> None:
    """PROTOCOL 20: a connection that ends before the first reply inside TLS is a TLS error."""
    step = {"tls": "greeting", "starttls": "EHLO"}[security]
    offer = "250-me\n250 STARTTLS"
    on = {step: lambda line, connection: action if connection.tls else offer}
    server = start(scripted, security, certificates.valid, on=on)

    error = failures(secure(server, certificates, security), server)

    assert isinstance(error, TLSError)


def test_ehlo_changes_inside(scripted: Scripted, certificates: Certificates) -> None:
    """F-93: extensions offered outside TLS do not hold inside, not even AUTH."""
    outside = "250-me\n250-STARTTLS\n250 AUTH PLAIN"
    server = start(
        scripted, "starttls", certificates.valid, on={"EHLO": [outside, "500 no EHLO now"]}
    )

    error = failure(secure(server, certificates, "starttls"))
    server.settle()

    assert "offers no login (AUTH)" in str(error)
    hello = "[127.0.0.1]"
    assert server.commands == [
        f"EHLO {hello}",
        "STARTTLS",
        f"EHLO {hello}",
        f"HELO {hello}",
        "QUIT",
    ]


def test_plain_port(certificates: Certificates) -> None:
    """TLS to a server that speaks plain SMTP first says what to set."""
    # Not the fixture: the server cannot make sense of what it hears, and blames the client.
    with ScriptedServer() as server:
        error = failure(secure(server, certificates, "tls"))

    assert isinstance(error, TLSError)
    assert error.phase is Phase.TLS
    assert "set MAIL_SECURITY = 'starttls', or use port 465" in str(error)


def test_tls_port(scripted: Scripted, certificates: Certificates) -> None:
    """Plain text to a server that waits for TLS's first octet says what to set."""
    server = start(scripted, "tls", certificates.valid)

    error = failures(secure(server, certificates, "starttls", connect_timeout=0.2), server)

    assert isinstance(error, ConnectError)
    assert "set MAIL_SECURITY = 'tls'" in str(error)


@pytest.mark.parametrize("key", ["tls_ca_file", "tls_cert_file"])
def test_unusable_files(scripted: Scripted, key: str, tmp_path: Path, no_leaks: None) -> None:
    """A file that is not a certificate is a configuration error that names the keys, and comes
    before any connection."""
    (tmp_path / "empty.pem").write_text("nothing")
    server = scripted()

    for security in ("tls", "starttls"):
        handler = smtp(server, security=security, **{key: tmp_path / "empty.pem"})
        with pytest.raises(ConfigurationError, match="MAIL_TLS_CA_FILE, MAIL_TLS_CERT_FILE or"):
            handler.send([letter()])

    assert server.connections == []


@pytest.mark.parametrize(
    ("options", "port", "security"),
    [
        ({}, 25, "none"),
        ({"host": "mail.example.com"}, 587, "starttls"),
        ({"host": "mail.example.com", "port": 465}, 465, "tls"),
        ({"host": "mail.example.com", "port": 2525}, 2525, "starttls"),
        ({"host": "mail.example.com", "security": "none"}, 25, "none"),
        ({"host": "mail.example.com", "use_tls": True}, 465, "tls"),
        ({"host": "mail.example.com", "use_tls": True, "use_starttls": True}, 465, "tls"),
        ({"host": "mail.example.com", "use_starttls": True}, 587, "starttls"),
        ({"use_tls": True}, 465, "tls"),
        ({"port": 465}, 465, "tls"),
    ],
)
def test_choice(options: dict[str, t.Any], port: int, security: str) -> None:
    """C-96: TLS is the default on 465, STARTTLS elsewhere, and clear text only on this machine."""
    server = SMTPEmailHandler(**options).server

    assert (server.port, server.security) == (port, security)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"tls_key_file": "k.pem"}, "MAIL_TLS_KEY_FILE needs MAIL_TLS_CERT_FILE"),
        ({"tls_context": ssl.create_default_context(), "tls_ca_file": "x"}, "complete context"),
        ({"tls_context": "yes"}, r"must be an ssl\.SSLContext"),
    ],
)
def test_contradictions(options: dict[str, t.Any], text: str) -> None:
    """Options that contradict each other are refused where they are configured."""
    with pytest.raises(ConfigurationError, match=text):
        SMTPEmailHandler(**options)
