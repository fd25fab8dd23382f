"""The rate limit that all workers of an account share: pure functions over a few counters.

::

    MAIL_RATE_LIMIT = "100/min": 60 slots of a second

    slot     1701  1702  1703 ... 1760  1761 (now)
    counter     3     0     5        2     1          the sum is at most 100

A message counts until its whole slot is older than the period of the limit. So no period ever holds
more messages than the limit, and there are few counters, whatever the limit is.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t
from collections.abc import Mapping

from ..config import Limits

_SLOTS = 60

Counters: t.TypeAlias = "dict[str, dict[str, int]]"
"""For each limit the number of messages in each slot. It is stored as JSON, so keys are text."""


@dataclasses.dataclass(frozen=True, slots=True)
class Granted:
    """How many messages may be sent now; if none, the seconds after which to ask again."""

    number: int
    wait: float
    counters: Counters


def take(
    counters: Mapping[str, Mapping[str, int]], limits: Limits, now: float, wanted: int
) -> Granted:
    """Take up to *wanted* from the limits.

    :param counters: The counters that :func:`take` returned last, or none.
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
    """Return the slots that still count.

    A slot from the future is left out: the clock was put back, and the slot would block the account
    until its time comes.
    """
    newest = _slot(limit, now)
    return {slot: n for slot, n in slots.items() if newest - _SLOTS <= int(slot) <= newest}


def _wait(slots: Mapping[str, int], limit: tuple[int, float], now: float) -> float:
    """Return the seconds until the oldest slot no longer counts, if the limit is reached."""
    if sum(slots.values()) < limit[0]:
        return 0.0
    over = min(int(slot) for slot in slots) + _SLOTS + 1
    return max(over * limit[1] / _SLOTS - now, 0.001)
