"""What Mailgun posts: one request for each recipient."""

from __future__ import annotations

import json
import secrets
import typing as t

from ...events.kinds import EventKind
from ...events.webhooks.mailgun import signature
from .told import Posted
from .told import Proof
from .told import Told
from .told import URL

_NAMES = {
    EventKind.SENT: "accepted",
    EventKind.DELIVERED: "delivered",
    EventKind.DEFERRED: "failed",
    EventKind.BOUNCED: "failed",
    EventKind.REJECTED: "rejected",
    EventKind.OPENED: "opened",
    EventKind.CLICKED: "clicked",
    EventKind.COMPLAINED: "complained",
    EventKind.UNSUBSCRIBED: "unsubscribed",
}


def requests(told: Told, proof: Proof) -> list[Posted] | None:
    """Return the requests; None if there is no such event."""
    if told.kind not in _NAMES:
        return None
    return [_request(told.to(one), proof) for one in told.recipients]


def _request(told: Told, proof: Proof) -> Posted:
    assert proof.key is not None
    timestamp, token = str(int(told.time.timestamp())), secrets.token_hex(25)
    signed = {
        "timestamp": timestamp,
        "token": token,
        "signature": signature(proof.key, timestamp, token),
    }
    body = json.dumps({"signature": signed, "event-data": _data(told)}).encode()
    return Posted({"Content-Type": "application/json"}, body)


def _data(told: Told) -> dict[str, t.Any]:
    data: dict[str, t.Any] = {
        "id": secrets.token_urlsafe(16),
        "event": _NAMES[told.kind],
        "timestamp": told.time.timestamp(),
        "recipient": told.recipients[0],
        "message": {"headers": {"message-id": told.message_id.strip("<>")}},
        "tags": [*told.tags],
        "user-variables": told.metadata(),
    }
    if told.kind in (EventKind.BOUNCED, EventKind.DEFERRED, EventKind.DELIVERED):
        data["delivery-status"] = {
            "code": told.code or 0,
            "message": told.reason,
            "enhanced-code": told.status,
        }
    match told.kind:
        case EventKind.BOUNCED:
            data |= {"severity": "permanent", "reason": "bounce"}
        case EventKind.DEFERRED:
            data |= {"severity": "temporary", "reason": "generic"}
        case EventKind.REJECTED:
            data["reject"] = {"reason": told.reason}
        case EventKind.OPENED:
            data["client-info"] = {"bot": ""}
        case EventKind.CLICKED:
            data |= {"url": URL, "client-info": {"bot": ""}}
    return data
