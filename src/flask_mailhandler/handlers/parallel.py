"""Delivery over several connections at once: a thread for each."""

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
from .prepare import Prepared
from .unreported import without_delivery


class OneConnection(t.Protocol):
    """:meth:`.EmailHandler.dispatch`, over one connection."""

    def __call__(
        self,
        prepared: Iterable[Prepared],
        observe: Observe | None = None,
        *,
        ready: Callable[[], bool] | None = None,
        left: Callable[[Report], None] | None = None,
    ) -> Iterator[Report]: ...


# Messages that are prepared ahead for each connection: the current one, the one that follows it,
# and one more, so that no connection waits for the thread that prepares.
_AHEAD = 3


class _Awaited:
    """A message whose report is awaited."""

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
        """Call *left* with the report as soon as it is there: the caller cannot get it any more."""
        self._left = left
        self._pass_on()

    def _pass_on(self) -> None:
        if self._left is None or self.item.job is None:
            return
        # If two threads come here at the same time, one of them finds the report.
        with contextlib.suppress(queue.Empty):
            found = self._found.get_nowait()
            if isinstance(found, Report):
                self._left(found)

    def is_filled(self) -> bool:
        return self._filled.is_set()

    def look(self) -> Report:
        """Wait for the report. It stays here, so that an interrupt at this moment does not lose
        it."""
        self._filled.wait()
        if isinstance(self._content, BaseException):
            raise self._content
        assert self._content is not None
        return self._content


class _Worker:
    """A thread that delivers its share of the messages."""

    def __init__(self, dispatch: OneConnection, observe: Observe | None, number: int) -> None:
        self._dispatch = dispatch
        self._observe = observe
        # Each worker has its own queue: no other one takes a message that this one has seen there.
        self._given: queue.SimpleQueue[_Awaited | None] = queue.SimpleQueue()
        # The callable that returns a token may need the app context.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._work,), name=f"mail-{number}", daemon=True
        )
        self._thread.start()

    def give(self, item: Prepared) -> _Awaited:
        """Pass a message to this worker."""
        one = _Awaited(item)
        if item.job is None:
            # The thread would look for the next job after it, and perhaps wait for one.
            one.put(without_delivery(item))
        else:
            self._given.put(one)
        return one

    def finish(self) -> None:
        """Take back the messages that are not begun, and end the thread after the current one."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._given.get_nowait()
        self._given.put(None)

    def join(self) -> None:
        """Wait until the messages that were begun are delivered."""
        # The garbage collector may end an iteration that was given up, in any thread.
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _work(self) -> None:
        drawn: collections.deque[_Awaited] = collections.deque()

        def share() -> Iterator[Prepared]:
            while one := self._given.get():
                drawn.append(one)
                yield one.item

        def leave(report: Report) -> None:
            # A message before it is not reported if the server has not accepted it.
            one = next(one for one in drawn if one.item.message_id == report.message_id)
            drawn.remove(one)
            one.put(report)

        try:
            for report in self._dispatch(
                share(), self._observe, ready=lambda: not self._given.empty(), left=leave
            ):
                drawn.popleft().put(report)
        except BaseException as error:  # the caller's thread raises it
            for one in itertools.chain(drawn, iter(self._given.get, None)):
                one.put(error)


def in_parallel(
    dispatch: OneConnection,
    prepared: Iterable[Prepared],
    observe: Observe | None,
    connections: int,
    left: Callable[[Report], None] | None,
) -> Iterator[Report]:
    """Deliver lazily, in threads that have a connection each; see
    :meth:`.EmailHandler.dispatch`. The reports come in the order of the messages.

    If the caller stops iterating, the messages that were begun are finished, and the others are
    not sent.

    :param dispatch: Delivers over one connection. Each thread calls it once.
    :param prepared: Read in the caller's thread, some messages ahead.
    :param left: Called with each report that the caller has not got.
    """
    workers: collections.deque[_Worker] = collections.deque()
    awaited: collections.deque[_Awaited] = collections.deque()
    rest = iter(prepared)
    try:
        while isinstance(item := _next(rest), Prepared):
            if len(workers) < connections:
                workers.append(_Worker(dispatch, observe, len(workers) + 1))
            else:
                workers.rotate(-1)
            awaited.append(workers[-1].give(item))
            while awaited and (awaited[0].is_filled() or len(awaited) == _AHEAD * connections):
                yield from _first(awaited)
        # The messages before one that could not be prepared are delivered.
        while awaited:
            yield from _first(awaited)
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
                for one in awaited:
                    if not one.given:
                        one.leave(left)


def _first(awaited: collections.deque[_Awaited]) -> Iterator[Report]:
    """Give the report of the first message, and forget the message when the caller continues."""
    one = awaited[0]
    report = one.look()
    one.given = True  # no call between this and the yield: an interrupt could come there
    yield report
    awaited.popleft()


def _next(prepared: Iterator[Prepared]) -> Prepared | Exception | None:
    try:
        return next(prepared, None)
    except Exception as error:
        return error
