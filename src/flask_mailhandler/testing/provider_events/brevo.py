"""What Brevo posts: one request for each recipient."""

from __future__ import annotations

import json
import typing as t

from ...events.kinds import EventKind
from .told import Posted
from .told import Proof
from .told import Told
from .told import URL

_NAMES = {
    EventKind.SENT: "request",
    EventKind.DELIVERED: "delivered",
    EventKind.DEFERRED: "soft_bounce",
    EventKind.BOUNCED: "hard_bounce",
    EventKind.REJECTED: "blocked",
    EventKind.FAILED: "error",
    EventKind.OPENED: "opened",
    EventKind.CLICKED: "click",
    EventKind.COMPLAINED: "spam",
    EventKind.UNSUBSCRIBED: "unsubscribed",
}


def requests(told: Told, proof: Proof) -> list[Posted] | None:
    """Return the requests; None if there is no such event."""
    if told.kind not in _NAMES:
        return None
    headers = {"Content-Type": "application/json", **proof.login}
    return [Posted(headers, json.dumps(_event(told.to(one))).encode()) for one in told.recipients]


def _event(told: Told) -> dict[str, t.Any]:
    event: dict[str, t.Any] = {
        "event": _NAMES[told.kind],
        "email": told.recipients[0],
        "message-id": told.message_id,
        "ts_epoch": int(told.time.timestamp() * 1000),
        "subject": told.subject,
        "tags": [*told.tags],
        "X-Mailin-custom": json.dumps(told.metadata()),
    }
    if told.reason:
        event["reason"] = told.diagnostic
    if told.kind is EventKind.CLICKED:
        event["link"] = URL
    return event
