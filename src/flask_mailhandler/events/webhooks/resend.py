"""Webhooks of Resend, signed as Svix and Standard Webhooks do.

Written from its documentation (https://resend.com/docs/webhooks, and
https://docs.svix.com/receiving/verifying-payloads/how-manual), not tried against a live account.
"""

from __future__ import annotations

import base64
import hmac
import re
import typing as t

from ...secret import Secret
from ..event import Event
from ..kinds import EventKind
from .call import Call
from .call import WebhookError
from .facts import make_event
from .fields import Fields
from .fields import parse_object
from .own_ids import tags_among

PREFIX = "whsec_"
_WINDOW = 300.0
"""Seconds for which a signature is valid, from Svix. A repeat is signed anew."""
_MOST_SIGNATURES = 20
_KINDS = {
    "email.sent": EventKind.SENT,
    "email.delivered": EventKind.DELIVERED,
    "email.delivery_delayed": EventKind.DEFERRED,
    "email.bounced": EventKind.BOUNCED,
    "email.suppressed": EventKind.REJECTED,
    "email.failed": EventKind.FAILED,
    "email.complained": EventKind.COMPLAINED,
    "email.opened": EventKind.OPENED,
    "email.clicked": EventKind.CLICKED,
}
_PERMANENT = "permanent"


def missing(key: Secret | None, topics: tuple[str, ...]) -> str:
    """Return what the configuration lacks to prove a request, or ""."""
    if key is None or not _key_octets(key):
        return "must be the signing secret of the webhook at Resend, which begins with 'whsec_'"
    return ""


def read(call: Call) -> list[Event]:
    """Return the events of a request, after its signature is checked.

    :raises WebhookError: if it is wrong, or if the body cannot be read.
    """
    sent = _check(call)
    found = parse_object(call.body)
    data = found.inside("data")
    kind = _KINDS.get(found.raw("type"))
    if found.raw("type") == "contact.updated" and data.flag("unsubscribed"):
        kind = EventKind.UNSUBSCRIBED
    if kind is None:
        return []
    about = data.inside(found.raw("type").rpartition(".")[2].replace("bounced", "bounce"))
    if kind is EventKind.BOUNCED and about.raw("type").lower() != _PERMANENT:
        kind = EventKind.DEFERRED
    # Which one of several recipients the event is about, it does not say.
    recipients = data.texts("to") or [data.raw("email")]
    tags, metadata = tags_among(data.pairs("tags"))
    return [
        make_event(
            kind,
            recipients[0] if len(recipients) == 1 else "",
            event_id=sent,
            provider_id=data.text("email_id"),
            time=found.time("created_at") or data.time("created_at"),
            message_id=_message_id(data),
            said=_said(about, data),
            metadata=metadata,
            tags=tags,
            url=data.inside("click").text("link", most=2_000),
            raw=call.body,
        )
    ]


def signature(key: Secret, message: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a request, in base64.

    :param message: Its ``svix-id``.
    """
    signed = b".".join([message.encode(), timestamp.encode(), body])
    return base64.b64encode(hmac.digest(_key_octets(key), signed, "sha256")).decode()


def _check(call: Call) -> str:
    """Check the signature. Return the id of the request, which its repeats have too."""
    message, timestamp, given = (
        call.headers.get(f"svix-{name}") or call.headers.get(f"webhook-{name}", "")
        for name in ("id", "timestamp", "signature")
    )
    if not (re.fullmatch("[!-~]{1,200}", message) and re.fullmatch("[0-9]{1,11}", timestamp)):
        raise WebhookError("it has no svix-id and svix-timestamp")
    assert call.key is not None
    wanted = f"v1,{signature(call.key, message, timestamp, call.body)}".encode()
    signatures = given.encode(errors="replace").split(b" ")[:_MOST_SIGNATURES]
    if not any(hmac.compare_digest(one, wanted) for one in signatures):
        raise WebhookError("its signature is not made with MAIL_WEBHOOK_KEY")
    call.check_age(float(timestamp), _WINDOW)
    return message


def _key_octets(key: Secret) -> bytes:
    """Return the octets that sign; none if it is not a key of Svix."""
    text = key.octets()
    prefix = PREFIX.encode()
    if not text.startswith(prefix):
        return b""
    try:
        return base64.b64decode(text[len(prefix) :], validate=True)
    except ValueError:
        return b""


def _said(about: Fields, data: Fields) -> str:
    """Return what the recipient's server, or Resend, said."""
    diagnostic: t.Iterator[str] = iter(about.texts("diagnosticCode"))
    return next(diagnostic, "") or about.text("message", "reason") or data.text("reason")


def _message_id(data: Fields) -> str:
    headers = data.several("headers")
    named = [one for one in headers if one.raw("name").lower() == "message-id"]
    return named[0].raw("value") if named else ""
