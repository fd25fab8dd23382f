"""The connection of one HTTP request: what is written to it, and what is read.

Everything here ends at the deadline, and raises the errors of the standard library.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import socket
import ssl
import typing as t
import urllib.parse
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping

from ..phase import Phase
from ..secret import Secret
from .deadline import Deadline
from .received import left
from .received import Received

# Without so many of its last octets no JSON, form, multipart or header block is complete.
_HELD_BACK = 64
# A write is cut into pieces of this size: a TLS socket starts its time-out anew for every record.
_WRITE = 1 << 14


@dataclasses.dataclass(frozen=True)
class Answer:
    """A server's response."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; several of one name are joined with a comma."""
    body: bytes = dataclasses.field(repr=False)


class Exchange:
    """The connection of one request."""

    def __init__(self, deadline: Deadline, step: Callable[[Phase], object]) -> None:
        self.phase: Phase = Phase.CONNECT
        self.deadline = deadline
        self._step = step
        self._sock: socket.socket
        self._early = b""
        """Received before all was written."""

    @property
    def whole(self) -> bool:
        """Whether all of the request was written."""
        return self.phase is Phase.END_OF_DATA

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._step(phase)

    @contextlib.contextmanager
    def connected(
        self, url: urllib.parse.SplitResult, tls_context: ssl.SSLContext | None
    ) -> Iterator[None]:
        """Connect, and encrypt the connection if there is a context for it."""
        self._enter(Phase.CONNECT)
        host = url.hostname or ""
        port = url.port or (443 if tls_context else 80)
        with contextlib.ExitStack() as stack:
            self._sock = stack.enter_context(
                contextlib.closing(_connect(host, port, self.deadline))
            )
            if tls_context is not None:
                self._enter(Phase.TLS)
                self._sock.settimeout(left(self.deadline))
                # A dot at the end is not part of the name in a certificate (RFC 6066 section 3).
                name = host.removesuffix(".")
                self._sock = stack.enter_context(
                    tls_context.wrap_socket(self._sock, server_hostname=name)
                )
            yield

    def write(self, head: Secret, body: Iterable[bytes | Secret]) -> None:
        """Write the request, unless the server answers before its end."""
        self._enter(Phase.CONTENT)
        held = head.octets()
        try:
            for piece in body:
                held += piece.octets() if isinstance(piece, Secret) else piece
                for start in range(0, len(held) - _HELD_BACK, _WRITE):
                    if self._has_answered():
                        return
                    self._send(held[start : min(start + _WRITE, len(held) - _HELD_BACK)])
                held = held[-_HELD_BACK:]
            if self._has_answered():
                return
            self._enter(Phase.END_OF_DATA)
            self._send(held)
        except TimeoutError:
            self.phase = Phase.CONTENT
            raise
        except OSError:
            self.phase = Phase.CONTENT  # the kernel did not take all of it
            if not self._has_answered():  # often the server has answered why
                raise

    def read(self, method: str, most: int) -> Answer:
        """Read the response."""
        received = Received(self._sock, self.deadline, self._early)
        # Not by an HTTPConnection: an app may have set its debuglevel, which prints the head.
        response = http.client.HTTPResponse(t.cast(socket.socket, received), method=method)
        response.begin()
        if received.ended:  # the library accepts a head that is cut off
            raise ConnectionError("its answer broke off")
        body = response.read(most + 1)
        if len(body) > most:
            raise OSError(f"its answer is longer than {most} octets; check the URL")
        if response.length:
            raise ConnectionError("its answer broke off")
        headers: dict[str, str] = {}
        for name, value in response.getheaders():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        return Answer(response.status, headers, body)

    def _send(self, octets: bytes) -> None:
        self._sock.settimeout(left(self.deadline))
        self._sock.sendall(octets)

    def _has_answered(self) -> bool:
        """See, without waiting, whether the server has answered or closed."""
        try:
            self._sock.settimeout(0)
            self._early += self._sock.recv(_WRITE)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:  # reading the answer fails in the same way
            return bool(self._early)
        return True


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers. Each gets an equal share of the time left, so
    that an address that does not answer leaves some to the others."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failed: OSError = TimeoutError()
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            with contextlib.ExitStack() as undone:
                sock = undone.enter_context(socket.socket(family, kind, protocol))
                sock.settimeout(left(deadline) / (len(addresses) - number))
                sock.connect(address)
                # A request is more than one write.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(left(deadline))
                undone.pop_all()
                return sock
        except OSError as error:  # such as an address family that this machine does not have
            failed = error
    raise failed
