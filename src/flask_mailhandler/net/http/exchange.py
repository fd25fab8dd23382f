"""One request on a connection, and how far it came if there is no answer."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Callable

from ...phase import Phase
from ..deadline import Deadline
from .answer import Answer
from .answer import AnswerError
from .connection import connect
from .connection import Connection
from .connection import Progress
from .connection import verifying_context
from .request import Request

if t.TYPE_CHECKING:
    import ssl

MAX_ANSWER = 1 << 20


class NoAnswerError(Exception):
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
    max_answer: int = MAX_ANSWER,
    step: Callable[[Phase], object] = lambda phase: None,
) -> Answer:
    """Send one request over a connection of its own, and return the response, whatever its status.

    .. code-block:: python

        answer = send(Request("GET", url, headers={"Connection": "close"}), Deadline(25))

    :param deadline: For everything, from resolving the name to the end of the response.
    :param tls_context: For ``https``; :func:`.verifying_context` if it is left out.
    :param max_answer: The most octets of the response's body.
    :param step: Called with each phase before it begins; with :attr:`.Phase.END_OF_DATA` before
        the last octets are written.
    :raises NoAnswerError: if there is no complete response, or if the server reports success before
        it has the whole request.
    """
    progress = Progress(step)
    connection = open_connection(
        request, lambda: tls_context or verifying_context(), deadline, progress
    )
    with contextlib.closing(connection):
        return exchange(connection, request, deadline, progress, max_answer)


def open_connection(
    request: Request,
    tls_context: Callable[[], ssl.SSLContext],
    deadline: Deadline,
    progress: Progress,
) -> Connection:
    """Open a connection for a request.

    :raises NoAnswerError: if there is none.
    """
    try:
        return connect(request.url, tls_context, deadline, progress)
    except OSError as error:
        reason, temporary = _reason(error), not hasattr(error, "verify_message")
    # Not in the handler: the error would keep the frames of the other one as its context.
    raise NoAnswerError(reason, progress.phase, temporary=temporary)


def exchange(
    connection: Connection,
    request: Request,
    deadline: Deadline,
    progress: Progress,
    max_answer: int = MAX_ANSWER,
) -> Answer:
    """Send a request over a connection.

    :raises NoAnswerError: see :func:`send`.
    """
    try:
        answer = connection.exchange(request, deadline, progress, max_answer)
    except (OSError, AnswerError) as error:
        reason = _reason(error)
    except BaseException as error:
        raise error.with_traceback(None) from None
    else:
        if answer.whole or answer.status >= 400:
            return answer
        reason = f"it answered {answer.status} before it had the whole request."
    raise NoAnswerError(reason, progress.phase)


def _reason(error: Exception) -> str:
    """Return in our own words what failed; no word is the server's."""
    if isinstance(error, TimeoutError):
        return "no answer within the time allowed."
    if verify := getattr(error, "verify_message", ""):
        return f"its certificate was not accepted: {verify.rstrip('.')}."
    said = getattr(error, "reason", "") or getattr(error, "strerror", "") or str(error)
    return f"{str(said).rstrip('.')}."
