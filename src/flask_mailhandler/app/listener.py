"""A function that an app registers for events."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

if t.TYPE_CHECKING:
    from ..events.event import Event
    from ..events.kinds import EventKind


class Listener(t.NamedTuple):
    """A function that was registered with ``on_event``."""

    function: Callable[[Event], object]
    kinds: frozenset[EventKind]
