"""The rows of one account that a worker of the queue sends together."""

from __future__ import annotations

import json
import types
import typing as t
from collections.abc import Callable
from collections.abc import Sequence

from . import api
from .attributes import ACCOUNT
from .attributes import BATCH
from .attributes import ERROR
from .attributes import failure
from .attributes import OPERATION
from .attributes import SYSTEM
from .attributes import TYPE
from .instruments import ATTEMPTS
from .watch import Watch

if t.TYPE_CHECKING:
    from ...report import Observe
    from ...report import Report
    from .api import Link
    from .api import Tracer
    from .attributes import Attributes
    from .channel import Channel
    from .tally import Tally

TRACE = "trace"
"""The name, in the options of a row, of the span that queued it."""


class Row(t.Protocol):
    """What is needed of a row of the queue."""

    @property
    def id(self) -> int: ...
    @property
    def account(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def options(self) -> str: ...
    @property
    def state(self) -> str: ...


R = t.TypeVar("R", bound=Row)


class Batch:
    """A span for the batch, with a link to the span that queued each of its messages. The spans of
    the messages are its children, and have their own link.

    .. code-block:: python

        with telemetry.batch(account, handler, rows, observe) as batch:
            ...
    """

    def __init__(
        self,
        channel: Channel,
        tracer: Tracer,
        tally: Tally,
        rows: Sequence[Row],
        observe: Observe,
    ) -> None:
        self._account = channel.account
        self._guard = channel.guard
        self._tracer = tracer
        self._tally = tally
        self._links: dict[int, Link] = {}
        self._span: api.Span = api.trace.INVALID_SPAN
        self._token: t.Any = None
        self._guard.run(self._begin, rows)
        within = api.trace.set_span_in_context(self._span)
        self._watch = Watch(channel, observe, within)
        self.observe: Observe = self._watch.observe

    def _begin(self, rows: Sequence[Row]) -> None:
        self._links = {row.id: link for row in rows if (link := _link_of(row)) is not None}
        distinct = {link.context.span_id: link for link in self._links.values()}
        self._span = self._tracer.start_span(
            f"process {self._account}",
            kind=api.SpanKind.CONSUMER,
            attributes={
                SYSTEM: "mailhandler",
                OPERATION: "process",
                TYPE: "process",
                ACCOUNT: self._account,
                BATCH: len(rows),
            },
            links=[*distinct.values()],
        )

    def told(self, told: Callable[[R, Report | None], None]) -> Callable[[R, Report | None], None]:
        """Return a function that calls *told* with the result of a row, and reports it."""

        def tell(row: R, report: Report | None) -> None:
            now = self._watch.now()  # a receiver of a signal may take long
            try:
                told(row, report)
            finally:
                self._ended(row, report, now)

        return tell

    def _ended(self, row: Row, report: Report | None, now: int) -> None:
        self._tally.add(ATTEMPTS, row.account, str(row.state))
        if report is not None:
            link = self._links.get(row.id)
            more: Attributes = {"mailhandler.queue.attempt": row.attempts}
            self._watch.ended(report, now, () if link is None else (link,), more)

    def __enter__(self) -> t.Self:
        self._token = api.context.attach(api.trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: types.TracebackType | None,
    ) -> None:
        api.context.detach(self._token)
        self._guard.run(self._end, error)

    def _end(self, error: BaseException | None) -> None:
        if error is not None:
            self._span.set_attribute(ERROR, failure(error))
            self._span.set_status(api.Status(api.StatusCode.ERROR, "interrupted"))
        self._span.end()


def _link_of(row: Row) -> Link | None:
    """Return a link to the span that queued a row; None if there was none, or the row is
    damaged."""
    if f'"{TRACE}"' not in row.options:
        return None
    try:
        options = json.loads(row.options)
    except ValueError:
        return None
    return api.link_to(options.get(TRACE)) if isinstance(options, dict) else None
