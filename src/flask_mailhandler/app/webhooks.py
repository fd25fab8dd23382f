"""The URLs to which providers post what becomes of messages, and what proves their requests.

::

    https://shop.example/mail/webhooks/<account>/<secret>
"""

from __future__ import annotations

import re
import typing as t

from ..errors import ConfigurationError
from ..events.webhooks.formats import format_of
from ..events.webhooks.formats import NAMES
from ..frozen import Frozen
from ..handlers import find
from ..handlers import SILENT
from ..handlers.providers.spellings import spelling_at
from ..handlers.smtp import SMTPEmailHandler
from ..secret import Secret
from .account import Account

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..events.webhooks.call import Format
    from .settings import Settings

PATH = "mail/webhooks/"
"""Where the URLs begin in the app. The account and the secret follow."""
TRUSTED = "webhooks_trusted"
"""Where the scope of a registration has the certificates of SNS, by their URL. In a test, also keys
that stand for the provider's, by their account."""
# What needs no quoting in a URL, so that every server passes it on as it is.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")


class Endpoint(Frozen):
    """What an account needs to read webhooks."""

    provider: str
    secret: Secret
    key: Secret | None
    topics: tuple[str, ...]

    @property
    def format(self) -> Format:
        """The webhooks of the provider."""
        return format_of(self.provider)


def endpoint_of(account: Account) -> Endpoint | None:
    """Return the endpoint of an account; None if it has none.

    :raises ConfigurationError: if it sends by a server whose webhooks are not known.
    """
    secret = account.options.get("webhook_secret")
    handler = account.handler or "smtp"
    if not isinstance(secret, Secret) or handler in SILENT or not account.connected:
        return None
    provider = _provider(account, handler)
    if provider not in NAMES:
        raise ConfigurationError(
            f"{account.label('webhook_secret')} is for webhooks of a provider"
            f" ({', '.join(NAMES)}), and this account sends by another: leave it out. If its SMTP"
            f" server belongs to one of them, name it in {account.label('provider')}."
        )
    key, topics = account.options.get("webhook_key"), account.options.get("webhook_topics")
    return Endpoint(
        provider, secret, t.cast("Secret | None", key), t.cast("tuple[str, ...]", topics or ())
    )


def _provider(account: Account, handler: object) -> str:
    """Return the name of the provider by whose API, or by whose SMTP server, an account sends."""
    cls = find(handler, account.label("handler"))
    if issubclass(cls, SMTPEmailHandler):
        host, named = account.options.get("host"), account.options.get("provider")
        spelling = spelling_at(str(host or ""), t.cast("str | None", named))
    else:
        spelling = getattr(cls, "spelling", None)
    return str(handler) if spelling is None else spelling.name


def check_endpoints(app: App, settings: Settings) -> None:
    """Check that the webhooks of every account can be proven and stored.

    :raises ConfigurationError: naming the key to set.
    """
    for account in settings.accounts.values():
        endpoint = endpoint_of(account)
        if endpoint is None:
            continue
        option = "webhook_topics" if endpoint.provider == "ses" else "webhook_key"
        if missing := endpoint.format.missing(endpoint.key, endpoint.topics):
            raise ConfigurationError(f"{account.label(option)} {missing}.")
        if _NAME.fullmatch(account.name) is None:
            raise ConfigurationError(
                f"The name {account.name!r} in MAIL_ACCOUNTS is a part of the URL of its webhooks:"
                " write it with letters, digits, '-' and '_'."
            )
        if not app.config.get("MAIL_QUEUE"):
            raise ConfigurationError(
                f"{account.label('webhook_secret')} needs a place for events, so that each is told"
                " once: set MAIL_QUEUE to 'sqlite', the path of a file, or 'sqlalchemy'."
            )


def path_of(account: Account) -> str:
    """Return where the app has the webhooks of an account. It holds the secret."""
    endpoint = endpoint_of(account)
    assert endpoint is not None
    return f"{PATH}{account.name}/{endpoint.secret.reveal()}"
