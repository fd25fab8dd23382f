"""One HTTP/1.1 request (RFC 9112), limited in time and size, that shows no secret.

::

    connect ── TLS ── content ── end of data ── answer
    └──── the server cannot have it ────┘└─ it may ─┘

The last octets of a request are held back until all others are written, so that a server that
has not been given them has no complete request. No redirection is followed, no proxy is used, and
no request is repeated.

What the standard library raises is not passed on: its frames hold what was sent and received.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import io
import re
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
from .hosts import is_loopback

# Without so many of its last octets no JSON, form, multipart or header block is complete.
_HELD_BACK = 64
# A write is cut into pieces of this size: a TLS socket starts its time-out anew for every record.
_WRITE = 1 << 14
_MAX_ANSWER = 1 << 20
# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2, and section 5.5 without octets above 127
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[ -~]*")


@dataclasses.dataclass(frozen=True)
class Answer:
    """A server's response."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; several of one name are joined with a comma."""
    body: bytes = dataclasses.field(repr=False)


class NoAnswerError(Exception):
    """A request that got no usable response.

    :param reason: In a few words of our own; nothing that was sent or received is in it.
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


def split(url: str) -> urllib.parse.SplitResult:
    """Take a URL apart that a request can be sent to.

    :raises ValueError: if it has no host, or has a user name, a fragment, or characters that a URL
        cannot have. The URL is not in the error, because it may hold a secret.
    """
    wrong = ValueError("not a URL that a request can be sent to")
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")  # as connecting does
        usable = bool(host) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or not re.fullmatch("[!-~]+", url) or re.search("[@#]", url):
        raise wrong
    return parts


def is_private(url: urllib.parse.SplitResult) -> bool:
    """Return whether a secret may be sent there: by ``https``, or within this machine."""
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or ""))


def verifying_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that verifies the server's certificate.

    :param ca_file: The certificates to trust (PEM), instead of the system's authorities.
    """
    context = ssl.create_default_context(cafile=ca_file)
    # https://www.rfc-editor.org/rfc/rfc9525#section-6.3: only a subjectAltName counts
    context.hostname_checks_common_name = False
    return context


def request(
    method: str,
    url: urllib.parse.SplitResult,
    *,
    headers: Mapping[str, str | Secret],
    body: bytes | Secret | Iterable[bytes] = b"",
    size: int | None = None,
    deadline: Deadline,
    tls_context: ssl.SSLContext | None = None,
    max_answer: int = _MAX_ANSWER,
    step: Callable[[Phase], object] = lambda phase: None,
) -> Answer:
    """Send one request and return the response, whatever its status.

    :param url: As :func:`split` returns it.
    :param headers: Besides Host, Content-Length and Connection, which are added.
    :param body: The octets, or pieces of them.
    :param size: The number of octets, if *body* comes in pieces.
    :param deadline: For everything, from resolving the name to the end of the response.
    :param tls_context: For ``https``; :func:`verifying_context` if it is left out.
    :param max_answer: The most octets of the response's body.
    :param step: Called with each phase before it begins; with :attr:`.Phase.END_OF_DATA` before
        the last octets are written.
    :raises NoAnswerError: if there is no complete response, or if the server claims success
        before it has the whole request.
    :raises ValueError: if a header or the size is wrong.
    """
    head = _head(method, url, headers, _size_of(body, size))
    exchange = _Exchange(deadline, step)
    try:
        with exchange.connected(url, tls_context):
            exchange.write(head, [body] if isinstance(body, bytes | Secret) else body)
            answer = exchange.read(method, max_answer)
    except (OSError, http.client.HTTPException) as error:
        reason, temporary = _reason(error), not hasattr(error, "verify_message")
    except BaseException as error:
        raise error.with_traceback(None) from None
    else:
        if exchange.whole or answer.status >= 400:
            return answer
        reason, temporary = f"it answered {answer.status} before it had the whole request.", True
    # Not in the handler: the error would keep the frames of the other one as its context.
    raise NoAnswerError(reason, exchange.phase, temporary=temporary)


