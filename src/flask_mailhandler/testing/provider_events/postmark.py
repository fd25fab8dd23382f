"""What Postmark posts: one request for each recipient."""

from __future__ import annotations

import json
import typing as t

from ...events.kinds import EventKind
from .told import Posted
from .told import Proof
from .told import Told
from .told import URL

# The record, its recipient, and its time.
_RECORDS = {
    EventKind.DELIVERED: ("Delivery", "Recipient", "DeliveredAt"),
    EventKind.OPENED: ("Open", "Recipient", "ReceivedAt"),
    EventKind.CLICKED: ("Click", "Recipient", "ReceivedAt"),
    EventKind.COMPLAINED: ("SpamComplaint", "Email", "BouncedAt"),
    EventKind.UNSUBSCRIBED: ("SubscriptionChange", "Recipient", "ChangedAt"),
    EventKind.SUBSCRIBED: ("SubscriptionChange", "Recipient", "ChangedAt"),
}
_BOUNCES = {
    EventKind.BOUNCED: ("HardBounce", 1),
    EventKind.DEFERRED: ("Transient", 2),
    EventKind.REJECTED: ("ManuallyDeactivated", 100006),
    EventKind.FAILED: ("SMTPApiError", 100009),
}


def requests(told: Told, proof: Proof) -> list[Posted] | None:
    """Return the requests; None if there is no such event."""
    if told.kind not in _RECORDS and told.kind not in _BOUNCES:
        return None
    headers = {"Content-Type": "application/json", **proof.login}
    return [Posted(headers, json.dumps(_record(told.to(one))).encode()) for one in told.recipients]


def _record(told: Told) -> dict[str, t.Any]:
    bounce = _BOUNCES.get(told.kind)
    name, recipient, time = _RECORDS.get(told.kind, ("Bounce", "Email", "BouncedAt"))
    record: dict[str, t.Any] = {
        "RecordType": name,
        "MessageID": told.provider_id,
        "MessageStream": "outbound",
        "Tag": told.tags[0] if told.tags else "",
        "Metadata": told.metadata(),
        recipient: told.recipients[0],
        time: told.iso,
    }
    match told.kind:
        case EventKind.DELIVERED:
            record["Details"] = told.diagnostic
        case EventKind.CLICKED:
            record["OriginalLink"] = URL
        case EventKind.UNSUBSCRIBED:
            record |= {"SuppressSending": True, "SuppressionReason": "ManualSuppression"}
        case EventKind.SUBSCRIBED:
            record |= {"SuppressSending": False, "SuppressionReason": None}
    if bounce:
        kind, number = bounce
        record |= {"ID": 4323372036, "Type": kind, "TypeCode": number, "Name": kind}
        record |= {"Details": f"smtp;{told.diagnostic}", "From": told.sender}
    return record
