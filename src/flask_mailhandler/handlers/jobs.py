"""The jobs that ``deliver`` is given, and the guarantee: one report for each, whatever it does.

::

    prepared ── Jobs ── seal ──▶ deliver ──▶ report_each ──▶ one report for each message
                 │                  │            │
                 │                  └ observe ───┤ a message whose end of data was announced
                 └ drawn, not reported yet ──────┘ is never forgotten
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ..address import Address
from ..errors import MessageError
from ..phase import Phase
from ..report import DeferredError
from ..report import DeliveryError
from ..report import Job
from ..report import Observe
from ..report import Report
from ..report import UnknownOutcomeError
from .unreported import interrupted
from .unreported import refused
from .unreported import unreported
from .unreported import with_withheld
from .unreported import without_delivery

if t.TYPE_CHECKING:
    from ..content import Content
    from .prepare import Prepared

# Reading it from its enum takes 0.2 µs, in each phase of each message, up to Python 3.11.
_END_OF_DATA = Phase.END_OF_DATA


class Jobs(Iterator[Job]):
    """The jobs of prepared messages, drawn one at a time.

    An error in making one ends them, and is kept until those before it are reported: ``deliver``
    could take it for its own.

    :param prepared: May be made while it is read.
    :param seal: See :meth:`.EmailHandler.seal`.
    :param ready: See :meth:`ready`; if it is left out, the items of a list are ready.
    :param observe: Called with each phase and job before the phase begins.
    :param left: Called with each report that the caller cannot get any more.
    :param before_wait: The handler may call it before it waits for a server.
    """

    def __init__(
        self,
        prepared: Iterable[Prepared],
        seal: Callable[[Content], Content],
        ready: Callable[[], bool] | None = None,
        observe: Observe | None = None,
        left: Callable[[Report], None] | None = None,
        before_wait: Callable[[], object] = lambda: None,
    ) -> None:
        self._rest = iter(prepared)
        self._seal = seal
        # An abstract class takes 0.5 µs to recognize a list.
        self._at_hand = type(prepared) is list or isinstance(prepared, Sequence)
        self._ready = ready
        self._observe = observe
        self._left = left
        self.before_wait = before_wait
        self.drawn: collections.deque[Prepared] = collections.deque()
        """The messages that are not reported yet, the oldest first, and among them those that
        need no delivery."""
        self.error: Exception | None = None
        """The error that has ended the jobs."""
        self.announced: dict[str, set[Address]] = {}
        """By Message-ID, the recipients that an end of data was announced for."""

    def __next__(self) -> Job:
        while self.error is None:
            job: Job | None = None
            try:
                item = next(self._rest)
                if (job := item.job) is not None:
                    sealed = self._seal(job.content)
                    if sealed is not job.content:
                        job = dataclasses.replace(job, content=sealed)
            except StopIteration:
                break
            except Exception as error:
                if job is None or not isinstance(error, MessageError):
                    self.error = error
                    break
                item, job = refused(item, job, error), None
            self.drawn.append(item)
            if job is not None:
                return job
        raise StopIteration

    def ready(self) -> bool:
        """Whether the next job is there without a wait, so that a handler may draw it before the
        current one is settled."""
        return self._at_hand if self._ready is None else self._ready()

    def observe(self, phase: Phase, job: Job) -> None:
        """Note that an end of data is announced, and tell the caller's observer the phase."""
        if phase is _END_OF_DATA:
            self.announced.setdefault(job.message_id, set()).update(job.envelope.recipients)
        if self._observe is not None:
            self._observe(phase, job)

    def leave(self, report: Report) -> None:
        """Take a report from a handler that cannot yield it, because an exception such as
        ``KeyboardInterrupt`` ends it. If nothing was accepted, the caller is not told."""
        items = (item for item in self.drawn if item.message_id == report.message_id)
        item = next((item for item in items if item.job is not None), None)
        if item is not None:
            self.drawn.remove(item)
            self.announced.pop(item.message_id, None)
            if self._left is not None and (report.accepted or report.unknown):
                self._left(with_withheld(item, report))

    def give_up(self) -> None:
        """Tell the caller of each message whose end of data was announced and that has no report.
        Outcomes that only the handler knew are lost with it."""
        while self._left is not None and self.drawn:
            item = self.drawn.popleft()
            announced = self.announced.pop(item.message_id, None)
            if item.job is not None and announced is not None:
                self._left(interrupted(item, item.job, announced))


class Delivering(t.Protocol):
    """The part of a handler that is needed here."""

    def seal(self, content: Content) -> Content: ...
    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]: ...


def report_each(
    handler: Delivering,
    prepared: Iterable[Prepared],
    ready: Callable[[], bool] | None,
    observe: Observe | None,
    left: Callable[[Report], None] | None,
    before_wait: Callable[[], object] = lambda: None,
) -> Iterator[Report]:
    """Deliver lazily, and give one report for each message, in order.

    The arguments are those of :class:`Jobs`.

    :raises TypeError: if ``deliver`` reports more than it was given.
    """
    jobs = Jobs(prepared, handler.seal, ready, observe, left, before_wait)
    name, drawn = type(handler).__name__, jobs.drawn
    error: DeliveryError | None = None
    try:
        for report in handler.deliver(jobs, jobs.observe):
            while drawn and drawn[0].job is None:
                yield without_delivery(drawn.popleft())
            if not drawn:
                raise TypeError(f"{name}.deliver() reports more messages than it was given.")
            item = drawn.popleft()
            jobs.announced.pop(item.message_id, None)
            yield with_withheld(item, report) if item.withheld else report
    except DeliveryError as raised:  # deliver has to report it
        error = raised
    except BaseException:
        jobs.give_up()
        raise
    if drawn:
        missing = f"{name}.deliver() did not report what became of it."
        yield from unreported(drawn, error or UnknownOutcomeError(missing))
    # The last call may draw messages that need no delivery, and no job.
    while next(jobs, None) is not None or drawn:
        early = f"{name}.deliver() ended before it was tried."
        yield from unreported(drawn, DeferredError(early))
    if jobs.error is not None:
        raise jobs.error
