"""``flask mail check --dns`` and ``--offline``: runs the checks and prints what they find."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence

import click

from ...app.account import Account
from ...errors import ConfigurationError
from ...handlers.console import visible
from ..table import print_error
from ..table import print_row
from .checks import check_sender
from .finding import Finding
from .finding import Level
from .offline import records_of
from .resolver import read_nameserver
from .resolver import Resolver
from .reverse import judge_ip
from .sender import Sender
from .sender import senders
from .spf_terms import IP

_NO_DOMAIN = "MAIL_DEFAULT_FROM is not set, so no domain is known. Set it to the address in From."


def check_dns(accounts: Iterable[Account], ip: str | None, nameserver: str | None) -> int:
    """Ask the DNS about the domains of accounts, and print what is found.

    :param ip: The address that sends; its name is checked too.
    :param nameserver: The server to ask, with its port; None for those of this machine.
    :return: The exit code: 0 if no check failed and each question was answered.
    :raises ConfigurationError: if an option or a key cannot be used.
    """
    address, server = _read_ip(ip), read_nameserver(nameserver)
    everything = _known(senders(accounts))
    ask = Resolver(server).ask
    found: list[Finding] = []
    for sender in everything:
        click.echo(f"{_named(sender)}: {_domains(sender)}\n")
        found += _print(check_sender(sender, address, ask))
        click.echo()
    if address is not None:
        click.echo(f"IP address {address}\n")
        found += _print(judge_ip(address, ask))
        click.echo()
    return _conclude(found)


def print_records(accounts: Iterable[Account], ip: str | None) -> int:
    """Print the records to publish. The DNS is not asked.

    :return: The exit code: 0.
    :raises ConfigurationError: if an option or a key cannot be used.
    """
    address = _read_ip(ip)
    everything = _known(senders(accounts))
    for sender in everything:
        click.echo(f"; {_named(sender)}: {_domains(sender)}")
    for line in records_of(everything, str(address) if address else None):
        click.echo(line)
    return 0


def _known(found: Sequence[Sender]) -> list[Sender]:
    known = [sender for sender in found if sender.author or sender.bounce]
    if not known:
        raise ConfigurationError(_NO_DOMAIN)
    return known


def _named(sender: Sender) -> str:
    names = ", ".join(map(repr, sender.accounts))
    return f"Account{'s' if len(sender.accounts) > 1 else ''} {names}"


def _domains(sender: Sender) -> str:
    parts = [
        f"From {sender.author}" if sender.author else "",
        f"signed by {sender.signer}" if sender.keys and sender.signer else "",
        f"bounces to {sender.bounce}" if sender.bounce else "",
    ]
    return ", ".join(filter(None, parts))


def _print(findings: Iterable[Finding]) -> list[Finding]:
    found = [*findings]
    widths = [max((len(one.about) for one in found), default=0), len("no answer")]
    for one in found:
        print_row((one.about, one.level.value, one.text), widths)
    return found


def _conclude(found: Sequence[Finding]) -> int:
    records = [*dict.fromkeys(one.publish for one in found if one.publish)]
    if records:
        click.echo("Publish these records:\n")
        for record in records:
            click.echo("\n".join(map(visible, record.split("\n"))) + "\n")
    count = Counter(one.level for one in found)
    verb = "has" if count[Level.WARNING] == 1 else "have"
    bad = [
        f"{count[Level.FAILED]} failed" if count[Level.FAILED] else "",
        f"{count[Level.UNKNOWN]} got no answer" if count[Level.UNKNOWN] else "",
        f"{count[Level.WARNING]} {verb} a warning" if count[Level.WARNING] else "",
    ]
    total = f"Of {len(found)} checks, {', '.join(filter(None, bad))}."
    if count[Level.FAILED] or count[Level.UNKNOWN]:
        print_error(total)
        return 1
    click.echo(total if count[Level.WARNING] else f"All {len(found)} checks passed.")
    return 0


def _read_ip(text: str | None) -> IP | None:
    if text is None:
        return None
    try:
        address = ipaddress.ip_address(text.strip())
        return getattr(address, "ipv4_mapped", None) or address
    except ValueError:
        raise ConfigurationError(
            f"--ip takes the IP address that sends, such as 192.0.2.25, not {text!r}."
        ) from None
