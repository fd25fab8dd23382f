"""One delivery over several connections at once."""

from __future__ import annotations

import collections
import contextlib
import contextvars
import itertools
import queue
import threading
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from ..report import Observe
from ..report import Report
from ..report import report_on
from .prepare import Prepared

if t.TYPE_CHECKING:
    from .base import EmailHandler

# So many messages are prepared ahead for each connection: one in hand, one to follow it, and one
# more, so that nobody waits for the thread that prepares.
_AHEAD = 3


class _Place:
    """Where the report of one message is put."""

    def __init__(self, item: Prepared) -> None:
        self.item = item
        self.given: bool = False
        """Whether the caller has the report."""
        self._filled = threading.Event()
        self._content: Report | BaseException | None = None
        self._found: queue.SimpleQueue[Report | BaseException] = queue.SimpleQueue()
        self._left: Callable[[Report], None] | None = None

    def put(self, found: Report | BaseException) -> None:
        self._content = found
        self._found.put(found)
        self._filled.set()
        self._pass_on()

    def leave(self, left: Callable[[Report], None]) -> None:
        """Tell *left* what is here, or what will be: nobody is to take it."""
        self._left = left
        self._pass_on()

    def _pass_on(self) -> None:
        if self._left is None or self.item.job is None:
            return
        # Of two threads that come here at the same time one finds it.
        with contextlib.suppress(queue.Empty):
            found = self._found.get_nowait()
            if isinstance(found, Report):
                self._left(found)

    def is_filled(self) -> bool:
        return self._filled.is_set()

    def look(self) -> Report:
        """Wait for the report, which stays here: an interrupt at this moment must not lose it."""
        self._filled.wait()
        if isinstance(self._content, BaseException):
            raise self._content
        assert self._content is not None
        return self._content


class _Worker:
    """A thread that delivers its share."""

    def __init__(self, handler: EmailHandler, observe: Observe, number: int) -> None:
        self._handler = handler
        self._observe = observe
        # Its own, so that what it sees there nobody else takes.
        self._given: queue.SimpleQueue[_Place | None] = queue.SimpleQueue()
        # A token's callable may want the app.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._work,), name=f"mail-{number}", daemon=True
        )
        self._thread.start()

    def give(self, item: Prepared) -> _Place:
        """Have it delivered."""
        place = _Place(item)
        if item.job is None:
            # Whoever works would look for the next one behind it, and perhaps wait.
            place.put(report_on(item.message, item.message_id, item.withheld))
        else:
            self._given.put(place)
        return place

    def finish(self) -> None:
        """No more will come, and what was not begun is not wanted any more."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._given.get_nowait()
        self._given.put(None)

    def join(self) -> None:
        """Wait until all that was begun is delivered."""
        # The garbage collector may end a dispatch that was given up, in any thread.
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        drawn: collections.deque[_Place] = collections.deque()

        def share() -> Iterator[Prepared]:
            while place := self._given.get():
                drawn.append(place)
                yield place.item

        def leave(report: Report) -> None:
            # Of one before it nothing may have been taken, and then nobody reports it.
            place = next(one for one in drawn if one.item.message_id == report.message_id)
            drawn.remove(place)
            place.put(report)

        try:
            for report in self._handler.dispatch(
                share(), self._observe, ready=lambda: not self._given.empty(), left=leave
            ):
                drawn.popleft().put(report)
        except BaseException as error:  # whatever it is, the caller's thread is to raise it
            for place in itertools.chain(drawn, iter(self._given.get, None)):
                place.put(error)


def dispatch(
    handler: EmailHandler,
    prepared: Iterable[Prepared],
    observe: Observe,
    connections: int,
    left: Callable[[Report], None] | None,
) -> Iterator[Report]:
    """Deliver lazily, in threads of which each has a connection; see
    :meth:`.EmailHandler.dispatch`. The reports come in the order of the messages.

    What is under way when the caller stops iterating is finished; what was not begun is not sent.

    :param prepared: Is read in the caller's thread, some messages ahead.
    :param left: Told each report that the caller has not got.
    """
    workers: collections.deque[_Worker] = collections.deque()
    places: collections.deque[_Place] = collections.deque()
    rest = iter(prepared)
    try:
        while isinstance(item := _next(rest), Prepared):
            if len(workers) < connections:
                workers.append(_Worker(handler, observe, len(workers) + 1))
            else:
                workers.rotate(-1)
            places.append(workers[-1].give(item))
            while places and (places[0].is_filled() or len(places) == _AHEAD * connections):
                yield from _first(places)
        # Those before one that could not be prepared are delivered.
        while places:
            yield from _first(places)
        if isinstance(item, Exception):
            raise item
    finally:
        for worker in workers:
            worker.finish()
        try:
            for worker in workers:
                worker.join()
        finally:
            if left is not None:
                for place in places:
                    if not place.given:
                        place.leave(left)


def _first(places: collections.deque[_Place]) -> Iterator[Report]:
    """The report of the first place, which is left when the caller comes back."""
    place = places[0]
    report = place.look()
    place.given = True  # no call between this and the yield, where an interrupt could come
    yield report
    places.popleft()


def _next(prepared: Iterator[Prepared]) -> Prepared | Exception | None:
    try:
        return next(prepared, None)
    except Exception as error:
        return error
