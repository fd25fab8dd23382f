"""Sending by SMTP."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import os
import re
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from .. import config
from ..address import Address
from ..config import Option
from ..errors import ConfigurationError
from ..errors import DeferredError
from ..errors import MessageError
from ..report import conclude
from ..report import Job
from ..report import Observe
from ..report import Report
from ..secret import Secret
from ..smtp.delivery import Delivery
from ..smtp.delivery import Waiting
from ..smtp.pool import Pool
from ..smtp.server import is_loopback
from ..smtp.server import Security
from ..smtp.server import Server
from .base import EmailHandler
from .jobs import Jobs

if t.TYPE_CHECKING:
    import ssl

# A second more for so many octets: what a slow line of 100 kB/s needs.
_OCTETS_PER_SECOND = 100_000
# The length of each label, which connecting would stumble over (RFC 1035 section 2.3.4).
_NAME = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_PORTS = {"tls": 465, "starttls": 587, "none": 25}


def _hostname(value: object, name: str) -> str:
    """The argument of EHLO: a domain or an address literal (RFC 5321 section 4.1.3)."""
    try:
        return Address(f"x@{config.text(value, name)}", field=name).domain
    except MessageError:
        raise ConfigurationError(
            f"{name} must be a host name or an address literal like [192.0.2.1], not {value!r}."
        ) from None


def _host(value: object, name: str) -> str:
    """A name or an address to connect to; a name beyond ASCII in its ASCII form."""
    config.refuse_url(value, name, "a host name")
    host = config.text(value, name).strip()
    alone, _, port = host.partition(":")
    if port.isdecimal():
        raise ConfigurationError(
            f"{name} has a port in it: write MAIL_HOST = {alone!r} and MAIL_PORT = {port}."
        )
    if not host.isascii():
        host = _hostname(host, name)
    if not (_NAME.fullmatch(host) or _is_address(host)):
        raise ConfigurationError(
            f"{name} must be a host name or an IP address, without scheme and port, not {host!r}."
        )
    return host


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Context:
    """Makes the TLS context when it is first asked for, and keeps it: it costs 20 ms of CPU."""

    def __init__(
        self,
        own: ssl.SSLContext | None,
        ca_file: str | None,
        cert_file: str | None,
        key_file: str | None,
    ) -> None:
        self._context = own
        self._files = (ca_file, cert_file, key_file)

    def __call__(self) -> ssl.SSLContext:
        # No lock, which a child of a fork could find held for ever.
        if self._context is None:
            self._context = self._make()
        return self._context

    def _make(self) -> ssl.SSLContext:
        import ssl  # 10 ms, and a handler that does not encrypt needs none of it

        ca_file, cert_file, key_file = self._files
        try:
            context = ssl.create_default_context(cafile=ca_file)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            if cert_file:
                context.load_cert_chain(cert_file, key_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(
                "MAIL_TLS_CA_FILE, MAIL_TLS_CERT_FILE or MAIL_TLS_KEY_FILE cannot be used:"
                f" {error.strerror or error}."
            ) from error
        return context


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class SMTPEmailHandler(EmailHandler):
    """Sends by SMTP (RFC 5321). All arguments are optional: without any it speaks to
    localhost:25.

    Every connection that leaves the machine is encrypted and the server's certificate verified,
    unless ``security="none"`` says otherwise.

    :param use_tls: Email-Simplified's way of writing ``security="tls"``.
    :param use_starttls: Email-Simplified's way of writing ``security="starttls"``; ``use_tls``
        takes precedence.
    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    host: Option[str | None, str] = Option(_host, "localhost")
    """The server's name, as it stands in its certificate, or its address."""
    port: Option[int | None, int | None] = Option(config.integer(1, 65535), None)
    """The server's port. If it is left out: 465, 587 or 25 by ``security``."""
    security: Option[str | None, str | None] = Option(
        config.choice("tls", "starttls", "none"), None
    )
    """``"tls"`` from the first octet, ``"starttls"`` required after the greetings and before
    login and mail, or ``"none"``. If it is left out: ``"tls"`` on port 465, ``"none"`` on this
    machine, and ``"starttls"`` elsewhere."""
    tls_context: Option[ssl.SSLContext | None, ssl.SSLContext | None] = Option(
        config.instance_of("ssl", "SSLContext"), None
    )
    """An own context, instead of one that trusts the system's authorities."""
    tls_ca_file: Option[str | os.PathLike[str] | None, str | None] = Option(config.path, None)
    """A file with the certificate of a private authority (PEM)."""
    tls_cert_file: Option[str | os.PathLike[str] | None, str | None] = Option(config.path, None)
    """A file with a client certificate (PEM)."""
    tls_key_file: Option[str | os.PathLike[str] | None, str | None] = Option(config.path, None)
    """A file with the client certificate's key, if it is not in the same file."""
    username: Option[str | None, str | None] = Option(config.text, None)
    """The name to log in with."""
    password: Option[str | Secret | None, Secret | None] = Option(config.secret, None)
    """The password to log in with."""
    oauth_token: Option[
        str | Secret | Callable[[], str] | None, Secret | Callable[[], str] | None
    ] = Option(config.token, None)
    """An OAuth access token instead of a password, or a callable that returns one."""
    dangerous_plaintext_login: Option[bool | None, bool] = Option(config.boolean, False)
    """Whether to send the password over a connection that is not encrypted."""
    timeout: Option[float | None, float] = Option(config.seconds, 25.0)
    """Seconds for one message all in all, opening a connection included; a second more for
    each 100 kB."""
    connect_timeout: Option[float | None, float] = Option(config.seconds, 10.0)
    """Seconds for opening a connection, up to the login."""
    local_hostname: Option[str | None, str | None] = Option(_hostname, None)
    """The name to greet with (EHLO). If it is left out: the address of the connection."""
    recipients_per_message: Option[int | None, int | None] = Option(
        config.integer(1, 1_000_000), None
    )
    """The most recipients of one transaction; more are split into batches of one content."""
    messages_per_connection: Option[int | None, int] = Option(config.integer(1, 1_000_000), 100)
    """After so many messages a new connection is opened."""
    pool_size: Option[int | None, int] = Option(config.integer(1, 1000), 2)
    """The most connections at one time, for each process."""
    pool_idle: Option[float | None, float] = Option(config.seconds, 5.0)
    """Seconds that an idle connection is kept for the next message."""
    one_flight: Option[bool | None, bool] = Option(config.boolean, False)
    """Whether a small message may go in one write, to a relay of one's own that offers PIPELINING
    and CHUNKING. If the connection breaks then, more outcomes are unknown."""
    use_tls: dataclasses.InitVar[bool | None] = None
    use_starttls: dataclasses.InitVar[bool | None] = None

    def __post_init__(self, use_tls: bool | None, use_starttls: bool | None) -> None:
        tls = use_tls is not None and config.boolean(use_tls, "use_tls")
        starttls = use_starttls is not None and config.boolean(use_starttls, "use_starttls")
        if self.security is None and (tls or starttls):
            self.__dict__["security"] = "tls" if tls else "starttls"
        self._check_login()
        if self.tls_key_file and not self.tls_cert_file:
            raise ConfigurationError(
                "MAIL_TLS_KEY_FILE needs MAIL_TLS_CERT_FILE, the certificate that goes with it."
            )
        if self.tls_context and (self.tls_ca_file or self.tls_cert_file):
            raise ConfigurationError(
                "MAIL_TLS_CONTEXT is a complete context: load MAIL_TLS_CA_FILE and"
                " MAIL_TLS_CERT_FILE into it yourself."
            )
        self._check_files()

    def _check_files(self) -> None:
        # Found now, and not when the first message is sent.
        for name in ("tls_ca_file", "tls_cert_file", "tls_key_file"):
            path = getattr(self, name)
            if path and not os.access(path, os.R_OK):
                raise ConfigurationError(
                    f"{config.key(name)} = {path!r} cannot be read. Is the file there, and may the"
                    " app read it?"
                )

    def _check_login(self) -> None:
        if self.password is not None and self.username is None:
            raise ConfigurationError("MAIL_PASSWORD is set, and MAIL_USERNAME is not.")
        if self.username is None and self.oauth_token is not None:
            raise ConfigurationError("MAIL_OAUTH_TOKEN is set, and MAIL_USERNAME is not.")
        if self.username is not None and self.password is None and self.oauth_token is None:
            raise ConfigurationError(
                "MAIL_USERNAME is set, and neither MAIL_PASSWORD nor MAIL_OAUTH_TOKEN is. In the"
                " environment a password that is a word of JSON must be quoted:"
                """ FLASK_MAIL_PASSWORD='"null"'."""
            )
        exposed = self.server.security == "none" and not is_loopback(self.host)
        if self.username is not None and exposed and not self.dangerous_plaintext_login:
            raise ConfigurationError(
                f"The login at {self.host} would go over the network unencrypted: set"
                " MAIL_SECURITY = 'starttls' or 'tls', or, if you must,"
                " MAIL_DANGEROUS_PLAINTEXT_LOGIN = True."
            )

    @functools.cached_property
    def server(self) -> Server:
        """Whom to speak to and how: port and security are chosen here."""
        security = self.security
        if security is None:
            plain = is_loopback(self.host)
            security = "tls" if self.port == 465 else "none" if plain else "starttls"
        return Server(
            host=self.host,
            port=self.port or _PORTS[security],
            security=t.cast(Security, security),
            tls_context=_Context(
                self.tls_context, self.tls_ca_file, self.tls_cert_file, self.tls_key_file
            ),
            username=self.username,
            password=self.password,
            token=self.oauth_token,
            local_hostname=self.local_hostname,
            connect_timeout=self.connect_timeout,
            timeout=self.timeout,
            recipients_per_message=self.recipients_per_message,
            messages_per_connection=self.messages_per_connection,
            one_flight=self.one_flight,
        )

    @property
    def pool(self) -> Pool:
        """The connections."""
        # No cached_property: up to Python 3.11 it has a lock, which a child of a fork could find
        # held for ever.
        kept: dict[str, t.Any] = self.__dict__
        found: Pool = kept.get("_pool") or kept.setdefault(
            "_pool", Pool(self.server, self.pool_size, self.pool_idle)
        )
        return found

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Send the jobs, over a connection of the pool as long as it lasts."""
        at_hand = isinstance(jobs, Sequence)
        ready = jobs.ready if isinstance(jobs, Jobs) else lambda: at_hand
        waiting = Waiting((Delivery(job, self._time_for(job)) for job in jobs), ready)
        while delivery := waiting.first():
            if not delivery.waiting:  # it was settled together with the one before
                yield _report(waiting.take())
                continue
            try:
                with self.pool.session(delivery, observe) as session:
                    for settled in session.send(waiting, observe):
                        yield _report(settled)
            except DeferredError as error:
                # The session cannot be had: what the server has against one message it would
                # have against all of them.
                yield from _fail_all(waiting, error)

    def at_once(self, connections: int) -> int:
        """As many as the pool may hold."""
        if connections > self.pool_size:
            raise ConfigurationError(
                f"connections={connections} is more than MAIL_POOL_SIZE = {self.pool_size}: set it"
                f" to {connections} or more, if the server allows so many for each process."
            )
        return connections

    def close(self) -> None:
        """Close the connections that are idle. The handler may be used again."""
        self.pool.close()

    def _time_for(self, job: Job) -> float:
        allowed = self.timeout if job.timeout is None else job.timeout
        return allowed + job.content.size / _OCTETS_PER_SECOND


def _fail_all(waiting: Waiting, error: DeferredError) -> Iterator[Report]:
    while waiting.first():
        delivery = waiting.take()
        # Each report has an error of its own, whose report it is.
        own = type(error)(str(error), phase=error.phase, temporary=error.temporary)
        own.__cause__ = error.__cause__
        delivery.fail(own)
        yield _report(delivery)


def _report(delivery: Delivery) -> Report:
    return conclude(delivery.job, delivery.ordered(), delivery.error)
