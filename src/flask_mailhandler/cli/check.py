"""``flask mail check``: the settings in force, and whether the server would accept mail."""

from __future__ import annotations

import functools
import re
import sys
import typing as t
from pathlib import Path

import click

from .. import config
from ..address import Address
from ..handlers.base import EmailHandler
from ..handlers.bounce_imap import IMAPMailbox
from ..handlers.console import ConsoleEmailHandler
from ..handlers.file import FileEmailHandler
from ..handlers.memory import MemoryEmailHandler
from ..handlers.providers.api import APIEmailHandler
from ..handlers.signed_address import SignedAddress
from ..handlers.smtp import SMTPEmailHandler
from ..handlers.unsubscribe import UnsubscribeLink
from ..secret import Secret
from .table import print_error
from .table import print_table

if t.TYPE_CHECKING:
    from ..handlers.dkim_keys import DKIMKeys
    from .in_force import InForce

_INSTALLED = "flask_mailhandler.flask_mail"
_UNITS = {1.0: "s", 60.0: "min", 3600.0: "h", 86400.0: "d"}
_SECRET = re.compile(r"passw|secret|token|credential|api_?key", re.I)


def check(in_force: InForce, to: str | None, *, live: bool = False) -> int:
    """Print the settings in force, and try them: with a session if the handler uses SMTP.

    :param to: The recipient to ask about.
    :param live: Whether to send a message to *to*.
    :return: The exit code: 0 if the server would accept mail, or has accepted it, recipients can
        unsubscribe, and the queue can be used.
    :raises MailError: if a setting or *to* cannot be used.
    """
    if in_force.members:
        click.echo(
            f"Account {in_force.account.name!r} passes its messages on: {in_force.passes_on()}\n"
        )
        codes = [check(one, to, live=live) for one in _apart(in_force.members)]
        return max(codes)
    recipient = None if to is None else Address(to, field="--to")
    if live:
        from .check_live import check_that_it_sends

        check_that_it_sends(in_force)
    handler = in_force.handler
    click.echo(
        f"Account {in_force.account.name!r}: {type(handler).__name__}, chosen"
        f" {in_force.decided_by}\n"
    )
    if settings := [*_settings(in_force)]:
        print_table(settings)
        click.echo()
    if shared := in_force.of_the_app():
        click.echo("For the whole app:\n")
        print_table(shared)
        click.echo()
    if getattr(sys.modules.get("flask_mail"), "__name__", "") == _INSTALLED:
        click.echo(f"'import flask_mail' means {_INSTALLED}: install() was called.\n")
    for why in (broken := in_force.queue_errors()):
        print_error(why)
    works = not broken
    if handler.unsubscribe is not None and handler.unsubscribe.make is not None:
        from .check_unsubscribe import try_page

        works = try_page(handler.unsubscribe) and works
    if isinstance(handler, SMTPEmailHandler) and handler.dkim_keys:
        click.echo(_signed_with(handler.dkim_keys, handler.dkim_domain) + "\n")
    if in_force.has_webhooks:
        from .check_webhooks import try_webhooks

        works = try_webhooks(in_force.account) and works
    if live and recipient is not None:
        from .check_live import try_live

        return try_live(in_force, recipient) or int(not works)
    if isinstance(handler, SMTPEmailHandler):
        from .check_session import Trial

        unset = "" if in_force.account.connected else in_force.not_set
        return Trial(handler, unset).run(recipient) or int(not works)
    click.echo(_what_it_does(handler))
    return int(not works)


def _apart(members: t.Iterable[InForce]) -> t.Iterator[InForce]:
    """Yield the accounts of a group, with an empty line between two of them."""
    for number, one in enumerate(members):
        if number:
            click.echo()
        yield one


def _settings(in_force: InForce) -> t.Iterator[tuple[str, str, str]]:
    """Yield each option that has a value: its name, its value, and the key it comes from."""
    handler, sources = in_force.handler, in_force.account.sources
    known = config.options(type(handler))
    for name in sorted(known, key=functools.partial(_distance, type(handler))):
        option = known[name]
        value = getattr(handler, name)
        source = sources.get(name, "default")
        if value == option.default:
            # A key may give the default, or none may be set.
            source = source if name in in_force.account.options else "default"
        if name == "bounce_delimiter" and not (
            handler.bounce_address or handler.unsubscribe_mailto
        ):
            continue  # it has a default, which means nothing without an address
        if name in ("port", "security") and value is None:
            yield _chosen(t.cast(SMTPEmailHandler, handler), name)
        elif value not in (None, "", (), False):
            yield name, _shown(name, value), _short(source, in_force)
    if in_force.account.rate_limit:
        limits = (f"{number}/{_UNITS[seconds]}" for number, seconds in in_force.account.rate_limit)
        yield "rate_limit", "; ".join(limits), _short(sources["rate_limit"], in_force)


def _short(source: str, in_force: InForce) -> str:
    """Return a source without the name of the account, which is printed above the table."""
    return source.replace(f"MAIL_ACCOUNTS[{in_force.account.name!r}]", "MAIL_ACCOUNTS[...]")


def _distance(kind: type, name: str) -> int:
    """Return how far from a kind of handler an option comes, so that what only this kind has is
    shown first: its server."""
    return next(number for number, cls in enumerate(kind.__mro__) if name in vars(cls))


def _chosen(handler: SMTPEmailHandler, name: str) -> tuple[str, str, str]:
    """Return an option that the handler chose itself, and why."""
    server = handler.server
    if name == "port":
        return name, str(server.port), f"default with security {server.security}"
    why = {
        "tls": "default on port 465",
        "none": "default on this machine",
        "starttls": "default on other machines",
    }
    return name, server.security, why[server.security]


def _shown(name: str, value: object) -> str:
    if isinstance(value, Secret) or callable(value) or _SECRET.search(name):
        return "***"
    if isinstance(value, tuple):
        return ", ".join(map(_readable, value))
    if isinstance(value, float):
        return f"{value:g} s"
    return _readable(value)


def _readable(value: object) -> str:
    if isinstance(value, Address):
        return value.formatted
    return (
        str(value)
        if isinstance(value, str | int | SignedAddress | UnsubscribeLink | IMAPMailbox)
        else f"a {type(value).__name__}"
    )


def _signed_with(keys: DKIMKeys, domain: str | None) -> str:
    names = ", ".join(key.description for key in keys.loaded)
    return f"Mail is signed with {names} for {domain or 'the domain of its From'}."


def _what_it_does(handler: EmailHandler) -> str:
    match handler:
        case ConsoleEmailHandler():
            return "Messages are printed. Nothing is sent."
        case MemoryEmailHandler():
            return "Messages are stored in memory, in the outbox of tests. Nothing is sent."
        case FileEmailHandler():
            return f"Messages are written into {Path(handler.folder).absolute()}. Nothing is sent."
        case APIEmailHandler():
            return (
                f"Messages are sent by the API at {handler.url('').netloc}, which was not asked."
                " --live sends one message and prints what is answered."
            )
    kind = type(handler)
    return (
        f"Messages are passed to {kind.__module__}:{kind.__qualname__}, which this command cannot"
        " check. 'flask mail send' tries it."
    )
