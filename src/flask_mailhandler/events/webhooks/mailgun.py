"""Webhooks of Mailgun, whose signature covers a token, and not the event.

Written from its documentation (https://documentation.mailgun.com/docs/mailgun/user-manual/events,
and .../webhooks), not tried against a live account.
"""

from __future__ import annotations

import hmac
import re

from ...secret import Secret
from ..event import Event
from ..kinds import EventKind
from ..kinds import Severity
from .call import Call
from .call import WebhookError
from .facts import as_message_id
from .facts import make_event
from .fields import Fields
from .fields import parse_object

_STOP = 406
"""The status after which Mailgun does not send a request again."""
_WINDOW = 12 * 3600.0
"""Seconds for which a signature is valid. Mailgun tries for 8 hours, and whether it signs again is
not documented, so an event is known by its own id too."""
_KINDS = {
    "accepted": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "rejected": EventKind.REJECTED,
    "opened": EventKind.OPENED,
    "clicked": EventKind.CLICKED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
    "complained": EventKind.COMPLAINED,
}
# Failures that are called permanent, too, but for which the address is not to blame: Mailgun has
# tried for too long, or the server does not want mail of Mailgun.
_SEVERITIES = {
    "old": Severity.SOFT,
    "greylisted": Severity.SOFT,
    "espblock": Severity.BLOCKED,
}


def missing(key: Secret | None, topics: tuple[str, ...]) -> str:
    """Return what the configuration lacks to prove a request, or ""."""
    return "" if key else "must be the HTTP webhook signing key of your account at Mailgun"


def read(call: Call) -> list[Event]:
    """Return the event of a request, after its signature is checked.

    :raises WebhookError: if it is wrong, or if the body cannot be read.
    """
    try:
        found = parse_object(call.body)
    except WebhookError as error:
        raise WebhookError(str(error), _STOP) from None
    token = _check(call, found.inside("signature"))
    data = found.inside("event-data")
    kind = _kind(data)
    if kind is None:
        return []
    message_id = as_message_id(data.inside("message").inside("headers").raw("message-id"))
    status, bot = data.inside("delivery-status"), data.inside("client-info").text("bot")
    return [
        make_event(
            kind,
            data.raw("recipient"),
            event_id=_event_id(data) or token,
            token=token,  # it would sign any other event, too
            provider_id=message_id,
            time=data.seconds("timestamp"),
            message_id=message_id,
            said=_said(data, status),
            status=status.raw("enhanced-code"),
            severity=_severity(kind, data, status),
            metadata=data.pairs("user-variables"),
            tags=data.texts("tags"),
            url=data.text("url", most=2_000),
            machine=bot not in ("", "false"),
            raw=call.body,
        )
    ]


def signature(key: Secret, timestamp: str, token: str) -> str:
    """Return the signature of a token, in hexadecimal digits."""
    return hmac.digest(key.octets(), f"{timestamp}{token}".encode(), "sha256").hex()


def _check(call: Call, given: Fields) -> str:
    """Check the signature. Return the token."""
    timestamp, token = given.text("timestamp"), given.raw("token")
    if not (re.fullmatch("[0-9]{1,11}", timestamp) and re.fullmatch("[!-~]{20,100}", token)):
        raise WebhookError("it has no timestamp and token", _STOP)
    assert call.key is not None
    wanted = signature(call.key, timestamp, token)
    if not hmac.compare_digest(given.raw("signature").encode(errors="replace"), wanted.encode()):
        raise WebhookError("its signature is not made with MAIL_WEBHOOK_KEY")
    try:
        call.check_age(float(timestamp), _WINDOW)
    except WebhookError as error:
        raise WebhookError(str(error), _STOP) from None
    return token


def _event_id(data: Fields) -> str:
    """Return what names an event, also if it is signed again with another token; "" without an id.
    An id is unique within a day only."""
    known, time = data.text("id"), data.seconds("timestamp")
    return f"{time:%Y-%m-%d} {known}" if known and time else ""


def _kind(data: Fields) -> EventKind | None:
    """Return the kind of an event; None if it is not about a message."""
    name = data.raw("event")
    if name != "failed":
        return _KINDS.get(name)
    if data.raw("reason").startswith("suppress-"):
        return EventKind.REJECTED
    return EventKind.BOUNCED if data.raw("severity") == "permanent" else EventKind.DEFERRED


def _severity(kind: EventKind, data: Fields, status: Fields) -> Severity | None:
    """Return why a message was not delivered, if the reason is not the usual one of this kind."""
    if kind is not EventKind.BOUNCED:
        return None
    # A temporary reply, or a code of Mailgun itself. A bounce is one of a server's 5xx.
    late = status.text("code").startswith(("4", "6"))
    return _SEVERITIES.get(data.raw("reason")) or (Severity.SOFT if late else None)


def _said(data: Fields, status: Fields) -> str:
    """Return what the recipient's server said, with its code, or why Mailgun has not tried."""
    text = status.text("message", "description") or data.text("reason")
    text = text or data.inside("reject").text("reason", "description")
    code = status.text("code")
    known = re.fullmatch("[245][0-9]{2}", code) and not text.startswith(code)
    return f"{code} {text}" if known else text
