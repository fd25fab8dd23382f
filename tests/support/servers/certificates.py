"""Certificates for the test servers: valid ones, and each kind of invalid one (trustme)."""

from __future__ import annotations

import datetime
import ssl
import typing as t
from dataclasses import dataclass

import trustme

if t.TYPE_CHECKING:
    from pathlib import Path

NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Certificates:
    """Server contexts, named after their fault, and the files that a client needs."""

    #: Signed by the CA for localhost, 127.0.0.1 and ::1.
    valid: ssl.SSLContext
    #: Like valid, but expired yesterday.
    expired: ssl.SSLContext
    #: Signed by the CA, for wrong.example.
    wrong_host: ssl.SSLContext
    #: For the right names, signed by another CA.
    untrusted: ssl.SSLContext
    #: Like valid, and requires a client certificate of the CA.
    client_required: ssl.SSLContext
    #: PEM files, for configuration keys and for Postfix.
    ca_file: Path
    cert_file: Path
    key_file: Path
    client_cert_file: Path
    client_key_file: Path

    def client(self) -> ssl.SSLContext:
        """A new client context that trusts only the CA."""
        return ssl.create_default_context(cafile=str(self.ca_file))


def make(folder: Path) -> Certificates:
    """Create all certificates in *folder*."""
    authority = trustme.CA()
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    server = authority.issue_cert(*NAMES)
    client = authority.issue_cert("client@example.com", common_name="client")
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    client_required = _server_context(server)
    client_required.load_verify_locations(cafile=str(ca_file))
    client_required.verify_mode = ssl.CERT_REQUIRED
    return Certificates(
        valid=_server_context(server),
        expired=_server_context(authority.issue_cert(*NAMES, not_after=yesterday)),
        wrong_host=_server_context(authority.issue_cert("wrong.example")),
        untrusted=_server_context(trustme.CA().issue_cert(*NAMES)),
        client_required=client_required,
        ca_file=ca_file,
        cert_file=_write_chain(server, folder / "server.pem"),
        key_file=_write_key(server, folder / "server.key"),
        client_cert_file=_write_chain(client, folder / "client.pem"),
        client_key_file=_write_key(client, folder / "client.key"),
    )


def _server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def _write_chain(certificate: trustme.LeafCert, path: Path) -> Path:
    path.write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    return path


def _write_key(certificate: trustme.LeafCert, path: Path) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(certificate.private_key_pem.bytes())
    return path
