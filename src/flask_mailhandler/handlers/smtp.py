"""Sends by SMTP: the options, the server they describe, and the pool of connections."""

from __future__ import annotations

import copy
import dataclasses
import functools
import os
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from .. import config
from ..config import Option
from ..config import URL
from ..config.url import needs_host
from ..content import Content
from ..errors import ConfigurationError
from ..net.hosts import is_loopback
from ..report import conclude
from ..report import DeferredError
from ..report import Job
from ..report import Observe
from ..report import Report
from ..secret import Secret
from ..smtp.delivery import Deliveries
from ..smtp.delivery import Delivery
from ..smtp.endpoint import Endpoint
from ..smtp.endpoint import Security
from ..smtp.pool import Pool
from . import host_options
from .connecting import Connecting
from .jobs import Jobs
from .tls_context import TLSContext

if t.TYPE_CHECKING:
    from .providers.spelling import Spelling

_PORTS = {"tls": 465, "starttls": 587, "none": 25}
_OF_PROVIDERS = (
    *(".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".postmarkapp.com", ".mailgun.org"),
    *(".sendgrid.net", ".brevo.com", ".sendinblue.com", ".resend.com"),
)
"""How the hosts in the table of :mod:`.providers.spellings` end."""


class SMTPEmailHandler(Connecting):
    """Sends by SMTP (RFC 5321). All arguments are optional; without any, it connects to
    localhost:25.

    .. code-block:: python

        handler = SMTPEmailHandler(host="mail.example.com", username="shop", password="secret")
        (report,) = handler.send([message])

    Every connection that leaves the machine is encrypted, and the server's certificate is
    verified, unless you set ``security="none"``.

    :param use_tls: Email-Simplified's form of ``security="tls"``.
    :param use_starttls: Email-Simplified's form of ``security="starttls"``; ``use_tls`` takes
        precedence.
    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    host: Option[str | None, str] = Option(host_options.host, "localhost")
    """The server's name, as in its certificate, or its IP address."""
    port: Option[int | None, int | None] = Option(config.integer(1, 65535), None)
    """The server's port. If it is left out: 465, 587 or 25 by ``security``."""
    security: Option[str | None, str | None] = Option(
        config.choice("tls", "starttls", "none"), None
    )
    """``"tls"``: encrypted from the first octet; ``"starttls"``: encrypted after the greeting, and
    required before login and mail; or ``"none"``. If it is left out: ``"tls"`` on port 465,
    ``"none"`` on this machine, and ``"starttls"`` elsewhere."""
    tls_server_name: Option[str | None, str | None] = Option(host_options.server_name, None)
    """The name in the server's certificate, if it is not the host."""
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
    login_mechanism: Option[str | None, str | None] = Option(
        config.choice("plain", "login", "oauthbearer", "xoauth2"), None
    )
    """The only mechanism to log in with. If it is left out: the first one that the server offers
    and accepts."""
    dangerous_plaintext_login: Option[bool | None, bool] = Option(config.boolean, False)
    """Whether the password may be sent over a connection that is not encrypted."""
    source_address: Option[str | None, str | None] = Option(host_options.source, None)
    """The address of this machine to connect from. If it is left out, the system chooses."""
    local_hostname: Option[str | None, str | None] = Option(host_options.hostname, None)
    """The name in EHLO. If it is left out: the address of the connection."""
    recipients_per_message: Option[int | None, int | None] = Option(
        config.integer(1, 1_000_000), None
    )
    """The maximum number of recipients in one transaction. More recipients are split into batches
    with the same content."""
    messages_per_connection: Option[int | None, int] = Option(config.integer(1, 1_000_000), 100)
    """The maximum number of messages over one connection, after which a new one is opened."""
    one_flight: Option[bool | None, bool] = Option(config.boolean, False)
    """Whether a small message may be sent in one write, to your own relay that offers PIPELINING
    and CHUNKING. If the connection breaks, more outcomes are unknown."""
    provider: Option[str | None, str | None] = Option(
        config.choice("postmark", "ses", "mailgun", "sendgrid", "brevo", "resend", "none"), None
    )
    """The provider whose server it is, which gets tags, metadata, tracking and stream of a message
    in header fields; ``"none"`` for another server. If it is left out: guessed from the host."""
    use_tls: dataclasses.InitVar[bool | None] = None
    use_starttls: dataclasses.InitVar[bool | None] = None

    def __post_init__(self, use_tls: bool | None, use_starttls: bool | None) -> None:
        tls = use_tls is not None and config.boolean(use_tls, "use_tls")
        starttls = use_starttls is not None and config.boolean(use_starttls, "use_starttls")
        if self.security is None and (tls or starttls):
            vars(self)["security"] = "tls" if tls else "starttls"
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
        if self.dkim_keys:
            self.dkim_keys.check(self.dkim_domain, self.default_from)
        self.check_files("tls_ca_file", "tls_cert_file", "tls_key_file")
        if spelling := spelling_of(self.host, self.provider):
            if self.webhook_secret is not None:
                spelling = dataclasses.replace(spelling, sends_ids=True)
            vars(self)["spelling_by_smtp"] = spelling

    def _check_login(self) -> None:
        if self.password is not None and self.username is None:
            raise ConfigurationError(
                "MAIL_PASSWORD is set, and MAIL_USERNAME is not: set both, or neither."
            )
        if self.username is None and self.oauth_token is not None:
            raise ConfigurationError(
                "MAIL_OAUTH_TOKEN is set, and MAIL_USERNAME is not: set both, or neither."
            )
        if self.username is not None and self.password is None and self.oauth_token is None:
            raise ConfigurationError(
                "MAIL_USERNAME or MAIL_URL has a user name, but neither MAIL_PASSWORD nor"
                " MAIL_OAUTH_TOKEN is set. For a server that needs no login, leave out the user"
                " name as well: Flask-Mail does not log in then. In the environment, quote a"
                """ password that is a word of JSON: FLASK_MAIL_PASSWORD='"null"'."""
            )
        by_token = self.login_mechanism in ("oauthbearer", "xoauth2")
        if self.login_mechanism and self.username is None:
            raise ConfigurationError(
                "MAIL_LOGIN_MECHANISM is set, and MAIL_USERNAME is not: set both, or neither."
            )
        if self.login_mechanism and by_token != (self.oauth_token is not None):
            needed = "MAIL_OAUTH_TOKEN" if by_token else "MAIL_PASSWORD and no MAIL_OAUTH_TOKEN"
            raise ConfigurationError(
                f"MAIL_LOGIN_MECHANISM = {self.login_mechanism!r} needs {needed}."
            )
        exposed = self.server.security == "none" and not is_loopback(self.host)
        if self.username is not None and exposed and not self.dangerous_plaintext_login:
            raise ConfigurationError(
                f"The login at {self.host} would go over the network unencrypted: set"
                " MAIL_SECURITY = 'starttls' or 'tls', or, if you must,"
                " MAIL_DANGEROUS_PLAINTEXT_LOGIN = True."
            )

    @functools.cached_property
    def server(self) -> Endpoint:
        """The server and how to talk to it, with port and security chosen."""
        security = self.security
        if security is None:
            plain = is_loopback(self.host)
            security = "tls" if self.port == 465 else "none" if plain else "starttls"
        return Endpoint(
            host=self.host,
            port=self.port or _PORTS[security],
            security=t.cast(Security, security),
            tls_context=TLSContext(
                self.tls_context, self.tls_ca_file, self.tls_cert_file, self.tls_key_file
            ),
            tls_server_name=self.tls_server_name,
            tls_ca_file=self.tls_ca_file,
            tls_cert_file=self.tls_cert_file,
            own_tls_context=self.tls_context is not None,
            source_address=self.source_address,
            username=self.username,
            password=self.password,
            token=self.oauth_token,
            login_mechanism=self.login_mechanism and self.login_mechanism.upper(),
            local_hostname=self.local_hostname,
            connect_timeout=self.connect_timeout,
            timeout=self.timeout,
            recipients_per_message=self.recipients_per_message,
            messages_per_connection=self.messages_per_connection,
            one_flight=self.one_flight,
            written=vars(self).setdefault("_places", {}),  # an account fills it in,
        )

    @property
    def pool(self) -> Pool:
        """The connections."""
        # No cached_property: up to Python 3.11 it has a lock, which a forked child could find
        # locked forever.
        kept = vars(self)
        found: Pool = kept.get("_pool") or kept.setdefault(
            "_pool", Pool(self.server, self.pool_size, self.pool_idle)
        )
        return found

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Read ``smtps://user:password@host:port`` and ``smtp://...``."""
        return {**needs_host(url), "security": "tls" if url.scheme == "smtps" else None}

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Send the jobs, each over a connection of the pool."""
        ready = jobs.ready if isinstance(jobs, Jobs) else (lambda: isinstance(jobs, Sequence))
        # With map() and partial(), no function of this file is called for each job.
        delivery_of = functools.partial(Delivery, timeout=self.timeout, without_utf8=_without_utf8)
        waiting = Deliveries(map(delivery_of, jobs), ready)
        if isinstance(jobs, Jobs):
            waiting.before_wait = jobs.before_wait
        while delivery := waiting.first():
            if not delivery.waiting:  # it was settled with the one before it
                yield _report(waiting.take())
                continue
            try:
                waiting.before_wait()
                with self.pool.session(delivery, observe) as session:
                    for settled in session.send(waiting, observe):
                        yield conclude(settled.job, settled.ordered(), settled.error)
            except DeferredError as error:
                # There is no session, so the error applies to every message.
                yield from _fail_all(waiting, error)
            except BaseException:
                given_up = waiting.in_hand
                if given_up is not None and isinstance(jobs, Jobs):
                    given_up.interrupt()
                    jobs.leave(_report(given_up))
                raise

    def close(self) -> None:
        """Close the idle connections. The handler may be used again."""
        self.pool.close()


def spelling_of(host: str, provider: str | None) -> Spelling | None:
    """Return what some fields of a message become in the header for a server of a provider.

    :param provider: Its name, if the app says it.
    """
    if not provider and not host.lower().endswith(_OF_PROVIDERS):
        return None
    from .providers.spellings import spelling_at  # most servers are not of a provider

    return spelling_at(host, provider)


def _without_utf8(content: Content) -> Content | None:
    from ..mime.downgrade import downgraded  # few need it

    return content.rewritten(downgraded)


def _fail_all(waiting: Deliveries, error: DeferredError) -> Iterator[Report]:
    while waiting.first():
        delivery = waiting.take()
        # Each report has its own error, because the error holds the report.
        own = copy.copy(error)
        own.__cause__ = error.__cause__
        delivery.fail(own)
        yield _report(delivery)


def _report(delivery: Delivery) -> Report:
    return conclude(delivery.job, delivery.ordered(), delivery.error)
