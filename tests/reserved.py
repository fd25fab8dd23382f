"""Ports for programs of others that take no socket."""

from __future__ import annotations

import contextlib
import socket
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port of this machine at which one program can listen, if it sets SO_REUSEADDR as servers
    do, and which nobody else is given meanwhile (Linux)."""
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