class _Exchange:
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
        """Connect, and encrypt the connection for ``https``."""
        self._enter(Phase.CONNECT)
        encrypted, host = url.scheme == "https", url.hostname or ""
        port = url.port or (443 if encrypted else 80)
        with contextlib.ExitStack() as stack:
            self._sock = stack.enter_context(
                contextlib.closing(_connect(host, port, self.deadline))
            )
            if encrypted:
                self._enter(Phase.TLS)
                context = tls_context or verifying_context()
                self._sock.settimeout(_left(self.deadline))
                # A dot at the end is no part of the name in a certificate (RFC 6066 section 3).
                name = host.removesuffix(".")
                self._sock = stack.enter_context(
                    context.wrap_socket(self._sock, server_hostname=name)
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
            if not self._has_answered():  # often the server has said why
                raise

    def read(self, method: str, most: int) -> Answer:
        """Read the response."""
        received = _Received(self._sock, self.deadline, self._early)
        # Not by an HTTPConnection: an app may have set its debuglevel, which prints the head.
        response = http.client.HTTPResponse(t.cast(socket.socket, received), method=method)
        response.begin()
        if received.ended:  # the library takes a head that is cut for a whole one
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
        self._sock.settimeout(_left(self.deadline))
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


class _Received(io.RawIOBase):
    """What a socket receives until the deadline. The time-out of a socket alone would begin anew
    with every octet.

    :param sock: Connected.
    :param early: What has been received already.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, early: bytes) -> None:
        self._sock = sock
        self._deadline = deadline
        self._early = early
        self.ended: bool = False
        """Whether the other side has closed."""

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return what a response reads from; it asks its socket for this."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any) -> int:
        if self._early:
            taken, self._early = self._early[: len(buffer)], self._early[len(buffer) :]
            buffer[: len(taken)] = taken
            return len(taken)
        self._sock.settimeout(_left(self._deadline))
        received = self._sock.recv_into(buffer)
        self.ended = not received
        return received


def _size_of(body: bytes | Secret | Iterable[bytes], size: int | None) -> int:
    if isinstance(body, Secret):
        return len(body.octets())
    if isinstance(body, bytes):
        return len(body)
    if size is None:
        raise ValueError("a body that comes in pieces needs a size")
    return size


def _head(
    method: str,
    url: urllib.parse.SplitResult,
    headers: Mapping[str, str | Secret],
    size: int,
) -> Secret:
    """The request line and the header fields (RFC 9112 sections 3 and 5)."""
    target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
    fields: dict[str, str | Secret] = {"Accept-Encoding": "identity"}
    if size or method not in ("GET", "HEAD", "DELETE"):
        fields["Content-Length"] = str(size)
    fields |= {**headers, "Connection": "close", "Host": url.netloc}
    for name, value in fields.items():  # all of them before a local variable holds a secret
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(Secret(value).octets()):
            raise ValueError(f"the header {name!r} has characters that a request cannot have")
    lines = [b"%s: %s" % (name.encode(), Secret(value).octets()) for name, value in fields.items()]
    return Secret(b"\r\n".join([f"{method} {target} HTTP/1.1".encode(), *lines, b"", b""]))


def _left(deadline: Deadline) -> float:
    left = deadline.remaining()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers. Each gets an equal share of the time left, so
    that an address that does not answer leaves some to the others."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failed: OSError = TimeoutError()
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        try:
            with contextlib.ExitStack() as undone:
                sock = undone.enter_context(socket.socket(family, kind, protocol))
                sock.settimeout(_left(deadline) / (len(addresses) - number))
                sock.connect(address)
                # A request is more than one write.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(_left(deadline))
                undone.pop_all()
                return sock
        except OSError as error:  # such as an address family that this machine does not have
            failed = error
    raise failed


def _reason(error: Exception) -> str:
    """Say in our own words what failed; none of them is the server's."""
    if isinstance(error, TimeoutError):
        return "no answer within the time allowed."
    if not isinstance(error, OSError):
        return f"its answer is not HTTP, or broke off ({type(error).__name__})."
    if verify := getattr(error, "verify_message", ""):
        return f"its certificate was not accepted: {verify.rstrip('.')}."
    said = getattr(error, "reason", "") or error.strerror or str(error)
    return f"{str(said).rstrip('.')}."
