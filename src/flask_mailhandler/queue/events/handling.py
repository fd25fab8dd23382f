"""Store events, and tell the app of those that are new.

::

    event ── row of its message ── record ──▶ new?  ── tell ── told
                                   one transaction     │
                                                       └ the process dies here: another one tells
                                                         the app after ten minutes
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ...errors import QueueError
from ...log import logger
from ..stored_message import metadata_in
from ..stored_message import read_options
from ..stored_message import tags_in
from ..unreadable import DamagedRowError
from .history_of import history_of
from .identity import ABOUT_LISTS
from .identity import new_event
from .telling import Tell
from .telling import tell_each
from .telling import tell_untold
from .telling import TELLING

if t.TYPE_CHECKING:
    from ...app.registration import Registration
    from ...events.event import Event
    from ..row import Row
    from ..stores.history import History


def keep_events(mine: Registration, events: Sequence[Event], tell: Tell) -> list[Event]:
    """Store events, and tell the app of those that are new.

    Without a queue nothing is stored, and the app is told of all of them.

    :return: The events that the app was told of.
    :raises QueueError: if they cannot be stored. The app is told of none then.
    """
    history = history_of(mine) if events else None
    if history is None:
        for event in events:
            tell(event)
        return [*events]
    known = [*_with_rows(history, events)]
    now = history.now()
    suppresses = mine.settings.queue.suppressions
    new = [new_event(mine.app.name, event, now, suppresses=suppresses) for event in known]
    numbers = history.record(new, now, now + TELLING)
    fresh = [(number, event) for number, event in zip(numbers, known, strict=True) if number]
    tell_each(history, fresh, tell)
    try:
        tell_untold(history, tell)
    except QueueError as error:  # these events are stored and told, whatever becomes of others
        logger.error("Events that were stored earlier are told later: %s", error)
    return [event for _, event in fresh]


def _with_rows(history: History, events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events with what the queue knows of their messages. A provider names the account
    and the tags itself, and a batch of it may be about a thousand messages."""
    found: dict[tuple[str, str], Row | None] = {}
    for event in events:
        ids = event.message_id, event.envelope_id
        if event.event_id and event.message_id and event.kind not in ABOUT_LISTS:
            yield event
            continue
        if ids not in found:
            found[ids] = history.find_row(*ids) if any(ids) else None
        yield event if (row := found[ids]) is None else _with_row(event, row)


def _with_row(event: Event, row: Row) -> Event:
    try:
        options = read_options(row)
    except DamagedRowError:
        options = {}
    list_name = event.list_name
    if event.kind in ABOUT_LISTS and event.event_id:
        # A provider knows lists of its own, and not ours.
        list_name = list_name or str(options.get("list", ""))
    return dataclasses.replace(
        event,
        message_id=event.message_id or row.message_id,
        # Of a webhook, the account whose key has proven it.
        account=event.account or row.account,
        tags=tags_in(options) or event.tags,
        metadata=event.metadata or metadata_in(options),
        list_name=list_name,
    )
