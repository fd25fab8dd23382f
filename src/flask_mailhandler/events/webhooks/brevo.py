"""Webhooks of Brevo, single or in batches, which are not signed.

Written from its documentation (https://developers.brevo.com/docs/transactional-webhooks), not tried
against a live account.
"""

from __future__ import annotations

from ...secret import Secret
from ..event import Event
from ..kinds import EventKind
from .basic import check_login
from .basic import missing_login
from .call import Call
from .call import WebhookError
from .facts import make_event
from .fields import Fields
from .fields import parse_batch
from .fields import parse_object

_CUSTOM = "X-Mailin-custom"
_KINDS = {
    "request": EventKind.SENT,
    "delivered": EventKind.DELIVERED,
    "deferred": EventKind.DEFERRED,
    "soft_bounce": EventKind.DEFERRED,
    "hard_bounce": EventKind.BOUNCED,
    "invalid_email": EventKind.BOUNCED,
    "blocked": EventKind.REJECTED,
    "error": EventKind.FAILED,
    "spam": EventKind.COMPLAINED,
    "complaint": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "unsubscribed": EventKind.UNSUBSCRIBED,
    "opened": EventKind.OPENED,
    "unique_opened": EventKind.OPENED,
    "proxy_open": EventKind.OPENED,
    "unique_proxy_open": EventKind.OPENED,
    "click": EventKind.CLICKED,
}


def missing(key: Secret | None, topics: tuple[str, ...]) -> str:
    """Return what the configuration lacks to prove a request, or ""."""
    return missing_login(key)


def read(call: Call) -> list[Event]:
    """Return the events of a request, after its login is checked.

    :raises WebhookError: if it is wrong, or if the body cannot be read.
    """
    check_login(call)
    batched = call.body.lstrip().startswith(b"[")
    found = parse_batch(call.body) if batched else [parse_object(call.body)]
    return [
        _event(kind, one, call.body)
        for one in found
        if (kind := _KINDS.get(one.raw("event"))) is not None
    ]


def _custom(found: Fields) -> dict[str, str]:
    """Return the metadata that was sent along in a header field, as JSON."""
    try:
        return parse_object(found.raw(_CUSTOM)).pairs_besides(())
    except WebhookError:  # it is of another program
        return {}


def _event(kind: EventKind, found: Fields, raw: bytes) -> Event:
    milliseconds = found.number("ts_epoch")
    seconds = Fields({"at": None if milliseconds is None else milliseconds / 1000})
    message_id = found.text("message-id")
    return make_event(
        kind,
        found.raw("email"),
        event_id=found.digest,
        provider_id=message_id,
        time=seconds.seconds("at"),
        message_id=message_id,
        said=found.text("reason"),
        metadata=_custom(found),
        tags=found.texts("tags") or [found.raw("tag")],
        url=found.text("link", most=2_000),
        machine="proxy" in found.raw("event"),
        raw=raw,
    )
