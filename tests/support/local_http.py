"""HTTP over a socket in the file system, which no other process can take, unlike a port."""

from __future__ import annotations

import contextlib
import http.client
import socket
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path


class _Connection(http.client.HTTPConnection):
    def __init__(self, server: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._server = server

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._server))


def ask(server: Path, method: str, path: str) -> tuple[int, str]:
    """Send a request to the server that listens there. Return status and body of the response."""
    with contextlib.closing(_Connection(server)) as connection:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
