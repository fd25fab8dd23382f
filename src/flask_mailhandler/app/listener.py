"""The functions of an app that hear of events, and the one that stores events."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Sequence

from flask import Flask

if t.TYPE_CHECKING:
    from ..events.event import Event
    from ..events.kinds import EventKind

KEEP = "mailhandler.events"
"""Where an app has the function that stores events: ``app.extensions[KEEP]``."""
Keep: t.TypeAlias = "Callable[[Flask, Sequence[Event], Callable[[Event], None]], list[Event]]"
"""Stores the events of an app, and calls a function with those that are new."""


class Listener(t.NamedTuple):
    """A function that was registered with ``on_event``."""

    function: Callable[[Event], object]
    kinds: frozenset[EventKind]
