"""What the items of the checklist are told of the app."""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from collections.abc import Mapping
from collections.abc import Sequence

from ...app.account import Account
from ...handlers.base import EmailHandler
from ...queue.build import queue_of

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ...app.registration import Registration
    from ...app.settings import Settings
    from ...queue.health.result import QueueHealth
    from ..deliverability.resolver import Resolver

TIMEOUT = 5.0
"""How many seconds the store of the queue may take to answer."""
RESERVED = ("example", "test", "invalid", "localhost", "local")
"""The top-level domains in which no mail arrives (RFC 6761, RFC 6762)."""


@dataclasses.dataclass(frozen=True)
class Deployment:
    """An app as it would run now.

    :param mine: The app's registration.
    :param accounts: The accounts to look at.
    :param resolver: Asks the DNS; None if it must not be asked.
    """

    mine: Registration
    accounts: Sequence[Account]
    resolver: Resolver | None = None

    @property
    def app(self) -> App:
        """The app."""
        return self.mine.app

    @property
    def config(self) -> Mapping[str, t.Any]:
        """The app's configuration."""
        return self.mine.app.config

    @property
    def settings(self) -> Settings:
        """What its ``MAIL_*`` keys say."""
        return self.mine.settings

    def kind(self, account: Account) -> object:
        """Return the kind of handler by which an account sends. An account may pass its mail to
        others, which are looked at, too."""
        app = self.app
        kind = self.settings.choose(account, testing=app.testing, debug=app.debug)
        return kind if isinstance(kind, str | type) else account.handler or "smtp"

    def handler(self, account: Account) -> EmailHandler:
        """Return the handler by which an account sends.

        :raises ConfigurationError: if its options do not go together.
        """
        return account.build(self.kind(account))

    @functools.cached_property
    def health(self) -> QueueHealth:
        """The health of the queue, looked at once."""
        return queue_of(self.mine).health(timeout=TIMEOUT)


def is_reserved(domain: str) -> bool:
    """Whether no mail can arrive at a domain, because it is for examples and tests."""
    labels = domain.lower().rstrip(".").split(".")
    return labels[-1] in RESERVED or (
        labels[-2:-1] == ["example"] and labels[-1] in ("com", "net", "org")
    )
