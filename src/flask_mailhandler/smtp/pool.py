"""The connections of one handler: lent, and opened where there is none to lend."""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator

from ..net.deadline import Deadline
from ..phase import Phase
from ..report import ConnectError
from ..report import DeferredError
from ..report import LoginError
from ..report import Observe
from ..secret import Secret
from .delivery import Delivery
from .endpoint import Server
from .opening import Opening
from .session import Session
from .slots import again
from .slots import Places
from .slots import Turn


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
        self._holder = [Places(size, idle)]
        # At exit, or when nobody has the pool any more.
        weakref.finalize(self, _end, self._holder)

    @property
    def _places(self) -> Places:
        (places,) = self._holder
        if places.pid != os.getpid():
            places.abandon()
            # In one step, so that two threads of a child take the same one.
            places = self._own_places(places)
        return places

    def _own_places(self, inherited: Places) -> Places:
        own = Places(self.size, self.idle)
        own.login, own.chunking = inherited.login, inherited.chunking
        if self._holder[0] is inherited:
            self._holder[0] = own
        return self._holder[0]

    @contextlib.contextmanager
    def session(self, delivery: Delivery, observe: Observe) -> Iterator[Session]:
        """Lend a session, within the delivery's time.

        :raises DeferredError: if none can be had.
        """
        places, turn, keep = self._places, Turn(fresh=delivery.repeated), True
        try:
            yield self._lend(places, turn, delivery, observe)
        except DeferredError:  # it wants a login, and would want it of the next message too
            keep = False
            raise
        finally:
            places.leave(turn, keep and self._holder[0] is places)

    def close(self) -> None:
        """Close all connections that are idle. The pool may be used again."""
        self._places.close()

    def _lend(self, places: Places, turn: Turn, delivery: Delivery, observe: Observe) -> Session:
        places.enter(turn)
        while turn.session is None:
            if not turn.wait(delivery.deadline.remaining()):
                raise self._too_late(places, delivery.deadline)
            if turn.session is None:
                self._open(places, turn, delivery, observe)
        return turn.session

    def _too_late(self, places: Places, deadline: Deadline) -> ConnectError:
        advice = "Set MAIL_POOL_SIZE higher, if the server allows it."
        if places.most < self.size:
            advice = "A short while ago more were too many for the server."
        return ConnectError(
            f"No connection to {self.server} within {round(deadline.allowed, 1):g} s:"
            f" {len(places.busy)} of {places.most} are in use by others. {advice}",
            phase=Phase.CONNECT,
        )

    def _open(self, places: Places, turn: Turn, delivery: Delivery, observe: Observe) -> None:
        """Open a connection for *turn*, or put it back to the head of the line if the server has
        too many of us already."""
        if refused := places.login_refused:
            raise again(refused)
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
            turn.session = Session(self.server, opening, chunking=places.chunking)
            places.login = None
        elif not (opening.crowded and places.shrink(turn)):
            if isinstance(error, LoginError) and opening.login_refused:
                places.refuse_login(error)
            raise error

    def __repr__(self) -> str:
        return f"<Pool {self.server} of {self.size}: {self._holder[0]}>"


def _end(holder: list[Places]) -> None:
    holder[0].keep = -1.0  # what is lent still is closed when it comes back
    holder[0].close()
