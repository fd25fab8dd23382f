"""Webhooks of SendGrid: batches, signed with ECDSA.

Written from its documentation
(https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event), not tried against a
live account.
"""

from __future__ import annotations

import base64
import importlib.util
import re
import typing as t

from ...secret import Secret
from ..event import Event
from ..kinds import EventKind
from ..kinds import Severity
from .call import Call
from .call import WebhookError
from .facts import make_event
from .fields import Fields
from .fields import parse_batch

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_WINDOW = 26 * 3600.0
"""Seconds for which a signature is valid. SendGrid tries for 24 hours, and whether it signs again
is not documented."""
_KINDS = {
    "processed": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "deferred": EventKind.DEFERRED,
    "bounce": EventKind.BOUNCED,
    "dropped": EventKind.REJECTED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "group_resubscribe": EventKind.SUBSCRIBED,
}
_OWN = frozenset(
    "email timestamp event smtp-id useragent ip sg_event_id sg_message_id reason status response"  # noqa: SIM905
    " tls cert_err url url_offset attempt category type bounce_classification asm_group_id"
    " sg_machine_open sg_template_id sg_template_name sg_content_type pool newsletter send_at"
    " marketing_campaign_id marketing_campaign_name unique_args".split()
)
"""The fields of SendGrid. The metadata of the message stands between them."""


def missing(key: Secret | None, topics: tuple[str, ...]) -> str:
    """Return what the configuration lacks to prove a request, or ""."""
    if importlib.util.find_spec("cryptography") is None:
        return (
            "needs the package cryptography, which checks the signatures of SendGrid: pip install"
            " 'Flask-MailHandler[webhooks]'"
        )
    if key is None or _public_key(key) is None:
        return "must be the verification key of the event webhook at SendGrid, in base64"
    return ""


def read(call: Call) -> list[Event]:
    """Return the events of a batch, after its signature is checked.

    :raises WebhookError: if it is wrong, or if the body cannot be read.
    """
    _check(call)
    return [
        _event(kind, one, call.body)
        for one in parse_batch(call.body)
        if (kind := _KINDS.get(one.raw("event"))) is not None
    ]


def _event(kind: EventKind, found: Fields, raw: bytes) -> Event:
    # Its own id may be another one when an event comes again:
    # https://github.com/sendgrid/sendgrid-nodejs/issues/1435
    rest = Fields({name: value for name, value in found.found.items() if name != "sg_event_id"})
    severity = None
    if kind is EventKind.BOUNCED and found.raw("type") == "blocked":
        kind, severity = EventKind.DEFERRED, Severity.BLOCKED
    category = found.found.get("category")
    return make_event(
        kind,
        found.raw("email"),
        event_id=rest.digest,
        provider_id=re.split(r"\.(?:filter|recv)", found.text("sg_message_id"))[0],
        time=found.seconds("timestamp"),
        said=found.text("reason", "response"),
        status=found.raw("status"),
        severity=severity,
        metadata=found.pairs_besides(_OWN),
        tags=[category] if isinstance(category, str) else found.texts("category"),
        url=found.text("url", most=2_000),
        machine=found.flag("sg_machine_open"),
        raw=raw,
    )


def _check(call: Call) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    timestamp, given = call.headers.get(TIMESTAMP, ""), call.headers.get(SIGNATURE, "")
    if not re.fullmatch("[0-9]{1,11}", timestamp):
        raise WebhookError("it has no timestamp: switch on the signature at SendGrid")
    assert call.key is not None
    key: t.Any = _public_key(call.key)
    try:
        octets = base64.b64decode(given, validate=True)
        key.verify(octets, timestamp.encode() + call.body, ec.ECDSA(hashes.SHA256()))
    except (ValueError, InvalidSignature):
        pass
    else:
        call.check_age(float(timestamp), _WINDOW)
        return
    raise WebhookError("its signature does not fit MAIL_WEBHOOK_KEY")


def _public_key(key: Secret) -> t.Any:
    """Return the key that verifies; None if it is not one of ECDSA."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        found = load_der_public_key(base64.b64decode(key.octets(), validate=True))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return found if isinstance(found, EllipticCurvePublicKey) else None
