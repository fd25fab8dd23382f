"""What an app does with an event: the log, the signals, and the ``on_event`` functions."""

from __future__ import annotations

import functools
import logging
import typing as t
from collections.abc import Callable
from collections.abc import Sequence

from ..events.event import Event
from ..events.kinds import EventKind
from ..log import logger
from ..log import masked
from ..signals import announce
from ..signals import message_bounced
from ..signals import message_complained
from ..signals import message_event
from ..signals import message_unsubscribed
from ..signals import refuse_coroutine
from .listener import Listener as Listener
from .unsubscribing import left_by_mail
from .verifying import verified
from .wrong_arguments import check_not_async

if t.TYPE_CHECKING:
    from .listener import Hearing

E = t.TypeVar("E", bound="Callable[[Event], object]")

_SIGNALS = {
    EventKind.BOUNCED: message_bounced,
    EventKind.COMPLAINED: message_complained,
    EventKind.UNSUBSCRIBED: message_unsubscribed,
}


def kinds_of(names: Sequence[EventKind | str]) -> frozenset[EventKind]:
    """Return the kinds of these names, or all kinds if there are none.

    :raises ValueError: if there is no kind of a name.
    """
    for name in names:
        if name not in EventKind.__members__.values():
            raise ValueError(f"There is no event {name!r}: write one of {', '.join(EventKind)}.")
    return frozenset(map(EventKind, names)) or frozenset(EventKind)


def registering(listeners: list[Listener], names: Sequence[t.Any]) -> Callable[[E], E]:
    """Return the decorator that adds a function: see :meth:`.Mail.on_event`."""
    if len(names) == 1 and callable(names[0]):
        raise TypeError("on_event needs parentheses: write @mail.on_event().")
    known = kinds_of(names)

    def register(function: E) -> E:
        check_not_async(function, "on_event")
        listeners.append(Listener(function, known))
        return function

    return register


def handle_notification(mine: Hearing, octets: bytes, recipient: str | None) -> list[Event]:
    """Read a notification and tell the app; see :meth:`.Mail.handle_notification`."""
    accounts = [*mine.settings.accounts.values()]
    events = verified(Event.parse(octets), octets, recipient, accounts)
    return handle_events(mine, events or left_by_mail(octets, recipient, accounts))


def handle_events(mine: Hearing, events: Sequence[Event]) -> list[Event]:
    """Store these events, wherever they come from, and tell the app of those that are new. Return
    those that it was told of.

    :raises QueueError: if they cannot be stored. The app is told of none then.
    """
    return mine.keep_events(mine, events, functools.partial(tell, mine))


def tell(mine: Hearing, event: Event) -> None:
    """Log an event, send its signals, and call the functions that are registered for it.

    An error in one of them is logged, and the others are still called.
    """
    level = logging.INFO if event.severity is None else logging.WARNING
    logger.log(level, "%s: %s", event.message_id or "A message", masked(str(event)))
    if mine.telemetry is not None:
        mine.telemetry.event(event.kind)
    announce(message_event, mine.app, event=event)
    if (signal := _SIGNALS.get(event.kind)) is not None:
        announce(signal, mine.app, event=event)
    for listener in [*mine.listeners]:
        if event.kind in listener.kinds:
            try:
                refuse_coroutine(listener.function(event))
            except Exception:
                logger.exception("A function of on_event raised for: %s", masked(str(event)))
