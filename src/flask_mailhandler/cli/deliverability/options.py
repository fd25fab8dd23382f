"""The options of ``flask mail check`` that are about the DNS."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Sequence

import click

if t.TYPE_CHECKING:
    from ...app.account import Account


@dataclasses.dataclass(frozen=True)
class DNSOptions:
    """What to do instead of asking the mail server."""

    offline: bool
    ip: str | None
    nameserver: str | None

    def run(self, accounts: Sequence[Account]) -> int:
        """Check or print the records of some accounts, and return the exit code."""
        from .command import check_dns
        from .command import print_records

        if self.offline:
            return print_records(accounts, self.ip)
        return check_dns(accounts, self.ip, self.nameserver)


def read_options(
    *, dns: bool, offline: bool, ip: str | None, nameserver: str | None, to: str | None
) -> DNSOptions | None:
    """Return the options; None if the mail server is asked.

    :raises click.UsageError: if they do not go together.
    """
    if not dns and not offline:
        if ip is not None or nameserver is not None:
            name = "--ip" if ip is not None else "--nameserver"
            raise click.UsageError(f"{name} needs --dns, which asks the DNS.")
        return None
    if to is not None:
        raise click.UsageError("--to asks the mail server. Leave out --dns and --offline.")
    if offline and nameserver is not None:
        raise click.UsageError("--offline asks no server. Leave out --nameserver.")
    return DNSOptions(offline, ip, nameserver)
