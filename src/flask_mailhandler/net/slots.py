"""The connections of one process: the lent ones, the idle ones, and the callers that wait.

::

    enter ── wait in line ──┬── an idle connection that is alive ──┬── leave ──┬── idle
                            └── a free slot, for a new one ────────┘           └── closed

The whole policy is in :meth:`Slots._serve`.
"""

from __future__ import annotations

import collections
import functools
import os
import threading
import time
import typing as t
import weakref
from collections.abc import Callable
from collections.abc import Iterable

# Seconds for which a server that had too many of our connections is spared.
_SHRUNK = 60.0


class Lendable(t.Protocol):
    """A connection, such as an SMTP session."""

    @property
    def idle(self) -> bool:
        """Whether nothing is in progress, so that another caller may have it."""
        ...

    @property
    def heard(self) -> float:
        """When something was last received, on the monotonic clock."""
        ...

    def is_quiet(self) -> bool:
        """Whether the server is still there and has sent nothing unasked."""
        ...

    def close(self) -> None: ...
    def abandon(self) -> None:
        """Close the descriptor without a word to the server."""
        ...


C = t.TypeVar("C", bound=Lendable)


class Turn(t.Generic[C]):
    """The place in line of one caller, and then its connection.

    :param fresh: Whether an idle connection will not do.
    """

    def __init__(self, fresh: bool) -> None:
        self.fresh = fresh
        self.session: C | None = None
        """The connection. If it is None when the caller is called, it may open a new one."""
        # Not an Event: the garbage collector could find its lock taken by this very thread.
        self._gate = threading.Lock()
        self._gate.acquire()

    def call(self, session: C | None) -> None:
        """Let the caller go on, with an idle connection or None."""
        self.session = session
        self._gate.release()

    def wait(self, seconds: float) -> bool:
        """Wait to be called, and return whether that came in time."""
        return self._gate.acquire(timeout=seconds)


