"""A proxy that cuts a connection after so many octets."""

from __future__ import annotations

import select
import socket
import threading
import typing as t

if t.TYPE_CHECKING:
    from servers import ScriptedServer

UP, DOWN = "up", "down"


class Cutter:
    """Passes connections on to a server, the first of them until *limit* octets went one way.

    :param direction: UP is from the client to the server.
    :param limit: None never cuts.
    """

    host = "127.0.0.1"

    def __init__(self, server: ScriptedServer, direction: str, limit: int | None) -> None:
        self.server = server
        self.direction = direction
        self.limit = limit
        #: Octets of the first connection, each way.
        self.passed = {UP: 0, DOWN: 0}
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> t.Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        # More threads come as long as the first one runs.
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client, len(self._threads) == 1))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, first: bool) -> None:
        server = socket.create_connection((self.server.host, self.server.port))
        with client, server:
            sides = {client: (server, UP), server: (client, DOWN)}
            while all(self._pass_on(side, *sides[side], first) for side in _readable(sides)):
                pass

    def _pass_on(
        self, source: socket.socket, target: socket.socket, direction: str, first: bool
    ) -> bool:
        octets = _received(source)
        cut = first and direction == self.direction and self.limit is not None
        if cut and self.limit is not None:
            octets = octets[: self.limit - self.passed[direction]]
        if first:
            self.passed[direction] += len(octets)
        try:
            target.sendall(octets)
        except OSError:
            return False
        return bool(octets) and not (cut and self.passed[direction] == self.limit)


def _readable(sides: t.Iterable[socket.socket]) -> list[socket.socket]:
    return select.select(list(sides), [], [])[0]


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(65536)
    except OSError:
        return b""
