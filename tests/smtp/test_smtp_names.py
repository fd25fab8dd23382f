"""The name that the certificate must have, how strictly it is read, and the source address."""

from __future__ import annotations

import datetime
import socket
import ssl
import sys
import typing as t

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConnectError
from flask_mailhandler import DeferredError
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from sending import letter
from sending import Scripted
from sending import smtp
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from pathlib import Path

    from servers import ScriptedServer
    from servers.certificates import Certificates

STRICT = sys.version_info >= (3, 13)


class Authority:
    """Issues certificates as trustme would not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Office CA")
        usage = x509.KeyUsage(*[place in (5, 6) for place in range(9)])
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._certificate = (
            _builder(self._name, self._name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(own, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, names: list[str], common_name: str = "server", *, whole: bool = True) -> t.Any:
        """A server's context. An incomplete certificate does not name the key of its authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), self._name, key)
        if names:
            alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternative, critical=False)
        if whole:
            identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
            builder = builder.add_extension(identifier, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        file = self._folder / "server.pem"
        file.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - datetime.timedelta(days=1),
        not_valid_after=now + datetime.timedelta(days=100),
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that knows every name, absolute ones too, as one of this machine."""
    asked = socket.getaddrinfo

    def getaddrinfo(host: str, *given: t.Any, **named: t.Any) -> t.Any:
        known = host if host[:1].isdigit() else "127.0.0.1"
        return asked(known, *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def failure(handler: SMTPEmailHandler) -> DeferredError:
    """The error of a message without a session."""
    (report,) = handler.send([letter()])
    assert isinstance(report.error, DeferredError)
    return report.error


def secure(server: ScriptedServer, authority: Authority, **options: t.Any) -> SMTPEmailHandler:
    return smtp(server, **{"security": "tls", "tls_ca_file": authority.file} | options)


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"host": "smtp.mail.svc.example."}, "smtp.mail.svc.example"),
        ({"host": "smtp.mail.svc.example"}, "smtp.mail.svc.example"),
        ({"host": "alias.example", "tls_server_name": "mail.example.com"}, "mail.example.com"),
        ({"host": "127.0.0.1", "tls_server_name": "mail.example.com."}, "mail.example.com"),
        ({"host": "mx.example.", "tls_server_name": "bücher.example"}, "xn--bcher-kva.example"),
    ],
)
def test_name(
    scripted: Scripted,
    authority: Authority,
    resolver: None,
    options: dict[str, t.Any],
    name: str,
    security: str,
) -> None:
    """The name for SNI and the certificate is the host's without a dot at its end, or
    MAIL_TLS_SERVER_NAME."""
    asked: list[str | None] = []
    context = authority.issue([name])
    context.sni_callback = lambda sock, wanted, context: asked.append(wanted)
    server = scripted(**{security: context})

    (report,) = secure(server, authority, security=security, **options).send([letter()])

    assert report.ok
    assert asked == [name]


def test_another_name(scripted: Scripted, authority: Authority, resolver: None) -> None:
    """A wrong name is refused, and the error names the key that was set."""
    server = scripted(tls=authority.issue(["mail.example.com"]))

    by_host = failure(secure(server, authority, host="other.example"))
    by_name = failure(
        secure(server, authority, host="mail.example.com", tls_server_name="other.example")
    )

    assert "Set MAIL_HOST to the name in the certificate." in str(by_host)
    assert "set MAIL_TLS_SERVER_NAME." in str(by_host)
    assert "Set MAIL_TLS_SERVER_NAME to a name in the certificate." in str(by_name)
    assert "MAIL_HOST" not in str(by_name)


@pytest.mark.parametrize("host", ["mail.example.com", "mail.example.com."])
def test_common_name(scripted: Scripted, authority: Authority, resolver: None, host: str) -> None:
    """RFC 9525 section 6.3: a name that is only the common name is not accepted, and the error says
    which names count."""
    server = scripted(tls=authority.issue([], "mail.example.com"))

    error = failure(secure(server, authority, host=host))

    assert "Names in its subjectAltName count, a common name does not (RFC 9525)" in str(error)


def test_strict_certificates(scripted: Scripted, authority: Authority) -> None:
    """If Python requires what RFC 5280 requires of a certificate, the error says so, and does not
    say to set a file that is set."""
    server = scripted(tls=authority.issue(["localhost"], whole=False))
    context = ssl.create_default_context(cafile=str(authority.file))
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    own = smtp(server, host="localhost", security="tls", tls_context=context)
    by_file = secure(server, authority, host="localhost")

    error = failure(own)
    (report,) = by_file.send([letter()])

    assert "Python 3.13 and newer require certificates to follow RFC 5280" in str(error)
    assert "take ssl.VERIFY_X509_STRICT out of its verify_flags" in str(error)
    assert "MAIL_TLS_CA_FILE" not in str(error)
    assert report.ok is not STRICT
    assert not STRICT or "set MAIL_TLS_CONTEXT to a context without" in str(report.error)


def test_another_authority(
    scripted: Scripted, authority: Authority, certificates: Certificates
) -> None:
    """The hint for an unknown authority depends on the configuration."""
    server = scripted(tls=certificates.valid)

    by_system = failure(smtp(server, security="tls"))
    by_file = failure(secure(server, authority))
    by_context = failure(
        smtp(server, security="tls", tls_context=ssl.create_default_context(cafile=authority.file))
    )

    assert "from a private authority, set MAIL_TLS_CA_FILE to its certificate" in str(by_system)
    assert f"The authority in MAIL_TLS_CA_FILE = '{authority.file}' has not" in str(by_file)
    assert "load its certificate into MAIL_TLS_CONTEXT" in str(by_context)


def test_a_client_certificate_that_is_not_taken(
    scripted: Scripted, certificates: Certificates, authority: Authority, tmp_path: Path
) -> None:
    """No error says to set a client certificate that is set."""
    server = scripted(tls=certificates.client_required)
    authority.issue(["client"])
    file = tmp_path / "server.pem"

    error = failure(
        smtp(server, security="tls", tls_ca_file=certificates.ca_file, tls_cert_file=file)
    )

    assert f"It may not accept the client certificate of '{file}'." in str(error)


@pytest.mark.parametrize("name", ["https://mail.example.com", "a b", "mail.example.com:465", ""])
def test_names_that_are_none(name: str) -> None:
    """A wrong name is refused where it is configured."""
    with pytest.raises(ConfigurationError, match="tls_server_name="):
        SMTPEmailHandler(tls_server_name=name)


# From where


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2", "127.7.7.7"])
def test_source(scripted: Scripted, source: str) -> None:
    """The connection comes from MAIL_SOURCE_ADDRESS."""
    server = scripted()

    (report,) = smtp(server, source_address=source).send([letter()])

    assert report.ok
    assert server.commands[0] == f"EHLO [{source}]"


def test_a_replaced_resolver(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that replaces the resolver, as dnspython's does, gets the host as a text."""
    asked, hosts = socket.getaddrinfo, list[object]()

    def replaced(host: str, *given: t.Any, **named: t.Any) -> t.Any:
        hosts.append(host)
        return asked("127.0.0.1", *given, **named)

    monkeypatch.setattr(socket, "getaddrinfo", replaced)
    (report,) = smtp(scripted(), host="localhost").send([letter()])

    assert (report.ok, hosts) == (True, ["localhost"])


def test_source_of_one_family(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Addresses of the other family are not tried."""
    server = scripted(host="::1")
    asked = socket.getaddrinfo

    def both(host: str, port: int, **named: t.Any) -> t.Any:
        if host != "localhost":
            return asked(host, port, **named)
        return [*asked("127.0.0.1", port, **named), *asked("::1", port, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", both)

    (report,) = smtp(server, host="localhost", source_address="::1").send([letter()])

    assert report.ok
    assert server.commands[0] == "EHLO [IPv6:::1]"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("192.0.2.1", "Check MAIL_SOURCE_ADDRESS: it must be an address of this machine."),
        ("::1", "it has no address that ::1 can connect to. Check MAIL_SOURCE_ADDRESS"),
    ],
)
def test_a_source_that_cannot_be(
    scripted: Scripted, source: str, said: str, no_leaks: None
) -> None:
    """For an address of another machine, or of another family, the error names its key."""
    error = failure(smtp(scripted(), source_address=source))

    assert isinstance(error, ConnectError)
    assert said in str(error)


def test_a_source_that_is_not_at_fault() -> None:
    """If the port refuses, the error does not blame the source address."""
    with closed_port() as port:
        handler = SMTPEmailHandler(host="127.0.0.1", port=port, source_address="127.0.0.1")
        assert str(failure(handler)).endswith("Check MAIL_HOST and MAIL_PORT.")


@pytest.mark.parametrize("source", ["localhost", "192.0.2.1:25", "eth0", "192.0.2"])
def test_sources_that_are_none(source: str) -> None:
    """Only an address is accepted: a name may have several."""
    with pytest.raises(ConfigurationError, match=r"source_address= must be an IP address"):
        SMTPEmailHandler(source_address=source)
