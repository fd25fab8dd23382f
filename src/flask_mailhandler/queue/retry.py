"""The retry schedule: when a row is tried again, and when it is given up. Pure functions.

::

    attempt   1      2      3     4     5     6     7      8      9 ...
    wait        15 s   30 s  1 min 2 min 4 min 8 min 16 min 32 min  1 h    less up to a quarter
"""

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
"""Seconds before the second attempt; each further wait is twice as long."""
LONGEST = 3600.0
"""The most seconds between two attempts."""
LONGEST_PAUSE = 900.0
"""The most seconds of a pause, after which a server that could not be reached is tried again."""
AFTER_LOGIN = 60.0
"""The least seconds after a failed login: many servers lock out a client that tries too often."""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """The next state of a row, and when it is due."""

    state: RowState
    due: float


def backoff(attempts: int, longest: float = LONGEST, share: float | None = None) -> float:
    """Return the seconds to wait after so many attempts: 15 s, doubled each time.

    Up to a quarter is taken off at random, so that messages which failed together are not tried
    together.

    :param share: The part of that quarter to take off, 0 to 1; random by default.
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
    """Return the next step of a row, from the outcomes of its recipients.

    A refused recipient is never tried again, and an unknown one only with *retry_unknown*.
    """
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
