"""Whom to speak to, and how."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable

from ..net.hosts import is_loopback
from ..secret import Secret

if t.TYPE_CHECKING:
    import ssl

Security: t.TypeAlias = t.Literal["tls", "starttls", "none"]
Token: t.TypeAlias = "Secret | Callable[[], str]"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoint:
    """What a session needs to know. Its values are checked already."""

    host: str
    port: int
    security: Security
    tls_context: Callable[[], ssl.SSLContext]
    """Builds the context, or gives the one that is there: it costs 20 ms of CPU."""
    tls_server_name: str | None = None
    """The name in the certificate, if it is not the host's."""
    tls_ca_file: str | None = None
    """What the context was built from, as are the next two: for hints."""
    tls_cert_file: str | None = None
    own_tls_context: bool = False
    source_address: str | None = None
    """The address of this machine to connect from."""
    username: str | None = None
    password: Secret | None = None
    token: Token | None = None
    login_mechanism: str | None = None
    """The only mechanism to log in by."""
    local_hostname: str | None = None
    """The argument of EHLO; the address literal of the socket if it is None."""
    connect_timeout: float = 10.0
    """Seconds for opening a connection."""
    timeout: float = 25.0
    """Seconds for one message all in all."""
    recipients_per_message: int | None = None
    """Recipients in one transaction."""
    messages_per_connection: int | None = 100
    one_flight: bool = False
    """Whether a small message may go in one write (RFC 3030)."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def certificate_name(self) -> str:
        """The name for SNI (RFC 6066 section 3) and the certificate. A dot at its end makes a
        host name absolute for the resolver, and is no part of it there."""
        return self.tls_server_name or self.host.removesuffix(".")

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine, so that nobody listens on the way."""
        return is_loopback(self.host)
