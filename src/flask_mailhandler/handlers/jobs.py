"""What :meth:`.EmailHandler.deliver` is given."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ..report import Job
from ..report import Report
from .prepare import Prepared


class Jobs(Iterator[Job]):
    """The jobs of prepared messages, drawn one at a time. An error in making one ends them, and
    is kept for the caller: whoever delivers could take it for one of his own.

    :param prepared: May be made while it is read.
    :param passed: Is told each that was drawn, those that need no delivery among them.
    :param ready: See :meth:`ready`; if it is left out, what a list holds is ready.
    :param left: See :meth:`leave`.
    """

    def __init__(
        self,
        prepared: Iterable[Prepared],
        passed: Callable[[Prepared], None],
        ready: Callable[[], bool] | None = None,
        left: Callable[[Report], None] = lambda report: None,
    ) -> None:
        self._rest = iter(prepared)
        self._error: Exception | None = None
        self._passed = passed
        at_hand = isinstance(prepared, Sequence)
        self._ready = ready or (lambda: at_hand)
        self.leave = left
        """Takes the report of the oldest one that was drawn and is not reported, from a handler
        that cannot yield it: because an exception, such as ``KeyboardInterrupt``, ends it."""

    def __next__(self) -> Job:
        while (item := self._draw()) is not None:
            self._passed(item)
            if item.job is not None:
                return item.job
        raise StopIteration

    def _draw(self) -> Prepared | None:
        try:
            return next(self._rest, None) if self._error is None else None
        except Exception as error:
            self._error = error
            return None

    def check(self) -> None:
        """Raise the error that has ended them, if one has."""
        if self._error is not None:
            raise self._error

    def ready(self) -> bool:
        """Whether the next one can be had without waiting for anybody, so that a handler may ask
        for it before the one in hand is settled."""
        return self._ready()
