"""A scripted HTTP server: kept connections, and declared answers to whole requests."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import struct
import threading
import typing as t

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Mapping

CLOSE = "close"
"""Close the connection."""
RESET = "reset"
"""Close it so that the client is reset."""
SILENCE = "silence"
"""Say nothing more, until the client closes."""

Said: t.TypeAlias = "bytes | str"
"""Octets to write, or one of the actions above."""


@dataclasses.dataclass(frozen=True)
class HTTPRequest:
    """A whole request."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    connection: int
    """The number of its connection, from 1."""

    @property
    def json(self) -> t.Any:
        """The body as JSON."""
        return json.loads(self.body)


def page(status: int, body: bytes = b"", *headers: str, version: str = "1.1") -> bytes:
    """An answer with its length."""
    lines = [f"HTTP/{version} {status} x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def json_page(status: int, value: object, *headers: str) -> bytes:
    """An answer in JSON."""
    return page(status, json.dumps(value).encode(), "Content-Type: application/json", *headers)


def chunked(status: int, *chunks: bytes) -> bytes:
    """An answer in chunks."""
    head = f"HTTP/1.1 {status} x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in [*chunks, b""])


class HTTPServer:
    """Reads whole requests and answers each.

    :param answer: Called with a whole request, returns what to write and do.
    :param at: Called with the number of a connection and the octets of it that were read so far;
        what it returns is written and done before more is read.
    :param piece: The most octets to read at once.
    :param tls: The context, for https.
    """

    def __init__(
        self,
        answer: Callable[[HTTPRequest], Said | Iterable[Said]],
        *,
        at: Callable[[int, int], Iterable[Said]] = lambda connection, octets: (),
        piece: int = 1 << 16,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.requests: list[HTTPRequest] = []
        """The whole requests, in order."""
        self.opened = 0
        """How many connections there were."""
        self.changed = threading.Condition()
        """Notified when a connection has ended."""
        self.ended = 0
        self._answer = answer
        self._at = at
        self._piece = piece
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._threads: list[threading.Thread] = []
        self._clients: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept)

    def wait_ended(self, connections: int) -> None:
        """Wait until so many connections have ended."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.ended >= connections, 60)

    def __enter__(self) -> t.Self:
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            while thread.is_alive():  # it may be replacing the socket with a TLS socket
                for client in [*self._clients]:  # a client may keep its connection
                    with contextlib.suppress(OSError):
                        socket.socket.shutdown(client, socket.SHUT_RDWR)
                thread.join(0.05)
        for client in self._clients:
            client.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._clients.append(client)
                self.opened += 1
                thread = threading.Thread(target=self._serve, args=(client, self.opened))
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket, number: int) -> None:
        try:
            with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
                stack.callback(client.close)
                if self._tls is not None:
                    client = self._tls.wrap_socket(
                        client, server_side=True, do_handshake_on_connect=False
                    )
                    self._clients.append(client)
                    stack.callback(client.close)
                    client.do_handshake()
                _Dialogue(self, client, number).run()
        finally:
            with self.changed:
                self.ended += 1
                self.changed.notify_all()


class _Dialogue:
    """One connection of the server."""

    def __init__(self, server: HTTPServer, client: socket.socket, number: int) -> None:
        self._server = server
        self._client = client
        self._number = number
        self._octets = b""
        self._read = 0

    def run(self) -> None:
        while (request := self._request()) is not None:
            self._server.requests.append(request)
            said = self._server._answer(request)
            if not self._do([said] if isinstance(said, bytes | str) else said):
                return

    def _request(self) -> HTTPRequest | None:
        """Read a whole request, or return None if there is none."""
        while b"\r\n\r\n" not in self._octets:
            if not self._more():
                return None
        head, _, self._octets = self._octets.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        assert version == "HTTP/1.1"
        fields = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in fields}
        assert len(headers) == len(fields)
        length = int(headers.get("content-length", 0))
        while len(self._octets) < length:
            if not self._more():
                return None
        body, self._octets = self._octets[:length], self._octets[length:]
        return HTTPRequest(method, target, headers, body, self._number)

    def _more(self) -> bool:
        if not self._do(self._server._at(self._number, self._read)):
            return False
        received = self._client.recv(self._server._piece)
        self._octets += received
        self._read += len(received)
        return bool(received)

    def _do(self, said: Iterable[Said]) -> bool:
        """Write and do what is said. Return whether the connection goes on."""
        for one in said:
            if isinstance(one, bytes):
                self._client.sendall(one)
            elif one == SILENCE:
                while self._client.recv(1 << 16):
                    pass
                return False
            else:
                if one == RESET:
                    linger = struct.pack("ii", 1, 0)
                    self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                return False
        return True
