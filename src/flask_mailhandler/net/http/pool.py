"""The connections of one handler: lent, and opened if there is none to lend."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from ...phase import Phase
from ..deadline import Deadline
from ..slots import OwnSlots
from ..slots import Turn
from .connection import Connection
from .connection import Progress
from .exchange import exchange
from .exchange import NoResponseError
from .exchange import open_connection
from .request import Request
from .response import Response

if t.TYPE_CHECKING:
    import ssl


class Pool:
    """Sends requests to one server. Safe with threads, with gevent, over a fork and at the
    interpreter's exit.

    .. code-block:: python

        pool = Pool(ssl.create_default_context, size=2, idle=5)
        response = pool.send(request, Deadline(25))

    :param tls_context: Returns the context for ``https``.
    :param size: The most connections at one time, in this process.
    :param idle: Seconds for which an idle one is kept.
    :param connect_timeout: Seconds for opening a connection.
    """

    def __init__(
        self,
        tls_context: Callable[[], ssl.SSLContext],
        size: int,
        idle: float,
        connect_timeout: float = 10.0,
    ) -> None:
        self._tls_context = tls_context
        self._connect_timeout = connect_timeout
        self._own: OwnSlots[Connection] = OwnSlots(size, idle)

    def send(
        self,
        request: Request,
        deadline: Deadline,
        *,
        step: Callable[[Phase], object] = lambda phase: None,
    ) -> Response:
        """Send a request and return the response, whatever its status.

        If a connection that had been idle dies, or brings a response, before it has the whole
        request, the request is sent once more, over a new one.

        :param deadline: For everything, from the wait for a connection to the end of the response.
        :param step: See :func:`.exchange.send`.
        :raises NoResponseError: see :func:`.exchange.send`.
        """
        response = self._attempt(request, deadline, step, fresh=False)
        return response or t.cast(Response, self._attempt(request, deadline, step, fresh=True))

    def close(self) -> None:
        """Close all connections that are idle. The pool may be used again."""
        self._own.here().close()

    def _attempt(
        self,
        request: Request,
        deadline: Deadline,
        step: Callable[[Phase], object],
        *,
        fresh: bool,
    ) -> Response | None:
        """Return the response, or None if the request should be sent over a fresh connection."""
        progress = Progress(step)
        with self._lent(request, deadline, progress, fresh=fresh) as connection:
            used = connection.used
            try:
                response = exchange(connection, request, deadline, progress)
            except NoResponseError as error:
                if used and not error.perhaps_taken and deadline.remaining():
                    return None
                raise
        # On a used connection it may be about another request, or about none, such as a 408
        # (RFC 9112 section 9.2).
        return None if used and not response.whole else response

    @contextlib.contextmanager
    def _lent(
        self, request: Request, deadline: Deadline, progress: Progress, *, fresh: bool
    ) -> Iterator[Connection]:
        slots = self._own.here()
        turn: Turn[Connection] = Turn(fresh=fresh)
        try:
            slots.enter(turn)
            if not turn.wait(deadline.remaining()):
                raise NoResponseError(
                    f"all {slots.most} connections are in use by others. Set MAIL_POOL_SIZE"
                    " higher, if the server allows it.",
                    Phase.CONNECT,
                )
            if turn.session is None:
                turn.session = open_connection(
                    request,
                    self._tls_context,
                    deadline.within(self._connect_timeout),
                    progress,
                )
            yield turn.session
        finally:
            slots.leave(turn, True)

    def __repr__(self) -> str:
        return f"<Pool {self._own}>"
