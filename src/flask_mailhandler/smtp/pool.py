"""The connections of one handler: how many there are, who gets which, and how long they are kept.

::

    lend ── wait in line ──┬── an idle one that is alive ──┬── give back ──┬── idle
                           └── a new one ──────────────────┘               └── closed

All of the policy stands in :meth:`_State.serve`.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import threading
import time
import weakref
from collections.abc import Iterator

from ..errors import ConnectError
from ..errors import DeferredError
from ..errors import LoginError
from ..report import Observe
from ..report import Phase
from ..secret import Secret
from .deadline import Deadline
from .delivery import Delivery
from .opening import Opening
from .server import Server
from .session import Session

# A server that has refused a login would refuse it again, and lock the account in the end.
_LOGIN_PAUSE = 60.0
# So long a server that had too many connections of us is spared.
_SHRUNK = 60.0


@dataclasses.dataclass(eq=False)
class _Turn:
    """Somebody who waits for a connection."""

    fresh: bool
    """Whether an idle connection will not do."""
    called: threading.Event = dataclasses.field(default_factory=threading.Event)
    session: Session | None = None
    """The connection that was given, or None if a new one may be opened."""


class _State:
    """What one process knows of its connections. Sockets and locks must not be shared over a
    fork, so that a child begins with a state of its own."""

    def __init__(self, size: int, idle: float) -> None:
        self.pid = os.getpid()
        self.lock = threading.Lock()
        self.size = size
        self.keep = idle
        self.idle: list[Session] = []
        self.busy: set[Session | _Turn] = set()
        """Those that are lent, and those that are being opened."""
        self.line: collections.deque[_Turn] = collections.deque()
        self.limit = size
        self.limited_until = 0.0
        self.login: tuple[LoginError, float] | None = None
        """The login that was refused, and how long it need not be tried again."""
        self.chunking = True

    def serve(self) -> list[Session]:
        """Give connections to those who wait, in their order. Call it with the lock held, and
        close what it returns without the lock."""
        now = time.monotonic()
        kept: list[Session] = []
        useless: list[Session] = []
        for session in self.idle:
            # After a while the server may have closed it.
            (kept if now - session.heard <= self.keep else useless).append(session)
        while self.line:
            turn = self.line[0]
            if turn.fresh:
                # One that had been idle was of no use, and the others will be of none.
                useless, kept = useless + kept, []
            if kept:
                turn.session = kept.pop()  # the last one used is the likeliest to be alive
                if not turn.session.is_quiet():
                    useless.append(turn.session)
                    turn.session = None
                    continue
            elif len(self.busy) >= (self.limit if now < self.limited_until else self.size):
                break
            self.line.popleft()
            self.busy.add(turn.session or turn)
            turn.called.set()
        self.idle = kept
        return useless

    def opened(self, turn: _Turn, session: Session) -> None:
        """Note what *turn* has opened."""
        with self.lock:
            self.busy.discard(turn)
            self.busy.add(session)
            turn.session = session
            self.login = None

    def shrink(self, turn: _Turn) -> bool:
        """Let *turn* wait for one of the other connections, instead of having its own. Whether
        there are any."""
        with self.lock:
            others = len(self.busy) - 1 + len(self.idle)
            if not others:
                return False
            self.limit, self.limited_until = others, time.monotonic() + _SHRUNK
            self.busy.discard(turn)
            turn.called.clear()
            self.line.appendleft(turn)
            useless = self.serve()
        _close(useless)
        return True

    def refused_login(self) -> LoginError | None:
        """The error of a login that need not be tried again yet."""
        if self.login is None or time.monotonic() >= self.login[1]:
            return None
        error = self.login[0]
        return LoginError(str(error), phase=error.phase, temporary=error.temporary)

    def sessions(self) -> list[Session]:
        """All there are, without the lock, which nobody may be alive to release."""
        return [*self.idle, *(one for one in [*self.busy] if isinstance(one, Session))]

    def close(self) -> None:
        """Close the idle connections; those that are lent are closed when they come back."""
        if self.pid != os.getpid():
            self.abandon()
            return
        with self.lock:
            sessions, self.idle = self.idle, []
        for session in sessions:
            session.close()

    def abandon(self) -> None:
        """Close the descriptors that a child has inherited. The connections are the parent's:
        not an octet may be said on them."""
        for session in self.sessions():
            session.abandon()


class Pool:
    """Lends sessions. Safe with threads, with gevent, over a fork and at the interpreter's exit.

    :param server: Whom to speak to.
    :param size: The most connections at one time, in this process.
    :param idle: Seconds that an idle one is kept.
    """

    def __init__(self, server: Server, size: int, idle: float) -> None:
        self.server = server
        self.size = size
        self.idle = idle
        self._holder = [_State(size, idle)]
        # At exit, or when nobody has the pool any more.
        weakref.finalize(self, _close_all, self._holder)

    @property
    def _state(self) -> _State:
        (state,) = self._holder
        if state.pid != os.getpid():
            state.abandon()
            # In one step, so that two threads of a child take the same one.
            state = self._own_state(state)
        return state

    def _own_state(self, inherited: _State) -> _State:
        own = _State(self.size, self.idle)
        own.login, own.chunking = inherited.login, inherited.chunking
        if self._holder[0] is inherited:
            self._holder[0] = own
        return self._holder[0]

    @contextlib.contextmanager
    def session(self, delivery: Delivery, observe: Observe) -> Iterator[Session]:
        """Lend a session, within the delivery's time.

        :raises DeferredError: if none can be had.
        """
        state, keep = self._state, True
        session = self._lend(state, delivery, observe)
        try:
            yield session
        except DeferredError:  # it wants a login, and would want it of the next message too
            keep = False
            raise
        finally:
            self._give_back(state, session, keep)

    def close(self) -> None:
        """Close all connections that are idle. The pool may be used again."""
        self._state.close()

    def _lend(self, state: _State, delivery: Delivery, observe: Observe) -> Session:
        turn = _Turn(fresh=delivery.repeated)
        with state.lock:
            state.line.append(turn)
            useless = state.serve()
        try:
            _close(useless)
            while turn.session is None:
                self._wait(state, turn, delivery.deadline)
                if turn.session is None:
                    self._open(state, turn, delivery, observe)
        except BaseException:
            self._leave(state, turn)
            raise
        return turn.session

    def _wait(self, state: _State, turn: _Turn, deadline: Deadline) -> None:
        if not turn.called.wait(deadline.remaining()):
            with state.lock:
                if turn.called.is_set():
                    return
                limit = f"{len(state.busy)} of {self.size}"
            raise ConnectError(
                f"No connection to {self.server} within {deadline.allowed:g} s: {limit} are in use"
                " by others. Set MAIL_POOL_SIZE higher, if the server allows it.",
                phase=Phase.CONNECT,
            )

    def _leave(self, state: _State, turn: _Turn) -> None:
        """Give up a place in line, or what was got there."""
        with state.lock:
            if turn in state.line:
                state.line.remove(turn)
            state.busy.discard(turn)
            session = turn.session
            if session is not None:
                state.busy.discard(session)
            useless = state.serve()
        _close([*useless, *([session] if session else [])])

    def _give_back(self, state: _State, session: Session, keep: bool) -> None:
        if state.pid != os.getpid():  # a child of a fork, in the middle of its parent's work
            session.abandon()
            return
        keep = keep and session.idle and self._holder[0] is state
        with state.lock:
            state.busy.discard(session)
            state.chunking &= session.chunking
            if keep:
                state.idle.append(session)
            useless = state.serve()
        _close(useless if keep else [session, *useless])

    def _open(self, state: _State, turn: _Turn, delivery: Delivery, observe: Observe) -> None:
        """Open a connection for *turn*, or put it back to the head of the line if the server has
        too many of us already."""
        if refused := state.refused_login():
            raise refused
        deadline = delivery.deadline.within(self.server.connect_timeout)

        def attempt(token: Secret | None) -> tuple[Opening, Session | DeferredError]:
            opening = Opening(
                self.server, deadline, lambda phase: observe(phase, delivery.job), token=token
            )
            try:
                opening.run()
            except DeferredError as error:
                return opening, error
            return opening, Session(self.server, opening, chunking=state.chunking)

        opening, found = attempt(None)
        if isinstance(found, DeferredError) and (token := opening.fresh_token()):
            opening, found = attempt(token)
        if isinstance(found, Session):
            state.opened(turn, found)
        elif not (opening.crowded and state.shrink(turn)):
            if isinstance(found, LoginError) and opening.login_refused:
                state.login = found, time.monotonic() + _LOGIN_PAUSE
            raise found

    def __repr__(self) -> str:
        state = self._holder[0]
        idle, busy = len(state.idle), len(state.busy)
        facts = [f"{idle} idle", f"{busy} in use", f"{len(state.line)} waiting"]
        if time.monotonic() < state.limited_until:
            facts.append(f"at most {state.limit} for now")
        if state.refused_login():
            facts.append("login refused")
        return f"<Pool {self.server} of {self.size}: {', '.join(facts)}>"


def _close(sessions: list[Session]) -> None:
    for session in sessions:
        session.close()


def _close_all(holder: list[_State]) -> None:
    holder[0].close()
