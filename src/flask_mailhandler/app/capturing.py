"""Where an app's mail goes while a test captures it: into a list, or to a test server."""

from __future__ import annotations

import dataclasses
import typing as t

from ..handlers import find
from ..handlers.base import EmailHandler
from ..testing.outbox import Outbox
from .account import Account
from .settings import Settings

if t.TYPE_CHECKING:
    from ..handlers.smtp import SMTPEmailHandler
    from ..testing.server import SMTPServer

_KEPT = ("username", "password", "oauth_token", "login_mechanism", "webhook_secret")


class Capture(t.Protocol):
    """Gets the mail of an app for a time."""

    edges: dict[str, t.Any]
    """What the parts above store for it, by name."""

    def handler(self, account: Account) -> EmailHandler:
        """Return the handler of an account."""
        ...

    def close(self) -> None:
        """Close the handlers."""
        ...


def capture_into(into: Outbox | SMTPServer, settings: Settings) -> Capture:
    """Return a capture of all accounts: into a list, or with a test server."""
    return InMemory(into) if isinstance(into, Outbox) else OverSMTP(into, settings)


class InMemory:
    """Captures mail in a list."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.edges: dict[str, t.Any] = {}

    def handler(self, account: Account) -> EmailHandler:
        return account.in_memory().into(self._outbox, account.name, account.elsewhere())

    def close(self) -> None:
        pass


class OverSMTP:
    """Sends to a test server as each account would send to its own server: encrypted, and with a
    login.

    The handlers are built at once, because a process that is forked from this one must not make
    its own certificate.

    :raises RuntimeError: if the server is not started.
    """

    def __init__(self, server: SMTPServer, settings: Settings) -> None:
        if not server.port:
            raise RuntimeError("The server is not started: write 'with SMTPServer() as server:'.")
        self.edges: dict[str, t.Any] = {}
        self._handlers = {
            name: _sending_to(server, account) for name, account in settings.accounts.items()
        }

    def handler(self, account: Account) -> EmailHandler:
        return self._handlers[account.name]

    def close(self) -> None:
        for handler in self._handlers.values():
            handler.close()


def _sending_to(server: SMTPServer, account: Account) -> EmailHandler:
    from ..handlers.smtp import SMTPEmailHandler

    kind = find(account.handler or "smtp", account.label("handler"))
    if not issubclass(kind, SMTPEmailHandler):
        # Such an account has no login for SMTP, and no option for encryption.
        where = {"host": server.host, "port": server.port, "security": "none"}
        return _rebuilt(account, SMTPEmailHandler, account.elsewhere(**where))
    sending = t.cast("SMTPEmailHandler", account.build(kind))
    own, spelling = sending.server, sending.spelling_by_smtp
    where = {"host": server.host, "port": server.port, "security": own.security}
    where["provider"] = "none" if spelling is None else spelling.name
    if own.security != "none":
        where["tls_context"] = server.certificates.client
    if own.security == "tls":
        where["port"] = server.tls_port
    kept = {name: account.options[name] for name in _KEPT if name in account.options}
    return _rebuilt(account, kind, account.elsewhere(**where, **kept))


def _rebuilt(
    account: Account, kind: type[EmailHandler], options: t.Mapping[str, object]
) -> EmailHandler:
    return dataclasses.replace(account, options=options).build(kind)
