"""What Resend posts: one request for each recipient."""

from __future__ import annotations

import json
import typing as t
import uuid

from ...events.kinds import EventKind
from ...events.webhooks.resend import signature
from .told import Posted
from .told import Proof
from .told import Told
from .told import URL

_NAMES = {
    EventKind.SENT: "email.sent",
    EventKind.DELIVERED: "email.delivered",
    EventKind.DEFERRED: "email.delivery_delayed",
    EventKind.BOUNCED: "email.bounced",
    EventKind.REJECTED: "email.suppressed",
    EventKind.FAILED: "email.failed",
    EventKind.OPENED: "email.opened",
    EventKind.CLICKED: "email.clicked",
    EventKind.COMPLAINED: "email.complained",
    EventKind.UNSUBSCRIBED: "contact.updated",
}


def requests(told: Told, proof: Proof) -> list[Posted] | None:
    """Return the requests; None if there is no such event."""
    if told.kind not in _NAMES:
        return None
    return [_request(told.to(one), proof) for one in told.recipients]


def _request(told: Told, proof: Proof) -> Posted:
    body = json.dumps(
        {"type": _NAMES[told.kind], "created_at": told.iso, "data": _data(told)}
    ).encode()
    assert proof.key is not None
    message, timestamp = f"msg_{uuid.uuid4().hex}", str(int(told.time.timestamp()))
    signed = signature(proof.key, message, timestamp, body)
    return Posted(
        {
            "Content-Type": "application/json",
            "svix-id": message,
            "svix-timestamp": timestamp,
            "svix-signature": f"v1,{signed}",
        },
        body,
    )


def _data(told: Told) -> dict[str, t.Any]:
    if told.kind is EventKind.UNSUBSCRIBED:
        return {"email": told.recipients[0], "unsubscribed": True}
    data: dict[str, t.Any] = {
        "email_id": told.provider_id,
        "created_at": told.iso,
        "from": told.sender,
        "to": [*told.recipients],
        "subject": told.subject,
        "tags": {**told.pairs(), **told.metadata(plain=False)},
    }
    match told.kind:
        case EventKind.BOUNCED:
            said = {"message": told.reason, "diagnosticCode": [f"smtp; {told.diagnostic}"]}
            data["bounce"] = {"type": "Permanent", "subType": "General", **said}
        case EventKind.REJECTED:
            data["suppressed"] = {"message": told.reason, "type": "OnAccountSuppressionList"}
        case EventKind.FAILED:
            data["failed"] = {"reason": told.reason}
        case EventKind.CLICKED:
            data["click"] = {"link": URL, "timestamp": told.iso, "userAgent": "Mozilla/5.0"}
    return data
