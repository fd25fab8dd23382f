"""The item about the DNS."""

from __future__ import annotations

from ..deliverability.checks import check_sender
from ..deliverability.finding import Level
from ..deliverability.sender import senders
from .deployment import Deployment
from .verdict import ok
from .verdict import to_do
from .verdict import unknown
from .verdict import Verdict

_MORE = "See flask mail check --dns."


def records(deployment: Deployment) -> Verdict:
    """Whether the records are published, if the DNS may be asked."""
    if deployment.resolver is None:
        return unknown("Not checked: add --dns.")
    known = [one for one in senders(deployment.accounts) if one.author or one.bounce]
    if not known:
        return to_do("MAIL_DEFAULT_FROM is not set, so no domain is known.")
    ask = deployment.resolver.ask
    found = [finding for sender in known for finding in check_sender(sender, None, ask)]
    failed = [f"{one.about}: {one.text}" for one in found if one.level is Level.FAILED]
    silent = [f"{one.about}: {one.text}" for one in found if one.level is Level.UNKNOWN]
    if failed:
        return to_do(f"{' '.join(failed)} {_MORE}")
    if silent:
        return unknown(f"{' '.join(silent)} {_MORE}")
    warned = [one.about for one in found if one.level is Level.WARNING]
    text = f"{len(found)} checks"
    return ok(
        f"{text}, with a warning about {', '.join(warned)}. {_MORE}" if warned else f"{text}."
    )
