"""A server's address, and how to connect to it."""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from ..frozen import Frozen
from ..net.hosts import is_loopback
from ..secret import Secret

if t.TYPE_CHECKING:
    import ssl

Security: t.TypeAlias = t.Literal["tls", "starttls", "none"]
Token: t.TypeAlias = "Secret | Callable[[], str]"
_KEYS = r"\bMAIL_([A-Z_]+[A-Z])(?: and MAIL_([A-Z_]+[A-Z]))?"


class Endpoint(Frozen):
    """All that a session needs to know of its server. The values are checked already."""

    host: str
    port: int
    security: Security
    tls_context: Callable[[], ssl.SSLContext]
    """Returns the context. It is built only once, because that takes 20 ms of CPU time."""
    tls_server_name: str | None = None
    """The name in the certificate, if it is not the host's."""
    tls_ca_file: str | None = None
    """The context was built from this and the next two. Hints use them."""
    tls_cert_file: str | None = None
    own_tls_context: bool = False
    source_address: str | None = None
    """The IP address of this machine to connect from."""
    username: str | None = None
    password: Secret | None = None
    token: Token | None = None
    login_mechanism: str | None = None
    """The only login mechanism to use."""
    local_hostname: str | None = None
    """The argument of EHLO. If it is None, the address literal of the socket."""
    connect_timeout: float = 10.0
    """Seconds for opening a connection."""
    timeout: float = 25.0
    """Seconds for one message in all."""
    recipients_per_message: int | None = None
    """The most recipients of one transaction."""
    messages_per_connection: int | None = 100
    one_flight: bool = False
    """Whether a small message may go in one write (RFC 3030)."""
    written: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """Where the user wrote each option, or would write it, if that is not its ``MAIL_`` key."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def as_written(self, text: str) -> str:
        """Return a text with the places of :attr:`written` instead of the ``MAIL_`` keys."""

        def place(found: re.Match[str]) -> str:
            names = [self.written.get(key.lower(), f"MAIL_{key}") for key in found.groups() if key]
            first, _, where = names[0].partition(" in ")
            if where and names[-1].endswith(f" in {where}"):  # 'host' and 'port' in MAIL_URL
                names[0] = first if len(names) > 1 else names[0]
            return " and ".join(names)

        return re.sub(_KEYS, place, text)

    @property
    def certificate_name(self) -> str:
        """The name for SNI (RFC 6066 section 3) and the certificate. A dot at the end of a host
        name makes it absolute for the resolver, and is not part of this name."""
        return self.tls_server_name or self.host.removesuffix(".")

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine, so that nothing goes over a network."""
        return is_loopback(self.host)
