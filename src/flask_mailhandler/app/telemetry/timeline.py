"""When each phase of a message began, and the steps that the phases make.

::

    prepare │ connect greeting ehlo tls ehlo auth │ mail rcpt data content end-of-data │ mail ...
    prepare │ session                             │ transaction                        │ transaction
"""

from __future__ import annotations

import dataclasses
import typing as t
from itertools import pairwise

from ...phase import Phase
from .attributes import PHASE_TIMES

if t.TYPE_CHECKING:
    from .api import Context

SESSION, TRANSACTION = "session", "transaction"
_LAST_OF_SESSION = Phase.AUTH
_CONNECT = Phase.CONNECT
_DONE = Phase.DONE


class Timeline:
    """The times of one message, in nanoseconds since 1970.

    :param began: When it was given to be prepared, or its first phase began.
    :param context: The span that it belongs to.
    """

    __slots__ = ("began", "context", "phases", "prepared")

    def __init__(self, began: int, context: Context | None, prepared: int | None = None) -> None:
        self.began: int = began
        self.context: Context | None = context
        self.prepared: int | None = prepared
        """When it was prepared; None if another process has done that."""
        self.phases: list[tuple[Phase, int]] = []

    def ended(self, now: int) -> int:
        """Return when the message was settled. Its report may have come later."""
        if self.phases and self.phases[-1][0] is _DONE:
            return self.phases[-1][1]
        return now


@dataclasses.dataclass(slots=True)
class Step:
    """A connection that was opened, or one transaction or exchange over it."""

    name: str
    began: int
    ended: int
    last: Phase
    """The phase that it has come to."""
    times: dict[str, float]
    """The seconds of each phase, as attributes."""


def steps(timeline: Timeline, end: int) -> list[Step]:
    """Return the steps of a message.

    A transaction begins with a phase that is not after the one before it. Its phases may overlap
    with those of another message: an envelope is sent while the server works on a content.
    """
    found: list[Step] = []
    step: Step | None = None
    for (phase, began), (_, ended) in pairwise((*timeline.phases, (_DONE, end))):
        if phase is _DONE:
            continue
        name = SESSION if phase <= _LAST_OF_SESSION else TRANSACTION
        goes_back = step is not None and name == TRANSACTION and phase <= step.last
        if step is None or step.name != name or phase is _CONNECT or goes_back:
            step = Step(name, began, ended, phase, {})
            found.append(step)
        step.ended, step.last = ended, phase
        time = PHASE_TIMES[phase]
        step.times[time] = step.times.get(time, 0.0) + (ended - began) / 1e9
    return found
