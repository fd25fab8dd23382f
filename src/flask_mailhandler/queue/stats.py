"""How a queue is doing, in numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from .row import RowState


@dataclasses.dataclass(frozen=True, slots=True)
class QueueStats:
    """How a queue is doing, for a health check."""

    counts: Mapping[RowState, int]
    """Messages of each state; none of a state that nothing is in."""
    lag: float
    """Seconds for which the message has waited that should have been sent first; 0 if nothing
    is due."""
    paused: Mapping[str, str]
    """The accounts that pause, and why: their servers could not be spoken to."""
