"""The clients for which the scripted servers of this process are silent.

A test with a silent server does not wait for a real deadline, which a busy machine could reach too
early, at another step. With the fixture ``impatient``, a client times out exactly when it waits for
a silent server.
"""

from __future__ import annotations

import contextlib
import select
import time
import typing as t

from flask_mailhandler.smtp.stream import Stream

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator

_waiting: set[t.Any] = set()


@contextlib.contextmanager
def silent_to(client: object) -> Iterator[None]:
    """Mark the client of this address as waiting for a silent server."""
    _waiting.add(client)
    try:
        yield
    finally:
        _waiting.discard(client)


def is_silent_to(client: object) -> bool:
    """Whether a server is silent to the client of this address."""
    return client in _waiting


def impatient(receive: Callable[[Stream], None]) -> Callable[[Stream], None]:
    """Wrap the read of :class:`Stream` so that a client does not wait for a silent server."""

    def receive_or_end(stream: Stream) -> None:
        sock: t.Any = t.cast("t.Any", stream)._sock
        poll = select.poll()
        while not (stream.closed or stream.deadline.remaining() == 0 or _has_more(sock)):
            poll.register(sock, select.POLLIN)
            # Checked first: octets sent before the silence have then arrived.
            over = is_silent_to(sock.getsockname())
            if poll.poll(0 if over else 20):
                break
            if over:
                stream.deadline.at = time.monotonic()
        receive(stream)

    return receive_or_end


def _has_more(sock: t.Any) -> bool:
    """Whether a TLS socket has buffered input."""
    return bool(getattr(sock, "pending", int)())
