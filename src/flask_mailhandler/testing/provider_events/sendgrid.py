"""What SendGrid posts: a batch with an event for each recipient.

Only SendGrid has the key that signs. So the app trusts another one while its mail is captured.
"""

from __future__ import annotations

import base64
import functools
import json
import secrets
import typing as t

from ...events.kinds import EventKind
from ...events.webhooks.sendgrid import SIGNATURE
from ...events.webhooks.sendgrid import TIMESTAMP
from ...secret import Secret
from .told import Posted
from .told import Proof
from .told import Told
from .told import URL

_NAMES = {
    EventKind.SENT: "processed",
    EventKind.DELIVERED: "delivered",
    EventKind.DEFERRED: "deferred",
    EventKind.BOUNCED: "bounce",
    EventKind.REJECTED: "dropped",
    EventKind.OPENED: "open",
    EventKind.CLICKED: "click",
    EventKind.COMPLAINED: "spamreport",
    EventKind.UNSUBSCRIBED: "unsubscribe",
    EventKind.SUBSCRIBED: "group_resubscribe",
}


def requests(told: Told, proof: Proof) -> list[Posted] | None:
    """Return the requests; None if there is no such event."""
    if told.kind not in _NAMES:
        return None
    key, public = keys()
    proof.trust(proof.account, public)
    body = json.dumps([_event(told.to(one)) for one in told.recipients]).encode()
    timestamp = str(int(told.time.timestamp()))
    return [Posted({"Content-Type": "application/json", **signed(key, timestamp, body)}, body)]


def signed(key: t.Any, timestamp: str, body: bytes) -> dict[str, str]:
    """Return the header fields with the signature of a key."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    octets = key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {SIGNATURE: base64.b64encode(octets).decode(), TIMESTAMP: timestamp}


def _event(told: Told) -> dict[str, t.Any]:
    event: dict[str, t.Any] = {
        "email": told.recipients[0],
        "timestamp": int(told.time.timestamp()),
        "event": _NAMES[told.kind],
        "sg_event_id": secrets.token_urlsafe(24),
        "sg_message_id": f"{told.provider_id}.recvd-7d4f-1-6.0",
        "category": [*told.tags],
        **told.metadata(),
    }
    match told.kind:
        case EventKind.BOUNCED:
            event |= {"type": "bounce", "status": told.status, "reason": told.diagnostic}
        case EventKind.DEFERRED | EventKind.DELIVERED:
            event["response"] = told.diagnostic
        case EventKind.REJECTED:
            event["reason"] = told.reason
        case EventKind.CLICKED:
            event["url"] = URL
    return event


@functools.cache
def keys() -> tuple[t.Any, Secret]:
    """Return a key, and what verifies it."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization import PublicFormat

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key, Secret(base64.b64encode(public))
