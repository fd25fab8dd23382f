"""HTTP over a socket in the file system, which no other process can take, unlike a port."""

from __future__ import annotations

import contextlib
import http.client
import socket
import typing as t
from urllib.parse import urlencode

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class _Connection(http.client.HTTPConnection):
    def __init__(self, server: Path) -> None:
        super().__init__("localhost", timeout=60)
        self._server = server

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._server))


def ask(
    server: Path, method: str, path: str, form: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Send a request to the server that listens there. Return status and body of the response."""
    body = None if form is None else urlencode(form)
    header = {} if form is None else {"Content-Type": "application/x-www-form-urlencoded"}
    with contextlib.closing(_Connection(server)) as connection:
        connection.request(method, path, body, header)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
