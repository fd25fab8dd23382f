"""Items about the app's own keys."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Sequence

from ... import config
from ...app.account import Account
from ...app.account import DEFAULT
from ...handlers.bounce_imap import IMAPMailbox
from ...handlers.signed_address import secret_keys
from ...net.hosts import is_loopback
from ...secret import Secret
from .deployment import Deployment
from .deployment import is_reserved
from .verdict import not_used
from .verdict import ok
from .verdict import to_do
from .verdict import unknown
from .verdict import Verdict
from .verdict import worst

_SHORTEST = 16
# A shorter text is part of many others by chance.
_WORD = 6
# As SQLAlchemy reads a URL. In the standard library, a bracket in a password is an error.
_DATABASE_PASSWORD = re.compile(r"[^:/]+://[^:/]*:[^@]+@")
_NEW_KEY = "Set it to the output of python -c 'import secrets; print(secrets.token_hex())'."


def debug_mode(deployment: Deployment) -> Verdict:
    """Whether the app runs as in production."""
    app = deployment.app
    if app.debug:
        return to_do(
            "It is on, so mail may be kept on a page, and errors show your code. Leave out --debug,"
            " FLASK_DEBUG and app.run(debug=True)."
        )
    if app.testing:
        return to_do("TESTING is on, so mail is captured and not sent. Leave it out.")
    return ok("TESTING is off, too.")


def secret_key(deployment: Deployment) -> Verdict:
    """Whether nobody can guess the key that signs."""
    keys = secret_keys(deployment.config)
    if not keys:
        return to_do(
            f"It is not set. It signs links to unsubscribe and addresses for bounces. {_NEW_KEY}"
        )
    if any(len(key) < _SHORTEST or len({*key}) < _SHORTEST // 2 for key in keys):
        return to_do(
            f"A key can be guessed, because it has fewer than {_SHORTEST} characters or repeats"
            f" them. {_NEW_KEY}"
        )
    older = len(keys) - 1
    number = f" {older} older {'one is' if older == 1 else 'ones are'} accepted, too."
    return ok(f"It has {len(keys[0])} characters.{number if older else ''}")


def passwords(deployment: Deployment) -> Verdict:
    """Whether the passwords of the accounts are outside of the code."""
    place = deployment.settings.queue.queue
    found = {account.name: _secrets(account) for account in deployment.accounts}
    if isinstance(place, Secret) and _DATABASE_PASSWORD.match(place.reveal()):
        found["queue"] = [("MAIL_QUEUE", place)]
    return worst((name, _outside(secrets)) for name, secrets in found.items())


def _secrets(account: Account) -> list[tuple[str, Secret]]:
    """Return the secrets of an account, each with the key that it comes from. Several may come from
    one URL."""
    found = [
        (
            account.sources.get(name, name),
            value.password if isinstance(value, IMAPMailbox) else value,
        )
        for name, value in account.options.items()
    ]
    return [(key, value) for key, value in found if isinstance(value, Secret) and value]


def _outside(secrets: Sequence[tuple[str, Secret]]) -> Verdict:
    if not secrets:
        return ok("No password is set.")
    where = [(key, _variable(secret)) for key, secret in secrets]
    if unseen := [key for key, variable in where if not variable]:
        keys = ", ".join(dict.fromkeys(unseen))
        return unknown(
            f"No variable of the environment has the value of {keys}. See that it is in a file that"
            " only the app's user can read, and not in the repository."
        )
    return ok(f"From {', '.join(sorted({variable for _, variable in where}))}.")


def _variable(secret: Secret) -> str:
    """Return the variable of the environment that has a secret, perhaps quoted in a URL; "" if none
    has."""
    for name, value in os.environ.items():
        texts = (value, urllib.parse.unquote(value))
        if secret.reveal() in (texts if len(secret.reveal()) < _WORD else "\0".join(texts)):
            return name
    return ""


def links(deployment: Deployment) -> Verdict:
    """Whether a link in a mail leads to the site."""
    base = deployment.settings.base_url
    if base is None:
        return to_do(
            "MAIL_BASE_URL is not set, so a mail with a link is an error in a worker. Set it to the"
            " address of your site, such as https://shop.example."
        )
    host = urllib.parse.urlsplit(base.url).hostname or ""
    if is_loopback(host) or is_reserved(host):
        return to_do(
            f"MAIL_BASE_URL is {base.url}, which recipients cannot reach. Set your site's."
        )
    if base.scheme != "https":
        return to_do(f"MAIL_BASE_URL is {base.url}. Links in mail need https://.")
    return ok(base.url)


def staging(deployment: Deployment) -> Verdict:
    """Whether mail goes to its recipients."""
    guards = [
        f"MAIL_{name.upper()} of {account.name!r}"
        for account in deployment.accounts
        for name in ("redirect_to", "allow_to")
        if account.options.get(name)
    ]
    if guards:
        verb = "is" if len(guards) == 1 else "are"
        return to_do(
            f"{', '.join(guards)} {verb} set, so recipients do not get their mail. That is for a"
            " staging system: leave it out in production."
        )
    return ok("No account redirects or withholds mail. On staging, set MAIL_REDIRECT_TO.")


def failover(deployment: Deployment) -> Verdict:
    """Whether another account sends if one cannot."""
    used = [
        _group_key(account.name, "failover" if account.group.weights is None else "spread")
        for account in deployment.accounts
        # The only account of a group has no other one to take over.
        if account.group is not None and len(account.group.names) > 1
    ]
    if used:
        return ok(f"By {', '.join(used)}.")
    return not_used(
        "Mail waits in the queue while the account is away. With a second account, set"
        " MAIL_FAILOVER = ['default', 'backup']."
    )


def _group_key(account: str, key: str) -> str:
    return config.key(key) if account == DEFAULT else f"{key} of {account!r}"


def telemetry(deployment: Deployment) -> Verdict:
    """Whether traces and metrics are reported."""
    if deployment.settings.telemetry is not None:
        return ok("By MAIL_TELEMETRY.")
    return not_used(
        "For OpenTelemetry, install 'Flask-MailHandler[telemetry]' and set MAIL_TELEMETRY = True."
    )
