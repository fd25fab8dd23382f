"""A certificate for the test server, and its authority, made by trustme."""

from __future__ import annotations

import ssl

from ..errors import ConfigurationError

try:
    import trustme
except ImportError as _error:
    raise ConfigurationError(
        "A test server that encrypts needs trustme: pip install 'Flask-MailHandler[testing]'"
    ) from _error


class Certificates:
    """An authority, and a certificate of it for this machine."""

    def __init__(self) -> None:
        authority = trustme.CA()
        self.server: ssl.SSLContext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1").configure_cert(self.server)
        self.authority: bytes = authority.cert_pem.bytes()
        """The certificate that a client must trust (PEM)."""
        self.client: ssl.SSLContext = ssl.create_default_context(cadata=self.authority.decode())
        self.client.minimum_version = ssl.TLSVersion.TLSv1_2
