"""The options of ``flask mail check`` that are about the DNS."""

from __future__ import annotations

import dataclasses

import click


@dataclasses.dataclass(frozen=True)
class DNSOptions:
    """What to do instead of asking the mail server."""

    offline: bool
    ip: str | None
    nameserver: str | None

    def run(self, using: str | None, url: str | None) -> int:
        """Check or print the records of an account, or of all, and return the exit code."""
        from ..in_force import accounts_of_app
        from ..in_force import accounts_of_url
        from .command import check_dns
        from .command import print_records

        # Only the commands without an app have the parameter url, even if it is None.
        alone = "url" in click.get_current_context().params
        accounts = accounts_of_url(url) if alone else accounts_of_app(using)
        if self.offline:
            return print_records(accounts, self.ip)
        return check_dns(accounts, self.ip, self.nameserver)


def read_options(
    *,
    dns: bool,
    offline: bool,
    ip: str | None,
    nameserver: str | None,
    to: str | None,
    live: bool,
) -> DNSOptions | None:
    """Return the options; None if the mail server is asked.

    :raises click.UsageError: if they do not go together.
    """
    if live and (dns or offline):
        raise click.UsageError("--live sends a message. Leave out --dns and --offline.")
    if live and to is None:
        raise click.UsageError("--live needs --to: the address that gets the message.")
    if not dns and not offline:
        if nameserver is not None:
            raise click.UsageError("--nameserver needs --dns, which asks the DNS.")
        if ip is not None:
            raise click.UsageError("--ip needs --dns or --offline.")
        return None
    if to is not None:
        raise click.UsageError("--to asks the mail server. Leave out --dns and --offline.")
    if offline and nameserver is not None:
        raise click.UsageError("--offline asks no server. Leave out --nameserver.")
    return DNSOptions(offline, ip, nameserver)
