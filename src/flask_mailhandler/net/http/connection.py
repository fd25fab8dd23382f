"""One connection: a request is written and its response is read, one after the other.

Everything here ends at the deadline, and raises the errors of the standard library.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable
from collections.abc import Mapping

from ...phase import Phase
from ...secret import Secret
from ..deadline import Deadline
from ..received import left
from ..tcp import create_connection
from .request import Request
from .response import final_begins
from .response import read_response
from .response import Response

# Without so many of its last octets no JSON, form, multipart or header block is complete.
_HELD_BACK = 64
# A write is cut into pieces of this size: a TLS socket starts its time-out anew for every record.
_WRITE = 1 << 14


class Progress:
    """How far a request has come.

    :param step: Called with each phase before it begins.
    """

    def __init__(self, step: Callable[[Phase], object] = lambda phase: None) -> None:
        self.phase: Phase = Phase.CONNECT
        self._step = step

    def enter(self, phase: Phase) -> None:
        """Begin a phase."""
        self.phase = phase
        self._step(phase)


class Connection:
    """A connection that is ready for a request.

    :param sock: Connected, and encrypted if it has to be.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pid = os.getpid()
        self._open = True
        self._busy = False
        self._until = float("inf")
        """When the server closes an idle connection, by its own account."""
        self.used: bool = False
        """Whether a request has been answered on it."""
        self.heard: float = time.monotonic()

    @property
    def idle(self) -> bool:
        """Whether another request may be sent. Not in a child of a fork: it is its parent's."""
        return self._open and not self._busy and self._pid == os.getpid()

    def is_quiet(self) -> bool:
        """Return whether the server is still there and has sent nothing unasked, as far as can be
        seen without waiting."""
        return time.monotonic() < self._until and self._received_now() is None

    def close(self) -> None:
        """Close the connection."""
        self._open = False
        with contextlib.suppress(OSError):
            self._sock.close()

    abandon = close

    def exchange(
        self, request: Request, deadline: Deadline, progress: Progress, most: int
    ) -> Response:
        """Write a request, unless the server answers before its end, and read the response.

        :param most: The most octets of the response's body.
        :raises ResponseError: if the response cannot be used.
        :raises OSError: if the connection breaks, or at the deadline.
        """
        self._busy = True
        try:
            early = self._write(request, deadline, progress)
            whole = progress.phase is Phase.END_OF_DATA
            response, reusable = read_response(
                lambda: self._receive(deadline), early, request.method, most, whole=whole
            )
        except BaseException:
            self.close()
            raise
        self._busy, self.used = False, True
        if reusable:
            self._until = _closed_by_server(response.headers)
        else:
            self.close()
        return response

    def _write(self, request: Request, deadline: Deadline, progress: Progress) -> bytes:
        """Write the request. Return what was received before all of it was written."""
        progress.enter(Phase.CONTENT)
        held, early = request.head.octets(), b""
        try:
            for piece in request.pieces():
                held += piece.octets() if isinstance(piece, Secret) else piece
                start = 0
                while len(held) - start > _WRITE:
                    answered, early = self._has_answered(early)
                    if answered:
                        return early
                    end = start + _WRITE - _HELD_BACK
                    self._send(held[start:end], deadline)
                    start = end
                held = held[start:]
            progress.enter(Phase.END_OF_DATA)
            # After what the app does at this phase: the server may have closed meanwhile.
            answered, early = self._has_answered(early)
            if answered:
                progress.phase = Phase.CONTENT
                return early
            self._send(held, deadline)
        except OSError as error:
            if error.errno is None and deadline.remaining():
                raise  # a signal handler of the app raised it, perhaps after the last octets
            progress.phase = Phase.CONTENT  # the kernel did not take all of it
            if isinstance(error, TimeoutError):
                raise
            answered, early = self._has_answered(early)
            if not answered:  # often the server has answered why
                raise
        return early

    def _send(self, octets: bytes, deadline: Deadline) -> None:
        self._sock.settimeout(left(deadline))
        self._sock.sendall(octets)

    def _receive(self, deadline: Deadline) -> bytes:
        self._sock.settimeout(left(deadline))
        received = self._sock.recv(_WRITE)
        self.heard = time.monotonic()
        return received

    def _received_now(self) -> bytes | None:
        """Return what can be received without waiting, None if the server is silent, and no octets
        if the connection has ended."""
        try:
            self._sock.settimeout(0)
            return self._sock.recv(_WRITE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:
            return b""

    def _has_answered(self, early: bytes) -> tuple[bool, bytes]:
        """See, without waiting, whether the server has answered or closed. An interim response,
        such as 100, is neither."""
        received = self._received_now()
        if received is None:
            return False, early
        final, early = final_begins(early + received)
        return final or not received, early


def _closed_by_server(headers: Mapping[str, str]) -> float:
    """Return when the server will close the idle connection. Some announce it, and a request that
    meets the closing would have an unknown outcome."""
    found = re.search(r"\btimeout=([0-9]{1,6})\b", headers.get("keep-alive", ""))
    return time.monotonic() + int(found[1]) - 1 if found else float("inf")


def connect(
    url: urllib.parse.SplitResult,
    tls_context: Callable[[], ssl.SSLContext],
    deadline: Deadline,
    progress: Progress,
) -> Connection:
    """Connect, and encrypt the connection for ``https``.

    :raises OSError: as the socket does, ``ssl.SSLError`` among them.
    """
    progress.enter(Phase.CONNECT)
    encrypted = url.scheme == "https"
    host = url.hostname or ""
    with contextlib.ExitStack() as undone:
        sock = create_connection(host, url.port or (443 if encrypted else 80), deadline)
        undone.callback(sock.close)
        if encrypted:
            progress.enter(Phase.TLS)
            sock.settimeout(left(deadline))
            # A dot at the end is not part of the name in a certificate (RFC 6066 section 3).
            sock = tls_context().wrap_socket(sock, server_hostname=host.removesuffix("."))
            undone.callback(sock.close)
        undone.pop_all()
    return Connection(sock)


def verifying_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies the server's certificate.

    :param ca_file: The certificates to trust (PEM), instead of the system's authorities.
    """
    context = ssl.create_default_context(cafile=ca_file)
    # https://www.rfc-editor.org/rfc/rfc9525#section-6.3: only a subjectAltName counts
    context.hostname_checks_common_name = False
    return context
