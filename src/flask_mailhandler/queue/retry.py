"""When to try again: a pure function of what has happened so far."""

from __future__ import annotations

import dataclasses
import random
import typing as t
from collections.abc import Sequence

from ..phase import State
from .row import RowState

if t.TYPE_CHECKING:
    from .outcomes import Settled

FIRST = 15.0
"""Seconds before the second attempt; each further pause is twice as long."""
LONGEST = 3600.0
"""Seconds between two attempts at the most."""
LONGEST_PAUSE = 900.0
"""Seconds after which a server that could not be spoken to is tried again at the latest."""
AFTER_LOGIN = 60.0
"""Seconds after a login that failed: many servers lock out who tries again and again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What comes next for a row."""

    state: RowState
    due: float


def backoff(attempts: int, longest: float = LONGEST, share: float | None = None) -> float:
    """Seconds to wait after so many attempts: 15 s, doubled each time, less up to a quarter by
    chance, so that what failed together is not tried together.

    :param share: The part of that quarter that is taken off, 0 to 1, if not by chance.
    """
    whole = min(FIRST * 2.0 ** min(max(attempts - 1, 0), 30), longest)
    return whole * (1 - 0.25 * (random.random() if share is None else share))


def next_step(
    recipients: Sequence[Settled],
    attempts: int,
    now: float,
    expires: float,
    *,
    retry_unknown: bool = False,
    share: float | None = None,
) -> Step:
    """Say what becomes of a row by what has become of its recipients. Nobody who was refused is
    tried again, and nobody of whom nothing is known unless *retry_unknown* says so."""
    again = {None, State.DEFERRED} | ({State.UNKNOWN} if retry_unknown else set())
    states = {recipient.state for recipient in recipients}
    if states & again:
        due = now + backoff(attempts, share=share)
        if due < expires:
            return Step(RowState.WAITING, due)
    if State.UNKNOWN in states and not retry_unknown:
        return Step(RowState.HELD, now)
    if states & again:
        return Step(RowState.EXPIRED, now)
    return Step(RowState.SENT if State.ACCEPTED in states else RowState.FAILED, now)
