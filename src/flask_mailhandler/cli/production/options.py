"""The options of ``flask mail check`` that go with ``--production``."""

from __future__ import annotations

import click


def run_production(
    using: str | None,
    *,
    dns: bool,
    nameserver: str | None,
    offline: bool,
    ip: str | None,
    to: str | None,
    live: bool,
) -> int:
    """Tick the checklist off, and return the exit code.

    :raises click.UsageError: if the options do not go together.
    """
    # Only the commands without an app have the parameter url, even if it is None.
    if "url" in click.get_current_context().params:
        raise click.UsageError("--production looks at an app: run flask mail check --production.")
    if offline or ip or to or live:
        raise click.UsageError("--production goes with --using, --dns and --nameserver only.")
    if nameserver is not None and not dns:
        raise click.UsageError("--nameserver needs --dns, which asks the DNS.")
    from .command import check_production

    return check_production(using, dns=dns, nameserver=nameserver)
