"""Items about the accounts: what sends, how it connects, and what comes back."""

from __future__ import annotations

import ssl

from ...address import Address
from ...app.account import Account
from ...errors import ConfigurationError
from ...handlers import SILENT
from ...handlers.base import EmailHandler
from ...handlers.providers.api import APIEmailHandler
from ...handlers.smtp import SMTPEmailHandler
from ...net.deadline import Deadline
from ...report import DeferredError
from ...smtp.opening import Opening
from ...smtp.session import Session
from .deployment import Deployment
from .deployment import is_reserved
from .verdict import ok
from .verdict import to_do
from .verdict import unknown
from .verdict import Verdict
from .verdict import worst

_FREE = frozenset(
    {"aol.com", "gmail.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com"}
    | {"outlook.com", "proton.me", "web.de", "yahoo.com"}
)


def real_servers(deployment: Deployment) -> Verdict:
    """Whether each account sends to a server or a provider."""
    return worst((one.name, _real_server(deployment, one)) for one in deployment.accounts)


def _real_server(deployment: Deployment, account: Account) -> Verdict:
    kind, handler = deployment.kind(account), deployment.handler(account)
    if kind in SILENT:
        return to_do(
            f"The handler is {type(handler).__name__}, which sends nothing. Set MAIL_URL to your"
            " provider's server, such as smtps://shop%40shop.example:PASSWORD@smtp.shop.example."
        )
    if isinstance(handler, APIEmailHandler):
        return ok(f"The API at {handler.url('').netloc}.")
    if not isinstance(handler, SMTPEmailHandler):
        return unknown(f"{type(handler).__name__} is your own: try it with flask mail send.")
    if not account.connected:
        return to_do("Neither MAIL_URL nor MAIL_HOST is set: set one to your provider's server.")
    server = handler.server
    if is_reserved(server.host) and not server.loopback:
        return to_do(f"The server {server} is an example. Set MAIL_URL to your provider's.")
    if server.loopback:
        return unknown(
            f"The server {server} is on this machine. See that it passes mail on: flask mail"
            " catch does not."
        )
    return ok(f"{server}.")


def logins(deployment: Deployment) -> Verdict:
    """Whether each account connects with encryption, and logs in."""
    return worst((one.name, _login(deployment.handler(one))) for one in deployment.accounts)


def _login(handler: EmailHandler) -> Verdict:
    if isinstance(handler, APIEmailHandler):
        return unknown(
            "APIs use HTTPS, and were not asked. To send one message: flask mail check --live --to"
            " ADDRESS."
        )
    if not isinstance(handler, SMTPEmailHandler):
        return unknown(f"{type(handler).__name__} opens no session.")
    server = handler.server
    if server.security == "none" and not server.loopback:
        return to_do("The connection is not encrypted: set MAIL_SECURITY to 'starttls' or 'tls'.")
    if server.security != "none" and server.tls_context().verify_mode != ssl.CERT_REQUIRED:
        return to_do(
            "MAIL_TLS_CONTEXT does not verify the certificate, so any server could take the"
            " password. Leave it out, or set MAIL_TLS_CA_FILE."
        )
    deadline = Deadline(server.timeout).within(server.connect_timeout)
    opening = Opening(server, deadline, lambda phase: None)
    try:
        opening.run()
    except (DeferredError, ConfigurationError) as error:
        return to_do(f"{error} See flask mail check.")
    Session(server, opening).close()
    secured = "without TLS, on this machine" if server.security == "none" else "with TLS"
    login = f"as {server.username}" if server.username else "without a login"
    return ok(f"{server}, {secured}, {login}.")


def senders(deployment: Deployment) -> Verdict:
    """Whether mail is from the app's own domain."""
    return worst((one.name, _sender(one)) for one in deployment.accounts)


def _sender(account: Account) -> Verdict:
    sender = account.options.get("default_from")
    if not isinstance(sender, Address):
        return to_do("It is not set. Set it to an address of your domain, which you can read.")
    if is_reserved(sender.domain):
        return to_do(f"{sender} is an example. Set it to an address of your domain.")
    if sender.domain in _FREE:
        return unknown(
            f"{sender} is of a provider of mailboxes, whose servers alone may send for it. Use an"
            " address of a domain whose DNS you can change."
        )
    return ok(f"{sender}.")


def bounces(deployment: Deployment) -> Verdict:
    """Whether the app hears what became of its mail."""
    return worst((one.name, _bounce(deployment, one)) for one in deployment.accounts)


def _bounce(deployment: Deployment, account: Account) -> Verdict:
    options = account.options
    if options.get("webhook_secret"):
        return ok("By webhooks. flask mail check tries the URL.")
    if options.get("bounce_imap"):
        return ok("By MAIL_BOUNCE_IMAP. Let cron run flask mail bounce --imap.")
    if options.get("bounce_address"):
        return unknown(
            "MAIL_BOUNCE_ADDRESS is set. See that your mail server passes what comes there to flask"
            " mail bounce, or set MAIL_BOUNCE_IMAP."
        )
    if isinstance(deployment.handler(account), APIEmailHandler):
        return to_do("Set MAIL_WEBHOOK_SECRET and MAIL_WEBHOOK_KEY, and enter the URL there.")
    return to_do(
        "Set MAIL_WEBHOOK_SECRET if your provider has webhooks, else MAIL_BOUNCE_ADDRESS and"
        " MAIL_BOUNCE_IMAP."
    )


def suppressions(deployment: Deployment) -> Verdict:
    """Whether an address that bounces is remembered."""
    if deployment.settings.queue.suppressions:
        return ok("By MAIL_SUPPRESSIONS.")
    return to_do("Set MAIL_SUPPRESSIONS = True, and MAIL_QUEUE, where they are stored.")
