"""An event as JSON, and back."""

from __future__ import annotations

import datetime
import json
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ...address import Address
from ...events.event import Event
from ...events.kinds import EventKind
from ...events.kinds import Severity
from ...frozen import FrozenMapping
from ...log import logger

if t.TYPE_CHECKING:
    from ..stores.history import StoredEvent

_PLAIN = (
    *("message_id", "envelope_id", "code", "status", "reason", "list_name", "verified", "account"),
)
# Only of webhooks, and not in a row of an earlier release. They are written if they have a value.
_OF_WEBHOOKS = ("provider_id", "event_id", "url", "machine")


def to_json(event: Event) -> str:
    """Return everything of an event except the notification itself."""
    return json.dumps(as_dict(event))


def as_dict(event: Event) -> dict[str, t.Any]:
    """Return an event as values of JSON."""
    return {
        "kind": str(event.kind),
        "recipient": None if event.recipient is None else str.__str__(event.recipient),
        "severity": None if event.severity is None else str(event.severity),
        "time": None if event.time is None else event.time.isoformat(),
        "tags": [*event.tags],
        **({"metadata": dict(event.metadata)} if event.metadata else {}),
        **{name: getattr(event, name) for name in _PLAIN},
        **{name: value for name in _OF_WEBHOOKS if (value := getattr(event, name))},
    }


def from_json(text: str) -> Event:
    """Read the JSON that :func:`to_json` returned."""
    found: dict[str, t.Any] = json.loads(text)
    recipient, severity, time = found["recipient"], found["severity"], found["time"]
    return Event(
        kind=EventKind(found["kind"]),
        recipient=None if recipient is None else Address(recipient),
        severity=None if severity is None else Severity(severity),
        time=None if time is None else datetime.datetime.fromisoformat(time),
        tags=tuple(found["tags"]),
        metadata=FrozenMapping(found.get("metadata", {})),
        **{name: found[name] for name in _PLAIN},
        **{name: found[name] for name in _OF_WEBHOOKS if name in found},
    )


def readable(found: Iterable[StoredEvent]) -> Iterator[tuple[int, Event]]:
    """Yield the number and the event of each row. A row that is damaged, or of a later release, is
    logged, and hides none of the others."""
    for stored in found:
        try:
            yield stored.number, from_json(stored.facts)
        except (LookupError, TypeError, ValueError) as error:
            logger.error("Event %d in the queue cannot be read: %r", stored.number, error)
