"""What hears of events: the registration of an app, and the functions of ``on_event``."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Sequence

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..events.event import Event
    from ..events.kinds import EventKind
    from .settings import Settings
    from .telemetry.telemetry import Telemetry

Keep: t.TypeAlias = "Callable[[t.Any, Sequence[Event], Callable[[Event], None]], list[Event]]"
"""Stores the events of a registration, and calls a function with each that is new. Returns
these."""


class Listener(t.NamedTuple):
    """A function that was registered with ``on_event``."""

    function: Callable[[Event], object]
    kinds: frozenset[EventKind]


class Hearing(t.Protocol):
    """What events need of the registration of an app."""

    listeners: Sequence[Listener]
    settings: Settings
    keep_events: Keep
    telemetry: Telemetry | None

    @property
    def app(self) -> App:
        """The app."""
        ...
