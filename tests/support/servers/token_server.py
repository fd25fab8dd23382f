"""An OAuth token endpoint: a real HTTP server with declared responses."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import queue
import socketserver
import threading
import typing as t
import urllib.parse

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Mapping

#: Pieces to write one after the other, or a function that returns them for a request.
Said: t.TypeAlias = "bytes | Callable[[], Iterable[bytes]]"


@dataclasses.dataclass(frozen=True)
class Request:
    """A request."""

    target: str
    headers: Mapping[str, str]
    form: dict[str, str]


def answer(status: int = 200, **fields: t.Any) -> bytes:
    """A JSON response as RFC 6749 shows it."""
    return page(status, json.dumps(fields).encode(), "Content-Type: application/json")


def page(status: int, body: bytes, *headers: str) -> bytes:
    """Any response."""
    length = f"Content-Length: {len(body)}"
    return "\r\n".join([f"HTTP/1.1 {status} x", length, *headers, "", ""]).encode() + body


class TokenServer:
    """Sends the responses in order, then the last one repeatedly.

    :param tls: The context, for https.
    """

    def __init__(self, *answers: Said, tls: ssl.SSLContext | None = None) -> None:
        self.requests: queue.Queue[Request] = queue.Queue()
        self._answers = [*answers]
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/token"
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def asked(self) -> Request:
        """Wait for the next request."""
        return self.requests.get(timeout=60)

    def __enter__(self) -> TokenServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        requests, answers = self.requests, self._answers

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length).decode()
                if (
                    len(body) < length
                ):  # the client closed: this is not a request, and uses no response
                    return
                said = answers.pop(0) if len(answers) > 1 else answers[0]
                requests.put(
                    Request(self.path, dict(self.headers), dict(urllib.parse.parse_qsl(body)))
                )
                for piece in [said] if isinstance(said, bytes) else said():
                    self.wfile.write(piece)

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        return Handler


class _Server(socketserver.ThreadingTCPServer):
    # Closing then waits for the threads.
    daemon_threads = False

    def shutdown_request(self, request: t.Any) -> None:
        # The client closed, or never finished the handshake.
        with contextlib.suppress(OSError):
            super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients disconnect on purpose in these tests."""
