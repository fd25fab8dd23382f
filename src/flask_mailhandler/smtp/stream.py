"""A socket with a deadline: lines in, octets out, TLS in between."""

from __future__ import annotations

import collections
import contextlib
import socket
import time
import typing as t

from ..net.deadline import Deadline
from ..secret import Secret

if t.TYPE_CHECKING:
    import ssl

# RFC 5321 section 4.5.3.1.5 limits a reply line to 512 octets; some servers send more.
MAX_LINE = 4096
_READ = 1 << 16
# A write is cut into pieces of this size, and the deadline is checked between them: a TLS socket
# starts its time-out anew for every record, and this is the largest one.
_WRITE = 1 << 14
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class StreamError(Exception):
    """The stream cannot be used any more."""

    given: int = 0
    """If a write failed: how many of its octets the kernel has taken."""


class LostError(StreamError):
    """The other side has closed or reset the connection."""


class TimedOutError(StreamError):
    """The deadline has passed."""


class ProtocolError(StreamError):
    """The other side does not speak SMTP, or not correctly."""


def _mapped(error: OSError, given: int = 0) -> StreamError:
    """Turn a socket's error into a StreamError. This is the only place that does."""
    found: StreamError
    if isinstance(error, TimeoutError):
        found = TimedOutError("no answer within the time allowed")
    else:  # ssl.SSLError is one
        found = LostError(f"the connection was lost ({_reason(error)})")
    found.given = given
    return found


def _reason(error: OSError) -> str:
    return (getattr(error, "reason", "") or error.strerror or str(error) or "closed").strip()


class Stream:
    """A connected socket. Every read and write ends at :attr:`deadline`.

    :param deadline: May be set anew at any time.
    """

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self.lines: collections.deque[bytes] = collections.deque()  # whole, and not yet read
        self._rest = b""
        self._would_block: tuple[type[OSError], ...] = (BlockingIOError,)
        self._waits = True
        self._wrote = False
        self.deadline = deadline
        self.closed: bool = False
        self.heard: float = time.monotonic()
        """When something was last received, on the monotonic clock."""

    @property
    def buffered(self) -> bool:
        """Whether octets have been received that are not yet read."""
        return bool(self.lines or self._rest)

    @property
    def local_address(self) -> str:
        """The IP address of this end."""
        return str(self._sock.getsockname()[0])

    @property
    def peer_address(self) -> str:
        """The IP address of the other end."""
        return str(self._sock.getpeername()[0])

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The encrypted socket, if the stream is encrypted."""
        return t.cast("ssl.SSLSocket", self._sock) if hasattr(self._sock, "getpeercert") else None

    def read_line(self) -> bytes:
        """Return the next line without its line end, CRLF or a lone LF.

        :raises StreamError: if there is none.
        """
        while not self.lines and len(self._rest) < MAX_LINE:
            self._receive()
        line = self.lines.popleft() if self.lines else self._rest
        if len(line) >= MAX_LINE:
            raise ProtocolError(f"a reply line is longer than {MAX_LINE} octets")
        return line.removesuffix(b"\r")

    def skip_lines(self, line: bytes, most: int) -> int:
        """Skip the next lines that are here and equal *line*, and return how many those were."""
        lines, alike, before = self.lines, line + b"\r", len(self.lines)
        while lines and before - len(lines) < most and lines[0] == alike:
            lines.popleft()
        return before - len(lines)

    def write(self, data: bytes | Secret) -> None:
        """Write all of *data*.

        :raises StreamError: if the kernel has not taken all of it.
        """
        given = 0
        self._wrote = True
        try:
            if isinstance(data, Secret):
                self._wait()
                return _send_secret(self._sock, data)
            while given < len(data):
                self._left()
                piece = data[given : given + _WRITE]
                # With a time-out, Python asks before each write whether there is room: 2 µs.
                self._do_not_wait()
                try:
                    # If a TLS record is not written whole, the other side has nothing of it.
                    sent = self._sock.send(piece)
                except self._would_block:
                    sent = 0
                if not sent:  # a TLS socket of gevent returns 0 if it would block
                    self._wait()
                given += sent or self._sock.send(piece)
        except OSError as error:
            raise _mapped(error, given) from error
        except StreamError as error:
            error.given = given
            raise

    def check_quiet(self) -> None:
        """Check, without waiting, that the other side is there and has sent nothing unasked.

        :raises LostError: if it has closed, or has sent something, which can then be read.
        """
        if not (self.lines or self._rest):
            try:
                self._do_not_wait()
                data = self._sock.recv(_READ)
            except self._would_block:
                return
            except OSError as error:
                raise _mapped(error) from error
            self._take(data)
        raise LostError("the server sent a reply without a command")

    def start_tls(self, context: ssl.SSLContext, hostname: str) -> None:
        """Encrypt the connection; the certificate must be good for *hostname*.

        :raises OSError: as the handshake does, ``ssl.SSLError`` among them.
        :raises TimedOutError: at the deadline.
        """
        import ssl  # loaded already, for the context

        self._would_block = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self._wait()
        # If the connection is gone, wrap_socket would leave a descriptor open.
        self._sock.getpeername()
        self._sock = context.wrap_socket(
            self._sock, server_hostname=hostname, do_handshake_on_connect=False
        )
        self._sock.do_handshake()  # the time-out is for all of its reads and writes together

    def close(self) -> None:
        """Close the socket. Never raises and never waits: the kernel sends what was written."""
        self.closed = True
        with contextlib.suppress(OSError):
            self._sock.close()

    def _receive(self) -> None:
        try:
            self._wait()
            if _QUICKACK is not None and not self._wrote:
                # A delayed acknowledgement of the first octets holds back the rest of a reply that
                # the server writes in two pieces: 44 ms with Postfix. The option is not sticky.
                self._sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            data = self._sock.recv(_READ)
        except OSError as error:
            raise _mapped(error) from error
        self._take(data)

    def _take(self, data: bytes) -> None:
        if not data:
            raise LostError("the server closed the connection")
        self.heard = time.monotonic()
        self._wrote = False
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.lines += lines

    def _wait(self) -> None:
        """Let the next step on the socket wait until the deadline."""
        self._sock.settimeout(self._left())
        self._waits = True

    def _do_not_wait(self) -> None:
        if self._waits:  # setting it takes 0.6 µs
            self._sock.settimeout(0)
            self._waits = False

    def _left(self) -> float:
        left = self.deadline.at - time.monotonic()
        if left <= 0:
            raise TimedOutError("no answer within the time allowed")
        return left

    def __repr__(self) -> str:
        state = "closed" if self.closed else "TLS" if self.tls else "plain"
        unread = len(b"\n".join([*self.lines, self._rest]))
        return f"<Stream {state}, {unread} octets unread>"


def _send_secret(sock: socket.socket, secret: Secret) -> None:
    try:
        sock.sendall(secret.octets())
    except BaseException as error:
        # A traceback can show its frames' variables, and a TLS socket's frames hold the octets.
        raise error.with_traceback(None) from None
