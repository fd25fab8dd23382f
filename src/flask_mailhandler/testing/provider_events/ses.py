"""What Amazon SES posts through SNS: one request for all recipients of an event.

Only Amazon has the key of its certificate. So the app trusts a certificate of ours, while its mail
is captured.
"""

from __future__ import annotations

import base64
import datetime
import functools
import json
import typing as t
import uuid

from ...events.kinds import EventKind
from ...events.webhooks.fields import Fields
from ...events.webhooks.sns import signed_text
from .told import Posted
from .told import Proof
from .told import Told
from .told import URL

_NAMES = {
    EventKind.SENT: "Send",
    EventKind.DELIVERED: "Delivery",
    EventKind.DEFERRED: "DeliveryDelay",
    EventKind.BOUNCED: "Bounce",
    EventKind.REJECTED: "Reject",
    EventKind.FAILED: "Rendering Failure",
    EventKind.OPENED: "Open",
    EventKind.CLICKED: "Click",
    EventKind.COMPLAINED: "Complaint",
    EventKind.UNSUBSCRIBED: "Subscription",
    EventKind.SUBSCRIBED: "Subscription",
}


def requests(told: Told, proof: Proof) -> list[Posted] | None:
    """Return the requests."""
    region, topic = proof.topics[0].split(":")[3], proof.topics[0]
    url = f"https://sns.{region}.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem"
    _, certificate = _authority()
    proof.trust(url, certificate)
    several = [told]
    if told.kind in (EventKind.COMPLAINED, EventKind.OPENED, EventKind.CLICKED):
        several = [told.to(one) for one in told.recipients]
    return [signed(notification(topic, url, _event(one), one.iso)) for one in several]


def notification(topic: str, url: str, event: dict[str, t.Any], time: str) -> dict[str, str]:
    """Return a message of SNS that is not signed yet."""
    return {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": topic,
        "Subject": "Amazon SES Email Event Notification",
        "Message": json.dumps(event),
        "Timestamp": time,
        "SignatureVersion": "2",
        "SigningCertURL": url,
    }


def signed(message: dict[str, str]) -> Posted:
    """Return the request with a message of SNS, signed with the key that the app trusts."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    key, _ = _authority()
    digest = hashes.SHA256() if message["SignatureVersion"] == "2" else hashes.SHA1()
    octets = key.sign(signed_text(Fields(message)), padding.PKCS1v15(), digest)
    message = {**message, "Signature": base64.b64encode(octets).decode()}
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": message["Type"],
        "x-amz-sns-topic-arn": message["TopicArn"],
    }
    return Posted(headers, json.dumps(message).encode())


def _event(told: Told) -> dict[str, t.Any]:
    name, recipients = _NAMES[told.kind], [*told.recipients]
    mail = {
        "timestamp": told.iso,
        "messageId": told.provider_id,
        "source": told.sender,
        "destination": recipients,
        "headers": [{"name": "Message-ID", "value": told.message_id}],
        "tags": {
            "ses:source-ip": ["192.0.2.1"],
            **{name: [value] for name, value in told.pairs().items()},
        },
    }
    part: dict[str, t.Any] = {"timestamp": told.iso}
    match told.kind:
        case EventKind.DELIVERED:
            part |= {"recipients": recipients, "smtpResponse": told.diagnostic}
        case EventKind.BOUNCED | EventKind.DEFERRED:
            bounced = told.kind is EventKind.BOUNCED
            field = "bouncedRecipients" if bounced else "delayedRecipients"
            part[field] = [
                {"emailAddress": one, "status": told.status}
                | {"diagnosticCode": f"smtp; {told.diagnostic}"}
                for one in recipients
            ]
            if bounced:
                part |= {"bounceType": "Permanent", "bounceSubType": "General"}
        case EventKind.COMPLAINED:
            part["complainedRecipients"] = [{"emailAddress": one} for one in recipients]
        case EventKind.REJECTED:
            part["reason"] = told.reason
        case EventKind.FAILED:
            part["errorMessage"] = told.reason
        case EventKind.CLICKED:
            part["link"] = URL
        case EventKind.UNSUBSCRIBED | EventKind.SUBSCRIBED:
            gone = told.kind is EventKind.UNSUBSCRIBED
            part["newTopicPreferences"] = {"unsubscribeAll": gone}
    parts = {EventKind.FAILED: "failure", EventKind.DEFERRED: "deliveryDelay"}
    return {"eventType": name, "mail": mail, parts.get(told.kind, name.lower()): part}


@functools.cache
def _authority() -> tuple[t.Any, bytes]:
    """Return a key, and its certificate in PEM. Making one takes a moment."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding

    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return key, certificate.public_bytes(Encoding.PEM)
