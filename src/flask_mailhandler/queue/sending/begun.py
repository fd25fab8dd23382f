"""A row that a handler has, and has not reported on yet."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t
from collections.abc import Iterable

from ...handlers.prepare import Prepared

if t.TYPE_CHECKING:
    from ...report import Job
    from ..outcomes import Settled
    from ..row import Row


@dataclasses.dataclass(slots=True)
class Begun:
    """A row that the handler has, and has not reported on yet."""

    row: Row
    recipients: tuple[Settled, ...]
    prepared: Prepared
    announced: dict[str, None] = dataclasses.field(default_factory=dict)
    safe_until: datetime.datetime | None = None
    """The time until which the server recognizes a repeat of what was announced."""
    known_to: str = ""
    """The name of who recognizes it."""

    def is_by_another(self, known_to: str, job: Job) -> bool:
        """Whether an end of data was announced by another account, for other recipients than
        those of *job*. A note names one account only, so none is asked to recognize them all: also
        not when this account announces the job once more, because it repeats the request."""
        if known_to == self.known_to and self.safe_until is not None:
            return False
        return not {*self.announced} <= {*map(str.__str__, job.envelope.recipients)}


def begun_for(job: Job, rows: Iterable[Begun]) -> Begun:
    """Return the row of a job.

    A handler may have replaced the job, and even its message. The same mail is never there twice,
    because the first must be settled before the second.
    """
    for one in rows:
        if one.prepared.message is job.message:
            return one
    for one in rows:
        if one.prepared.message_id == job.message_id:
            return one
    raise LookupError(f"The handler sends {job.message_id}, which it was not given.")
