"""The items of the checklist, in the words and the order of the page *In production*."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Mapping

from . import accounts
from . import domain
from . import operating
from . import settings
from . import waiting
from .deployment import Deployment
from .verdict import Verdict

CHECKLIST: t.Final[Mapping[str, Callable[[Deployment], Verdict]]] = {
    "Debug mode is off.": settings.debug_mode,
    "SECRET_KEY is long and random.": settings.secret_key,
    "Passwords are in the environment or in a private file.": settings.passwords,
    "Links in mail lead to your site.": settings.links,
    "Each account sends by a real server or provider.": accounts.real_servers,
    "Each account connects with TLS and logs in.": accounts.logins,
    "MAIL_DEFAULT_FROM is an address of your domain.": accounts.senders,
    "SPF, DKIM and DMARC records are published.": domain.records,
    "The app hears of bounces.": accounts.bounces,
    "Addresses that bounce get no more mail.": accounts.suppressions,
    "Mail that waits survives a restart.": waiting.store,
    "The tables of the queue are those of this release.": waiting.tables,
    "A worker sends what waits.": waiting.worker,
    "Another account takes over if one fails.": settings.failover,
    "Mail goes to its recipients, and on staging to you.": settings.staging,
    "Errors of the app are mailed to you.": operating.error_mail,
    "The log is recorded.": operating.log,
    "Traces and metrics are reported.": settings.telemetry,
    "A probe looks at the health of the queue.": waiting.probe,
    "Pages with mail need a login.": operating.pages,
    "The queue is in your backup.": waiting.backup,
}
"""What is to be true of a deployment, and the function that finds out."""
