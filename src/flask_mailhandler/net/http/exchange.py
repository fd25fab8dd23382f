"""One request on a connection, and how far it came if there is no response."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable

from ...phase import Phase
from ..deadline import Deadline
from .connection import connect
from .connection import Connection
from .connection import Progress
from .connection import verifying_context
from .request import Request
from .response import Response
from .response import ResponseError

if t.TYPE_CHECKING:
    import ssl

MAX_RESPONSE = 1 << 20


class NoResponseError(Exception):
    """There is no usable response.

    :param reason: In a few words of our own, without anything that was sent or received.
    :param phase: How far the request came: :attr:`.Phase.CONNECT`, ``TLS``, ``CONTENT``, or
        ``END_OF_DATA`` if all of it was written.
    :param temporary: Whether a later attempt may succeed.
    """

    def __init__(self, reason: str, phase: Phase, *, temporary: bool = True) -> None:
        super().__init__(reason)
        self.phase = phase
        self.temporary = temporary

    @property
    def perhaps_taken(self) -> bool:
        """Whether the server may have the whole request. If not, repeating it is safe."""
        return self.phase >= Phase.END_OF_DATA


def send(
    request: Request,
    deadline: Deadline,
    *,
    tls_context: ssl.SSLContext | None = None,
    max_response: int = MAX_RESPONSE,
    step: Callable[[Phase], object] = lambda phase: None,
) -> Response:
    """Send one request over a connection of its own, and return the response, whatever its status.

    .. code-block:: python

        response = send(Request("GET", url, headers={"Connection": "close"}), Deadline(25))

    :param deadline: For everything except resolving the name, to the end of the response.
    :param tls_context: For ``https``; :func:`.verifying_context` if it is left out.
    :param max_response: The most octets of the response's body.
    :param step: Called with each phase before it begins; with :attr:`.Phase.END_OF_DATA` before
        the last octets are written.
    :raises NoResponseError: if there is no complete response, or if the server reports success
        before it has the whole request.
    """
    progress = Progress(step)
    connection = open_connection(
        request, lambda: tls_context or verifying_context(), deadline, progress
    )
    with contextlib.closing(connection):
        return exchange(connection, request, deadline, progress, max_response)


def open_connection(
    request: Request,
    tls_context: Callable[[], ssl.SSLContext],
    deadline: Deadline,
    progress: Progress,
) -> Connection:
    """Open a connection for a request.

    :raises NoResponseError: if there is none.
    """
    try:
        return connect(request.url, tls_context, deadline, progress)
    except OSError as error:
        reason, temporary = _reason(error), not hasattr(error, "verify_message")
    # Not in the handler: the error would keep the frames of the other one as its context.
    raise NoResponseError(reason, progress.phase, temporary=temporary)


def exchange(
    connection: Connection,
    request: Request,
    deadline: Deadline,
    progress: Progress,
    max_response: int = MAX_RESPONSE,
) -> Response:
    """Send a request over a connection.

    :raises NoResponseError: see :func:`send`.
    """
    try:
        response = connection.exchange(request, deadline, progress, max_response)
    except (OSError, ResponseError) as error:
        reason = _reason(error)
    except BaseException as error:
        raise error.with_traceback(None) from None
    else:
        if response.whole or response.status >= 400:
            return response
        reason = f"it answered {response.status} before it had the whole request."
    raise NoResponseError(reason, progress.phase)


def _reason(error: Exception) -> str:
    """Return in our own words what failed; no word is the server's."""
    if isinstance(error, TimeoutError):
        return "no response within the time allowed."
    if verify := getattr(error, "verify_message", ""):
        return f"its certificate was not accepted: {verify.rstrip('.')}."
    said = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error)
    return f"{str(said).rstrip('.')}."
