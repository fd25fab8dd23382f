"""Whom to speak to, and how."""

from __future__ import annotations

import dataclasses
import ipaddress
import typing as t
from collections.abc import Callable

from ..secret import Secret

if t.TYPE_CHECKING:
    import ssl

Security: t.TypeAlias = t.Literal["tls", "starttls", "none"]
Token: t.TypeAlias = "Secret | Callable[[], str]"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """What a session needs to know. Its values are checked already."""

    host: str
    port: int
    security: Security
    tls_context: Callable[[], ssl.SSLContext]
    """Builds the context, or gives the one that is there: it costs 20 ms of CPU."""
    username: str | None = None
    password: Secret | None = None
    token: Token | None = None
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
    def loopback(self) -> bool:
        """Whether the server is on this machine, so that nobody listens on the way."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether *host* names this machine, without asking the DNS."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
