"""Whether two events are the same one, and what an event says of its address.

An event is the same if a notification is read twice: from two copies in a Maildir, by two processes
at the same time, or again because the mail server got no answer. The notification itself is not
compared, because each copy may have other Received fields. An event of a webhook has an id. If its
proof is a token that would prove any other event too, the token is stored as an event of its own.
"""

from __future__ import annotations

import datetime
import hashlib
import json

from ...events.event import Event
from ...events.kinds import EventKind
from ...events.kinds import Severity
from ..stores.history import NewEvent
from .json_form import to_json
from .suppression import key_of
from .suppression import LONGEST_LIST
from .suppression import Suppression

_LISTS = {
    EventKind.UNSUBSCRIBED: EventKind.SUBSCRIBED,
    EventKind.SUBSCRIBED: EventKind.UNSUBSCRIBED,
}
"""The kinds that end each other."""
ABOUT_LISTS = frozenset(_LISTS)
REPEATED = 600.0
"""In so many seconds, leaving or joining a list twice with one message is the same event."""
_ONCE = frozenset({EventKind.DELIVERED, EventKind.BOUNCED, EventKind.COMPLAINED})


def new_event(app: str, event: Event, now: float, *, suppresses: bool) -> NewEvent:
    """Return an event as it is stored.

    :param suppresses: Whether the app keeps suppressions.
    """
    ends = _LISTS.get(event.kind) if event.list_name and not event.event_id else None
    released = event.kind is EventKind.SUBSCRIBED and event.verified and event.recipient
    if event.event_id and not event.list_name:
        released = None  # the provider means a list of its own, and not that all mail may be sent
    return NewEvent(
        digest=_digest(app, event, event.kind),
        token=_hashed(app, "token", event.token) if event.token else "",
        ends="" if ends is None else _digest(app, event, ends),
        message=message_key(app, event.message_id) if event.message_id else "",
        verified=event.verified,
        facts=to_json(event),
        suppression=_suppression(event, now) if suppresses else None,
        # A second POST is a request, and a second copy of a mail is not.
        repeats=event.kind in _LISTS and not event.raw and not event.event_id,
        released=(key_of(released), event.list_name) if released and suppresses else None,
    )


def message_key(app: str, message_id: str) -> str:
    """Return the text by which the events of a message are found."""
    return _hashed(app, message_id)


def _digest(app: str, event: Event, kind: EventKind) -> str:
    """Return the identity of an event.

    A forged event must not hide a verified one, so they are never the same.
    """
    if event.event_id:
        return _hashed(app, "webhook", event.verified, event.event_id)
    recipient = key_of(event.recipient or "")
    whose = (app, str(kind), event.verified, recipient)
    if kind in _LISTS and event.list_name and event.time is not None:
        # A client repeats its POST, and a mailbox may have two copies of a mail. But the recipient
        # may have joined the list again in some way that only the app knows, and leave it again.
        span = event.time.timestamp() // REPEATED
        return _hashed(*whose, event.list_name, event.message_id, span)
    about = (event.message_id, event.envelope_id)
    if event.verified and kind in _ONCE and any(about):
        # It happens to a message once. The recipient, who knows the signed address, could
        # otherwise make any number of events.
        return _hashed(*whose, event.message_id or event.envelope_id)
    time = "" if event.time is None else event.time.isoformat()
    said = (event.code, event.status, event.reason, event.list_name, time)
    if event.message_id and time:
        return _hashed(*whose, *about, *said)
    return _hashed(*whose, *about, *said, hashlib.sha256(event.raw).hexdigest())


def _hashed(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _suppression(event: Event, now: float) -> Suppression | None:
    """Return the suppression for which an event is reason enough.

    An opt-out that names no list suppresses nothing: it would stop password resets too.
    """
    if not event.verified or event.recipient is None:
        return None
    list_name, reason = "", ""
    if event.kind is EventKind.BOUNCED and event.severity is Severity.HARD:
        reason = f"bounced {event.status or event.code or ''}".rstrip()
    elif event.kind is EventKind.COMPLAINED:
        reason = "complained"
    elif event.kind is EventKind.UNSUBSCRIBED and 0 < len(event.list_name) <= LONGEST_LIST:
        list_name, reason = event.list_name, "unsubscribed"
    if not reason:
        return None
    since = datetime.datetime.fromtimestamp(now, datetime.UTC)
    return Suppression(address=event.recipient, list_name=list_name, reason=reason, since=since)
