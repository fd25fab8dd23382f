"""Keeping messages in a list, for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from collections.abc import Iterator

from ..outbox import Captured
from ..outbox import Outbox
from ..report import Job
from ..report import Observe
from ..report import Phase
from ..report import Report
from .base import accept
from .base import EmailHandler


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MemoryEmailHandler(EmailHandler):
    """Appends every message to :attr:`outbox` and sends nothing."""

    outbox: Outbox = dataclasses.field(default_factory=Outbox)
    """What was captured so far, until somebody clears it."""
    using: str = "default"
    """The account that it stands for."""

    def into(self, outbox: Outbox, using: str) -> MemoryEmailHandler:
        """Return the same handler with another list, for another account."""
        return dataclasses.replace(self, outbox=outbox, using=using)

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Capture the jobs."""
        for job in jobs:
            observe(Phase.END_OF_DATA, job)
            report = accept(job)
            # list.append is one step for other threads.
            self.outbox.append(Captured(job.message, job.envelope, job.content, report, self.using))
            yield report
