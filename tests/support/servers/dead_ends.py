"""Addresses at which no server responds, in different ways, and reserved ports."""

from __future__ import annotations

import contextlib
import socket
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"


@contextlib.contextmanager
def closed_port(host: str = HOST) -> Iterator[int]:
    """A port that refuses connections, and that no other process takes meanwhile."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as bound:
        bound.bind((host, 0))
        yield bound.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port at which connecting neither succeeds nor fails, because its backlog is full
    (Linux)."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        # The first one fills it: it is there before the others knock.
        stack.enter_context(socket.create_connection((HOST, port)))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((HOST, port))
        yield port


def keep_port(host: str = HOST) -> socket.socket:
    """Reserve a port for a server, which can still bind to it (with SO_REUSEADDR, as servers do).
    Until this socket is closed no other process gets the port, whether the server is running or
    not, so a client never reaches another server."""
    kept = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind((host, 0))
    return kept


def free_port() -> int:
    """A port for a program that cannot choose one itself, reserved as long as this process
    lives."""
    kept = keep_port()
    port: int = kept.getsockname()[1]
    kept.detach()
    return port
