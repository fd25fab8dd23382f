"""Failures of a handler itself, for which there is no reply of a server."""

from __future__ import annotations

from ..phase import Phase
from ..phase import State
from ..report import About
from ..report import conclude
from ..report import DeferredError
from ..report import Job
from ..report import Outcome
from ..report import RefusedError
from ..report import Report


def failed(job: Job, error: DeferredError | RefusedError) -> Report:
    """Report every recipient deferred or refused: the handler has accepted nothing.

    ::

        yield failed(job, DeferredError("The console cannot be written."))
    """
    error.phase = Phase.CONTENT
    state = State.DEFERRED if isinstance(error, DeferredError) else State.REFUSED
    about = About.ACCOUNT if state is State.DEFERRED else About.CONTENT
    outcomes = [Outcome(a, state, text=str(error), about=about) for a in job.envelope.recipients]
    return conclude(job, outcomes, error)