class Slots(t.Generic[C]):
    """The connections of one process. A fork must not share sockets and locks, so a child begins
    with slots of its own.

    :param size: The most connections at one time.
    :param idle: Seconds for which an idle one is kept.
    """

    def __init__(self, size: int, idle: float) -> None:
        self.pid: int = os.getpid()
        self.size = size
        self.keep = idle
        self.line: collections.deque[Turn[C]] = collections.deque()
        self.idle: list[C] = []
        self.busy: set[Turn[C] | C] = set()
        """The turns that have a connection or open one, and the connections being closed."""
        self.limit: int = size
        self.limited_until: float = 0.0
        self._useless: list[C] = []
        self._changes: collections.deque[Callable[[], None]] = collections.deque()
        self._changing = threading.Lock()

    @property
    def most(self) -> int:
        """The number of connections that there may be."""
        return self.limit if time.monotonic() < self.limited_until else self.size

    def enter(self, turn: Turn[C]) -> None:
        """Put *turn* at the end of the line."""
        self.change(functools.partial(self.line.append, turn))

    def leave(self, turn: Turn[C], keep: bool) -> None:
        """Give up a place in line, or return the connection.

        :param keep: Whether the connection may be used again, if it is in order.
        """
        session = turn.session
        kept = session if session is not None and keep and session.idle else None
        if session is not None and kept is None:
            session.close()
        if self.pid == os.getpid():  # not a child of a fork, in the middle of its parent's work
            self.change(functools.partial(self._left, turn, kept))

    def _left(self, turn: Turn[C], kept: C | None) -> None:
        if turn in self.line:
            self.line.remove(turn)
        self.busy.discard(turn)
        if kept is not None:
            self.idle.append(kept)

    def change(self, change: Callable[[], None]) -> None:
        """Make a change, serve the line, and close the connections that are of no use.

        No thread waits for the lock: the thread that has it makes the changes of the others too.
        So the garbage collector may return a connection in the middle of this, when the caller
        has given up a sending.
        """
        self._changes.append(change)
        while self._changes and self._changing.acquire(blocking=False):
            try:
                while self._changes:
                    self._changes.popleft()()
                self._serve()
                useless, self._useless = self._useless, []
            finally:
                self._changing.release()
            for session in useless:
                session.close()
                # Its slot is free only now, so that there are never more than allowed.
                self._changes.append(functools.partial(self.busy.discard, session))

    def _serve(self) -> None:
        """Serve the line in order. For its first turn there are four cases:

        1.  It needs a fresh connection: all idle ones are closed, and case 3 or 4 follows.
        2.  A connection is idle: the turn gets it if it is alive. If not, it is closed, and the
            turn is looked at again.
        3.  No connection is idle and a slot is free: the turn may open a new connection.
        4.  No slot is free: the turn waits, and so do those after it.
        """
        now = time.monotonic()
        for session in [*self.idle]:
            if now - session.heard > self.keep:  # the server may have closed it
                self._discard([session])
        while self.line:
            turn = self.line[0]
            if turn.fresh and self.idle:
                # An idle connection was of no use to it, and the others would not be either.
                self._discard([*self.idle])
            used = self.idle[-1] if self.idle else None  # the likeliest to be alive
            if used is not None:
                if not used.is_quiet():
                    self._discard([used])
                    continue
                self.idle.pop()
            elif len(self.busy) >= self.most:
                break
            self.line.popleft()
            self.busy.add(turn)
            turn.call(used)

    def _discard(self, sessions: Iterable[C]) -> None:
        """Have idle connections closed. They keep their slots until then."""
        for session in sessions:
            self.idle.remove(session)
            self.busy.add(session)
            self._useless.append(session)

    def shrink(self, turn: Turn[C]) -> bool:
        """Let *turn* wait for one of the other connections, instead of having its own, and return
        whether there are any."""
        others = len(self.busy) - 1 + len(self.idle)
        if others:
            self.limit, self.limited_until = others, time.monotonic() + _SHRUNK
            self.change(functools.partial(self._wait_again, turn))
        return bool(others)

    def _wait_again(self, turn: Turn[C]) -> None:
        self.busy.discard(turn)
        self.line.appendleft(turn)

    def close(self) -> None:
        """Close the idle connections."""
        if self.pid != os.getpid():
            self.abandon()
        else:
            self.change(lambda: self._discard([*self.idle]))

    def abandon(self) -> None:
        """Close the descriptors that a child has inherited. The connections are the parent's:
        nothing may be written to them."""
        lent = [one.session if isinstance(one, Turn) else one for one in [*self.busy]]
        for session in [*self.idle, *lent]:
            if session is not None:
                session.abandon()

    def __str__(self) -> str:
        facts = [f"{len(self.idle)} idle", f"{len(self.busy)} in use", f"{len(self.line)} waiting"]
        if self.most < self.size:
            facts.append(f"at most {self.most} for now")
        return ", ".join(facts)


class OwnSlots(t.Generic[C]):
    """The slots of the process that asks. They end with this object, or at exit.

    :param size: The most connections at one time, in one process.
    :param idle: Seconds for which an idle one is kept.
    """

    def __init__(self, size: int, idle: float) -> None:
        self._size = size
        self._idle = idle
        # In a list, so that the finalizer does not hold this object itself.
        self._holder: list[Slots[C]] = [Slots(size, idle)]
        weakref.finalize(self, _end, self._holder)

    def here(self) -> Slots[C]:
        """Return the slots of this process. A child of a fork begins with new ones."""
        (slots,) = self._holder
        if slots.pid != os.getpid():
            slots.abandon()
            own: Slots[C] = Slots(self._size, self._idle)
            # In one step, so that two threads of a child take the same slots.
            if self._holder[0] is slots:
                self._holder[0] = own
        return self._holder[0]

    def __str__(self) -> str:
        return str(self._holder[0])


def _end(holder: list[Slots[t.Any]]) -> None:
    holder[0].keep = -1.0  # a connection that is still lent is closed when it is returned
    holder[0].close()
