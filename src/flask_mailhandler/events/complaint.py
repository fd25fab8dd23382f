"""Complaints about a message (RFC 5965), as mailbox providers send them to its sender."""

from __future__ import annotations

import itertools
from email.message import Message as MIMEMessage

from .delivery_status import MAX_RECIPIENTS
from .delivery_status import Notice
from .kinds import EventKind
from .parts import field
from .parts import Part
from .parts import read_header
from .parts import values_of

MEDIA_TYPE = "message/feedback-report"

# https://www.rfc-editor.org/rfc/rfc5965#section-7.3. The other types are not about the recipient:
# auth-failure reports, and not-spam, which takes a complaint back.
_KINDS = {
    "abuse": EventKind.COMPLAINED,
    "fraud": EventKind.COMPLAINED,
    "virus": EventKind.COMPLAINED,
    "other": EventKind.COMPLAINED,
    "opt-out": EventKind.UNSUBSCRIBED,
    "opt-out-list": EventKind.UNSUBSCRIBED,
}
# Microsoft's complaints have no report. The message that they return has this field.
_MICROSOFT = "X-HmXmrOriginalRecipient"


def complaints_of(report: Part) -> list[Notice]:
    """Return a notice for each recipient of a report."""
    fields = read_header(report.decoded.lstrip(b"\n"))
    kind = _KINDS.get(field(fields, "Feedback-Type").lower())
    if kind is None:
        return []
    recipients = itertools.islice(values_of(fields, "Original-Rcpt-To"), MAX_RECIPIENTS)
    # Most providers hide the recipient. Then the event has none, because a guess could be wrong.
    named = [one.removeprefix("<").removesuffix(">") for one in recipients]
    return [Notice(kind, one) for one in named or [""]]


def microsoft_complaint(returned: MIMEMessage) -> list[Notice]:
    """Return the notice of a complaint in the form of Microsoft, or nothing."""
    recipient = field(returned, _MICROSOFT)
    return [Notice(EventKind.COMPLAINED, recipient)] if recipient else []
