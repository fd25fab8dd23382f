"""When each phase of a message began, and the steps that the phases make.

::

    prepare │ connect greeting ehlo tls ehlo auth │ mail rcpt data content end-of-data │ mail ...
    prepare │ session                             │ transaction                        │ transaction
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterator

from ...phase import Phase

if t.TYPE_CHECKING:
    from .api import Context

SESSION, TRANSACTION = "session", "transaction"
_LAST_OF_SESSION = Phase.AUTH
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
    phases: dict[Phase, int]
    """The nanoseconds of each."""


def steps(timeline: Timeline, end: int) -> Iterator[Step]:
    """Yield the steps of a message.

    A transaction begins with a phase that is not after the one before it. Its phases may overlap
    with those of another message: an envelope is sent while the server works on a content.
    """
    step: Step | None = None
    phases = timeline.phases
    for number, (phase, began) in enumerate(phases):
        following = phases[number + 1][1] if number + 1 < len(phases) else end
        if phase is _DONE:
            continue
        name = SESSION if phase <= _LAST_OF_SESSION else TRANSACTION
        goes_back = step is not None and (
            phase is Phase.CONNECT or (name == TRANSACTION and phase <= step.last)
        )
        if step is None or step.name != name or goes_back:
            if step is not None:
                yield step
            step = Step(name, began, following, phase, {})
        step.ended = following
        step.last = phase
        step.phases[phase] = step.phases.get(phase, 0) + following - began
    if step is not None:
        yield step
