"""A rate limit that all workers share: pure functions over a few counters.

Each stretch of a limit is cut into slots, and a message counts until the slot in which it was sent
has left the stretch as a whole. So no stretch of that length ever holds more than the limit, and
the counters stay few whatever the number is.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t
from collections.abc import Mapping

from ..config import Limits

_SLOTS = 60

Counters: t.TypeAlias = "dict[str, dict[str, int]]"
"""For each limit the number of messages by slot; as JSON, so keys are text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Granted:
    """How many may be sent now, and if none, after how many seconds to ask again."""

    number: int
    wait: float
    counters: Counters


def take(
    counters: Mapping[str, Mapping[str, int]], limits: Limits, now: float, wanted: int
) -> Granted:
    """Take up to *wanted* from the limits.

    :param counters: What :func:`take` has returned last, or nothing.
    """
    kept = {_name(limit): _current(counters.get(_name(limit), {}), limit, now) for limit in limits}
    free = min((limit[0] - sum(kept[_name(limit)].values()) for limit in limits), default=wanted)
    number = max(0, min(wanted, free))
    if number:
        for limit in limits:
            slots, slot = kept[_name(limit)], str(_slot(limit, now))
            slots[slot] = slots.get(slot, 0) + number
        return Granted(number, 0.0, kept)
    waits = [_wait(kept[_name(limit)], limit, now) for limit in limits]
    return Granted(0, max(waits, default=0.0), kept)


def _name(limit: tuple[int, float]) -> str:
    return f"{limit[0]}/{limit[1]:g}"


def _slot(limit: tuple[int, float], now: float) -> int:
    return math.floor(now * _SLOTS / limit[1])


def _current(slots: Mapping[str, int], limit: tuple[int, float], now: float) -> dict[str, int]:
    """Those that are not over. One from the future is a clock that was put back: it would block
    for as long as it was wrong."""
    newest = _slot(limit, now)
    return {slot: n for slot, n in slots.items() if newest - _SLOTS <= int(slot) <= newest}


def _wait(slots: Mapping[str, int], limit: tuple[int, float], now: float) -> float:
    """Seconds until the oldest slot has left the stretch, if the limit is reached."""
    if sum(slots.values()) < limit[0]:
        return 0.0
    over = min(int(slot) for slot in slots) + _SLOTS + 1
    return max(over * limit[1] / _SLOTS - now, 0.001)
