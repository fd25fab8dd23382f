"""The connections of one handler: lent, and opened if there is none to lend.

A :class:`Pool` knows the server, opens connections, and remembers what the server has refused.
:class:`.Slots` knows the connections of this process, and the callers that wait.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ..net.deadline import Deadline
from ..net.slots import OwnSlots
from ..net.slots import Slots
from ..net.slots import Turn
from ..phase import Phase
from ..report import ConnectError
from ..report import DeferredError
from ..report import LoginError
from ..report import Observe
from ..secret import Secret
from .delivery import Delivery
from .endpoint import Endpoint
from .opening import Opening
from .session import Session
from .states import Chunking

# Seconds: a server that has refused a login would refuse it again, and lock the account in the end.
_LOGIN_PAUSE = 60.0


class Pool:
    """Lends sessions. Safe with threads, with gevent, over a fork and at the interpreter's exit.

    :param server: Where to connect, and how.
    :param size: The most connections at one time, in this process.
    :param idle: Seconds for which an idle one is kept.
    """

    def __init__(self, server: Endpoint, size: int, idle: float) -> None:
        self.server = server
        self.size = size
        self.idle = idle
        self._chunking = True
        """Whether BDAT may be tried: the server has not refused it."""
        self._refused_login: LoginError | None = None
        self._login_again = 0.0
        self._own: OwnSlots[Session] = OwnSlots(size, idle)

    @contextlib.contextmanager
    def session(self, delivery: Delivery, observe: Observe) -> Iterator[Session]:
        """Lend a session, within the delivery's time.

        :raises DeferredError: if there is none.
        """
        slots, keep = self._own.here(), True
        turn: Turn[Session] = Turn(fresh=delivery.repeated)
        try:
            slots.enter(turn)
            while turn.session is None:
                if not turn.wait(delivery.deadline.remaining()):
                    raise self._too_late(slots, delivery.deadline)
                if turn.session is None:
                    self._open(slots, turn, delivery, observe)
            yield turn.session
        except DeferredError:  # the server requires a login, for the next message too
            keep = False
            raise
        finally:
            if turn.session is not None and turn.session.chunking is Chunking.REFUSED:
                self._chunking = False
            slots.leave(turn, keep)

    def close(self) -> None:
        """Close all connections that are idle. The pool may be used again."""
        self._own.here().close()

    def _too_late(self, slots: Slots[Session], deadline: Deadline) -> ConnectError:
        advice = "Set MAIL_POOL_SIZE higher, if the server allows it."
        if slots.most < self.size:
            advice = "A short while ago more were too many for the server."
        return ConnectError(
            f"No connection to {self.server} within {round(deadline.allowed, 1):g} s:"
            f" {len(slots.busy)} of {slots.most} are in use by others. {advice}",
            phase=Phase.CONNECT,
        )

    def _open(
        self, slots: Slots[Session], turn: Turn[Session], delivery: Delivery, observe: Observe
    ) -> None:
        """Open a connection for *turn*, or put it back to the head of the line if the server has
        too many of ours already."""
        if refused := self._login_pause():
            raise _again(refused)
        deadline = delivery.deadline.within(self.server.connect_timeout)

        def attempt(token: Secret | None) -> tuple[Opening, DeferredError | None]:
            opening = Opening(
                self.server, deadline, lambda phase: observe(phase, delivery.job), token=token
            )
            try:
                opening.run()
            except DeferredError as error:
                return opening, error
            return opening, None

        opening, error = attempt(None)
        if error is not None and (token := opening.fresh_token()):
            opening, error = attempt(token)
        if error is None:
            turn.session = Session(self.server, opening, chunking=self._chunking)
            self._refused_login = None
        elif not (opening.crowded and slots.shrink(turn)):
            if isinstance(error, LoginError) and opening.login_refused:
                self._refused_login = _again(error)
                self._login_again = time.monotonic() + _LOGIN_PAUSE
            raise error

    def _login_pause(self) -> LoginError | None:
        """Return the error of the last login if it need not be tried again yet."""
        return self._refused_login if time.monotonic() < self._login_again else None

    def __repr__(self) -> str:
        login = ", login refused" if self._login_pause() else ""
        return f"<Pool {self.server} of {self.size}: {self._own}{login}>"


def _again(error: LoginError) -> LoginError:
    """Return the same error without its traceback, which knows the caller that met it."""
    return LoginError(str(error), phase=error.phase, temporary=error.temporary)
