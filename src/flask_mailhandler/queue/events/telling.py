"""Tell the app of stored events, each once unless a process dies meanwhile."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterable

from ...errors import QueueError
from ...log import logger
from .json_form import readable

if t.TYPE_CHECKING:
    from ...events.event import Event
    from ..stores.history import History

TELLING = 600.0
"""Seconds after which another process tells the app of an event, unless it was told."""

Tell: t.TypeAlias = "Callable[[Event], None]"
"""Tells the app of an event. It raises no ordinary exception."""


def tell_untold(history: History, tell: Tell) -> None:
    """Tell the app of events that a process has stored, but has not told it of.

    :raises QueueError: if the store cannot be used.
    """
    while True:
        now = history.now()
        found = history.take_untold(now, now + TELLING, 2 * TELLING)
        if not found:
            return
        tell_each(history, readable(found), tell)


def tell_each(history: History, events: Iterable[tuple[int, Event]], tell: Tell) -> None:
    """Tell the app of stored events, each with its number, and record that it was told.

    If that takes long, the rest is told later, because another process could take it meanwhile.
    """
    end = time.monotonic() + TELLING / 2
    for number, event in events:
        if time.monotonic() > end:
            logger.warning("The functions of the app take long: other events are told later.")
            return
        tell(event)
        try:
            history.told(number)
        except QueueError as error:
            logger.error("The app was told of event %d, and may be told again: %s", number, error)
