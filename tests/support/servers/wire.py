"""The server's end of one connection: octets in and out, with or without TLS.

Every wait is for two things at once, the client and a wake-up from another thread. So a server can
be stopped, or made to send out of turn, at any moment, without a second thread on the same socket
(which TLS does not allow).
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import ssl
import struct
import threading
import time
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Callable

READ = select.POLLIN
WRITE = select.POLLOUT
# Linux reports the client's FIN even while octets before it are unread.
HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


class Over(Exception):
    """The conversation is over; ``str()`` says which side ended it."""


class Wire:
    """A socket with a buffer of unread octets."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        #: The client's address. The client may have closed already.
        self.client: t.Any = None
        with contextlib.suppress(OSError):
            self.client = sock.getpeername()
        self._port: int = sock.getsockname()[1]
        self.buffer = bytearray()
        #: How often the client sent after it had received something: its round trips.
        self.flights = 0
        self.octets_read = 0
        self._heard = True
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._alarm, self._bell = socket.socketpair()
        self._alarm.setblocking(False)
        self._lock = threading.Lock()
        self.closed = False

    # Reading and writing, in the connection's own thread

    def fill(self, limit: int = 65536) -> None:
        """Wait for at least one octet. Raises :exc:`Over` at the end of the stream."""
        # Calls of other threads, such as stop, run when there is nothing left to read.
        while not self._receive(limit):
            self._wait(READ)

    def drain(self) -> None:
        """Read what has arrived already, without waiting. An end is left for :meth:`fill`."""
        with contextlib.suppress(Over):
            while self._receive(65536):
                pass

    def _receive(self, limit: int) -> bool:
        try:
            octets = self._socket.recv(limit)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except (ConnectionResetError, BrokenPipeError):
            raise Over("client, by reset") from None
        except OSError as error:
            raise Over(f"client, by {error!r}") from None
        if not octets:
            raise Over("client")
        self.flights += self._heard
        self._heard = False
        self.octets_read += len(octets)
        self.buffer += octets
        return True

    def write(self, octets: bytes) -> bool:
        """Write all octets. Return False if the client has closed.

        The server continues, because it must read what the client sent before (mostly QUIT).
        """
        rest = memoryview(octets)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
                self._heard = True
            except (BlockingIOError, ssl.SSLWantWriteError):
                self._wait(WRITE)
            except ssl.SSLWantReadError:
                self._wait(READ)
            except OSError:
                return False
        return True

    # Waiting

    def _wait(self, events: int, seconds: float | None = None) -> None:
        poll = select.poll()
        poll.register(self._socket, events)
        poll.register(self._alarm, READ)
        poll.poll(None if seconds is None else max(0.0, seconds) * 1000)
        self.attend()

    def attend(self) -> None:
        """Run the calls that other threads have queued."""
        while not self._orders.empty():
            self._alarm.recv(1)
            self._orders.get()()

    def pause(self, seconds: float) -> None:
        """Wait, unless the client closes."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._hung_up():
            self._wait(HUNG_UP, left)

    def hold(self) -> None:
        """Wait until the client closes, without reading."""
        while not self._hung_up():
            self._wait(HUNG_UP)
        raise Over("client")

    def _hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._socket, HUNG_UP)
        return bool(poll.poll(0))

    # TLS and the end

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Do the TLS handshake. Raises :exc:`Over` if it fails."""
        try:
            # If the connection is closed, wrap_socket would leave a descriptor open.
            self._socket.getpeername()
            with self._lock:
                self._socket = tls = context.wrap_socket(
                    self._socket, server_side=True, do_handshake_on_connect=False
                )
        except (OSError, ValueError) as error:
            raise Over(f"client, before the handshake: {error}") from None
        while True:
            try:
                return tls.do_handshake()
            except ssl.SSLWantReadError:
                self._wait(READ)
            except ssl.SSLWantWriteError:
                self._wait(WRITE)
            except OSError as error:
                raise Over(f"client, in the handshake: {error}") from None

    def close(self, how: str = "fin") -> None:
        """Close with "fin", "rst", or TLS's "notify" followed by FIN."""
        with self._lock:
            if self.closed:
                return
            self.closed = True
        if how == "rst":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            if how == "fin":
                # Before the client has written all that it has, while this reads.
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_WR)
            # Unread octets would turn the FIN into an RST.
            self.drain()
        if how == "notify" and isinstance(self._socket, ssl.SSLSocket):
            # This does not wait for the client's close_notify.
            with contextlib.suppress(OSError):
                self._socket.unwrap()
        self._socket.close()
        self._alarm.close()
        self._bell.close()

    # From other threads

    def reached(self) -> bool:
        """Whether the client has unread octets, or the connection has ended (Linux, IPv4)."""
        if self.client is None:
            return True
        ours = f":{self._port:04X}"
        for row in Path("/proc/net/tcp").read_text().splitlines():
            _, local, remote, state, queued, *_ = row.split()
            if remote.endswith(ours) and local.endswith(f":{self.client[1]:04X}"):
                return state != "01" or not queued.endswith(":00000000")
        return True

    def order(self, work: Callable[[], None]) -> bool:
        """Run a function in the connection's thread while it waits. Return False if it is
        closed."""
        with self._lock:
            if self.closed:
                return False
            # In this order, so that the wake-up octet is there when the call is found.
            self._bell.send(b"!")
            self._orders.put(work)
            return True
