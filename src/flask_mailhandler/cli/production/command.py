"""``flask mail check --production``: ticks the checklist off, and prints what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import click

from ...app.current import registration
from ...errors import MailError
from ..in_force import accounts_of_app
from ..table import print_error
from ..table import print_row
from .checklist import CHECKLIST
from .deployment import Deployment
from .verdict import Status
from .verdict import Verdict

_WIDTHS = (max(len(status.value) for status in Status),)


def check_production(using: str | None, *, dns: bool, nameserver: str | None) -> int:
    """Print each item of the checklist, whether it is done, and what to write.

    :param using: The account to look at; all of the app if None.
    :param dns: Whether to ask the DNS.
    :param nameserver: The server to ask, with its port; None for those of this machine.
    :return: The exit code: 0 if nothing is to do.
    :raises ConfigurationError: if an option cannot be used.
    """
    resolver = None
    if dns:
        from ..deliverability.resolver import read_nameserver
        from ..deliverability.resolver import Resolver

        resolver = Resolver(read_nameserver(nameserver))
    deployment = Deployment(registration(), accounts_of_app(using), resolver)
    count: Counter[Status] = Counter()
    for title, judge in CHECKLIST.items():
        verdict = _judged(judge, deployment)
        count[verdict.status] += 1
        print_row((verdict.status.value, title), _WIDTHS)
        print_row(("", deployment.mine.framework.wording(verdict.text)), _WIDTHS)
    total = ", ".join(f"{count[status]} {status.value}" for status in Status if count[status])
    click.echo()
    if count[Status.TO_DO]:
        print_error(f"Of {len(CHECKLIST)} items, {total}.")
        return 1
    click.echo(f"Of {len(CHECKLIST)} items, {total}.")
    return 0


def _judged(judge: Callable[[Deployment], Verdict], deployment: Deployment) -> Verdict:
    """Return a verdict. An error of one item does not hide the others."""
    try:
        return judge(deployment)
    except MailError as error:
        return Verdict(Status.TO_DO, str(error))
    except Exception as error:  # of the app's own code, whose text may have a password
        return Verdict(Status.UNKNOWN, f"{type(error).__name__} was raised.")
