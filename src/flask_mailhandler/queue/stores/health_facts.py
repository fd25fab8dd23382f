"""What a store tells a health check. It is read in a moment, also from a million rows.

Each number comes from an index, and what is counted is counted up to a limit. Nothing is written or
created to read it: no file, no table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from collections.abc import Sequence

from ..row import RowState

SETTLED = (RowState.SENT, RowState.FAILED, RowState.HELD, RowState.EXPIRED)
"""The states that a worker gives a row: the last change shows when one was alive."""
MOST = 1000
"""Up to how many rows are counted."""
AHEAD = 60.0
"""Seconds by which the clock of a worker may be ahead. A later change is of a clock that was wrong,
and says nothing of a worker."""
MOST_ACCOUNTS = 20
"""How many accounts that the app does not have are looked for."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """An account, as the store knows it."""

    name: str
    due: Mapping[int, float]
    """The first due time of each priority that has waiting rows."""
    paused_until: float = 0.0
    """When its pause ends; in the past if it is not paused."""
    pauses: int = 0
    """How often it was paused in a row."""
    why: str = ""
    """The error that paused it."""
    rate: str = "{}"
    """The counters of the rate limit, as JSON."""
    rung_until: float = 0.0
    """When the last ring of a broker is over that no worker has answered; 0 if there is none."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The rows that one worker has claimed."""

    owner: str
    number: int
    until: float
    """When its lease ends."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HealthFacts:
    """What a store tells a health check."""

    now: float
    """The time of the store, in seconds since 1970."""
    ahead: float = 0.0
    """By how many seconds the clock of the database's server is ahead of that of this machine."""
    accounts: Sequence[AccountFacts] = ()
    strangers: Sequence[str] = ()
    """Accounts with waiting rows that the app does not have."""
    claimed: Sequence[Claimed] = ()
    changed: Mapping[RowState, float] = dataclasses.field(default_factory=dict)
    """When a row came into each of the states :data:`SETTLED` last, not counting later than
    :data:`AHEAD` from now."""
    recent: Mapping[RowState, int] = dataclasses.field(default_factory=dict)
    """How many rows have come into these states lately, up to :data:`MOST`."""
    lacking: Sequence[str] = ()
    """The tables for events and suppressed addresses that are missing after an update."""
