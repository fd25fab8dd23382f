"""Who has which connection, who waits for one, and which of them are kept.

::

    enter ── wait in line ──┬── an idle one that is alive ──┬── leave ──┬── idle
                            └── a place, for a new one ─────┘           └── closed

All of the policy stands in :meth:`Places._serve`.
"""

from __future__ import annotations

import collections
import functools
import os
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable

from ..report import LoginError
from .session import Session

# A server that has refused a login would refuse it again, and lock the account in the end.
_LOGIN_PAUSE = 60.0
# So long a server that had too many connections of us is spared.
_SHRUNK = 60.0


class Turn:
    """Somebody who waits for a connection, and then has one.

    :param fresh: Whether an idle connection will not do.
    """

    def __init__(self, fresh: bool) -> None:
        self.fresh = fresh
        self.session: Session | None = None
        """The connection, or None as long as there is none: a new one may be opened then."""
        # No Event: the garbage collector could find the lock in it taken by this very thread.
        self._gate = threading.Lock()
        self._gate.acquire()

    def call(self, session: Session | None) -> None:
        self.session = session
        self._gate.release()

    def wait(self, seconds: float) -> bool:
        """Wait to be called. Whether that came in time."""
        return self._gate.acquire(timeout=seconds)


class Places:
    """What one process knows of its connections. Sockets and locks must not be shared over a
    fork, so that a child begins with a state of its own."""

    def __init__(self, size: int, idle: float) -> None:
        self.pid: int = os.getpid()
        self.size = size
        self.keep = idle
        self.line: collections.deque[Turn] = collections.deque()
        self.idle: list[Session] = []
        self.busy: set[Turn | Session] = set()
        """Who has a connection or opens one, and connections that are being closed."""
        self.limit: int = size
        self.limited_until: float = 0.0
        self.login: tuple[LoginError, float] | None = None
        """The login that was refused, and how long it need not be tried again."""
        self.chunking: bool = True
        self._useless: list[Session] = []
        self._changes: collections.deque[Callable[[], None]] = collections.deque()
        self._changing = threading.Lock()

    def change(self, change: Callable[[], None]) -> None:
        """Make a change, give connections to those who wait, and close what is of no use.

        Nobody waits for the lock: whoever has it makes the changes of the others too. So the
        garbage collector may give back the connection of a sending that was given up, in the
        middle of this.
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
                # Its place is free only now, so that there are never more than allowed.
                self._changes.append(functools.partial(self.busy.discard, session))

    def _serve(self) -> None:
        """Give connections to those who wait, in their order."""
        now = time.monotonic()
        # After a while the server may have closed it.
        self._discard([session for session in self.idle if now - session.heard > self.keep])
        while self.line:
            turn = self.line[0]
            if turn.fresh:
                # One that had been idle was of no use, and the others will be of none.
                self._discard([*self.idle])
            session = self.idle[-1] if self.idle else None  # the likeliest to be alive
            if session is not None and not session.is_quiet():
                self._discard([session])
                continue
            if session is not None:
                self.idle.pop()
            elif len(self.busy) >= self.most:
                break
            self.line.popleft()
            self.busy.add(turn)
            turn.call(session)

    @property
    def most(self) -> int:
        """How many connections there may be."""
        return self.limit if time.monotonic() < self.limited_until else self.size

    def _discard(self, sessions: Iterable[Session]) -> None:
        for session in sessions:
            self.idle.remove(session)
            self.busy.add(session)
            self._useless.append(session)

    def enter(self, turn: Turn) -> None:
        """Put *turn* at the end of the line."""
        self.change(functools.partial(self.line.append, turn))

    def shrink(self, turn: Turn) -> bool:
        """Let *turn* wait for one of the other connections, instead of having its own. Whether
        there are any."""
        others = len(self.busy) - 1 + len(self.idle)
        if others:
            self.limit, self.limited_until = others, time.monotonic() + _SHRUNK
            self.change(functools.partial(self._line_upagain, turn))
        return bool(others)

    def _line_upagain(self, turn: Turn) -> None:
        self.busy.discard(turn)
        self.line.appendleft(turn)

    def leave(self, turn: Turn, keep: bool) -> None:
        """Give up a place in line, or give back what was got there.

        :param keep: Whether the connection may be used again, if it is in order.
        """
        session = turn.session
        if session is not None and not (keep and session.idle):
            session.close()
        if self.pid == os.getpid():  # not a child of a fork, in the middle of its parent's work
            self.change(functools.partial(self._left, turn))

    def _left(self, turn: Turn) -> None:
        if turn in self.line:
            self.line.remove(turn)
        self.busy.discard(turn)
        if turn.session is not None:
            self.chunking &= turn.session.chunking
            if turn.session.idle:
                self.idle.append(turn.session)

    def refuse_login(self, error: LoginError) -> None:
        """Remember that a login was refused, and nothing of who tried it."""
        self.login = again(error), time.monotonic() + _LOGIN_PAUSE

    @property
    def login_refused(self) -> LoginError | None:
        """The error of a login that need not be tried again yet."""
        if self.login is None or time.monotonic() >= self.login[1]:
            return None
        return self.login[0]

    def close(self) -> None:
        """Close the idle connections."""
        if self.pid != os.getpid():
            self.abandon()
        else:
            self.change(lambda: self._discard([*self.idle]))

    def abandon(self) -> None:
        """Close the descriptors that a child has inherited. The connections are the parent's:
        not an octet may be said on them."""
        lent = [one.session if isinstance(one, Turn) else one for one in [*self.busy]]
        for session in [*self.idle, *lent]:
            if session is not None:
                session.abandon()

    def __str__(self) -> str:
        idle, busy, waiting = len(self.idle), len(self.busy), len(self.line)
        facts = [f"{idle} idle", f"{busy} in use", f"{waiting} waiting"]
        if self.most < self.size:
            facts.append(f"at most {self.most} for now")
        if self.login_refused:
            facts.append("login refused")
        return ", ".join(facts)


def again(error: LoginError) -> LoginError:
    """The same error without its traceback, which knows who met it."""
    return LoginError(str(error), phase=error.phase, temporary=error.temporary)
