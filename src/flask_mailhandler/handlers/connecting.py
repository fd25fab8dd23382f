"""The options of every handler that connects to a server."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Iterable

from .. import config
from ..config import Option
from ..errors import ConfigurationError
from ..secret import Secret
from .base import EmailHandler
from .configured import Options

if t.TYPE_CHECKING:
    import ssl


def _webhook_secret(value: object, name: str) -> Secret:
    found = config.secret(value, name)
    # A client that guesses it can forge events, so it must be long.
    if not re.fullmatch(rb"[A-Za-z0-9_-]{20,200}", found.octets()):
        raise ConfigurationError(
            f"{name} must have at least 20 letters, digits, '-' and '_', because it is a part of a"
            " URL. Make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return found


def _topics(value: object, name: str) -> tuple[str, ...]:
    items = [*config.split(value)] if isinstance(value, str) else value
    if not isinstance(items, Iterable):
        raise ConfigurationError(f"{name} takes a list of topics, not {type(items).__name__}.")
    return tuple(config.text(item, name) for item in items)


class Connecting(EmailHandler, metaclass=Options, abstract=True):
    """Sends over a pool of connections."""

    timeout: Option[float | None, float] = Option(config.seconds, 25.0)
    """Seconds for one message in total, including opening a connection. One more second is added
    for each 100 kB."""
    connect_timeout: Option[float | None, float] = Option(config.seconds, 10.0)
    """Seconds for opening a connection, up to the login."""
    pool_size: Option[int | None, int] = Option(config.integer(1, 1000), 2)
    """The maximum number of connections at the same time, in each process."""
    pool_idle: Option[float | None, float] = Option(config.seconds, 5.0)
    """Seconds that an idle connection stays open for the next message."""
    tls_context: Option[ssl.SSLContext | None, ssl.SSLContext | None] = Option(
        config.instance_of("ssl", "SSLContext"), None
    )
    """Your own context, instead of one that trusts the system's authorities."""
    tls_ca_file: Option[str | os.PathLike[str] | None, str | None] = Option(config.path, None)
    """A file with the certificate of a private authority (PEM)."""
    webhook_secret: Option[str | Secret | None, Secret | None] = Option(_webhook_secret, None)
    """The last part of the URL to which the provider posts what becomes of messages. If it is left
    out, the app has no such URL. See :doc:`webhooks`."""
    webhook_key: Option[str | Secret | None, Secret | None] = Option(config.secret, None)
    """What proves that the provider has sent a webhook: its signing key, or for Postmark and Brevo,
    which sign nothing, ``user:password`` of basic authentication."""
    webhook_topics: Option[Iterable[str] | str | None, tuple[str, ...]] = Option(_topics, ())
    """The topics of Amazon SNS from which webhooks are taken."""

    def at_once(self, connections: int) -> int:
        """Return *connections*, if the pool may hold that many."""
        if connections > self.pool_size:
            raise ConfigurationError(
                f"connections={connections} is more than MAIL_POOL_SIZE = {self.pool_size}. Set"
                f" MAIL_POOL_SIZE to {connections} or more, if the server allows each process so"
                " many connections."
            )
        return connections

    def check_files(self, *names: str) -> None:
        """Check that the files of options can be read now, and not when the first message is sent.

        :raises ConfigurationError: if one cannot be read.
        """
        for name in names:
            path = getattr(self, name)
            if path and not os.access(path, os.R_OK):
                raise ConfigurationError(
                    f"{config.key(name)} = {path!r} cannot be read. Check that the file is there"
                    " and that the app may read it."
                )
