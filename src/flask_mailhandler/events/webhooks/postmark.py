"""Webhooks of Postmark, which signs nothing.

Written from its documentation (https://postmarkapp.com/developer/webhooks/webhooks-overview), not
tried against a live account.
"""

from __future__ import annotations

from ...secret import Secret
from ..event import Event
from ..kinds import EventKind
from .basic import check_login
from .basic import missing_login
from .call import Call
from .facts import make_event
from .fields import Fields
from .fields import parse_object
from .fields import shown_text

_KINDS = {
    "Delivery": EventKind.DELIVERED,
    "SpamComplaint": EventKind.COMPLAINED,
    "Open": EventKind.OPENED,
    "Click": EventKind.CLICKED,
}
# https://postmarkapp.com/developer/api/bounce-api#bounce-types
_BOUNCES = {
    "HardBounce": EventKind.BOUNCED,
    "BadEmailAddress": EventKind.BOUNCED,
    "Transient": EventKind.DEFERRED,
    "SoftBounce": EventKind.DEFERRED,
    "DnsError": EventKind.DEFERRED,
    "Blocked": EventKind.REJECTED,
    # The server took it for spam, and the recipient has not complained. Postmark goes on sending.
    "SpamNotification": EventKind.REJECTED,
    "ManuallyDeactivated": EventKind.REJECTED,
    "InboundError": EventKind.REJECTED,
    "TemplateRenderingFailed": EventKind.FAILED,
    "SMTPApiError": EventKind.FAILED,
    "SpamComplaint": EventKind.COMPLAINED,
    "Unsubscribe": EventKind.UNSUBSCRIBED,
    "ManualSuppression": EventKind.UNSUBSCRIBED,
}
# These happen to a message once for a recipient. Postmark says some of them twice: as a bounce, and
# as a change of the subscription.
_ONCE = frozenset({EventKind.BOUNCED, EventKind.COMPLAINED, EventKind.DELIVERED})
_NO_MESSAGE = "00000000-0000-0000-0000-000000000000"


def missing(key: Secret | None, topics: tuple[str, ...]) -> str:
    """Return what the configuration lacks to prove a request, or ""."""
    return missing_login(key)


def read(call: Call) -> list[Event]:
    """Return the events of a request, after its login is checked.

    :raises WebhookError: if it is wrong, or if the body cannot be read.
    """
    check_login(call)
    found = parse_object(call.body)
    kind = _kind(found)
    if kind is None:
        return []
    recipient = found.raw("Recipient") or found.raw("Email")
    message = found.text("MessageID")
    message = "" if message == _NO_MESSAGE else message
    once = kind in _ONCE and message
    return [
        make_event(
            kind,
            recipient,
            event_id=f"{message} {kind} {shown_text(recipient).lower()}" if once else found.digest,
            provider_id=message,
            time=found.time("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt"),
            said=found.text("Details", "Description", "SuppressionReason"),
            metadata=found.pairs("Metadata"),
            tags=[found.raw("Tag")],
            url=found.text("OriginalLink", most=2_000),
            raw=call.body,
        )
    ]


def _kind(found: Fields) -> EventKind | None:
    """Return the kind of an event; None if it is not about a message of the app."""
    record = found.raw("RecordType")
    if record == "Bounce":
        return _BOUNCES.get(found.raw("Type"))
    if record == "SubscriptionChange":
        if not found.flag("SuppressSending"):
            return EventKind.SUBSCRIBED if "SuppressSending" in found.found else None
        return _BOUNCES.get(found.raw("SuppressionReason"))
    return _KINDS.get(record)
