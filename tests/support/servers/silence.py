"""Whom the scripted servers of this process let wait.

A test with a silent server need not wait for a real deadline, which a busy machine could miss
earlier, at another step: with the fixture ``impatient`` the time of a client is over exactly when
it waits for a server that is silent.
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
    """Say nothing to the client of this address meanwhile."""
    _waiting.add(client)
    try:
        yield
    finally:
        _waiting.discard(client)


def is_silent_to(client: object) -> bool:
    """Whether the client of this address waits for nothing."""
    return client in _waiting


def impatient(receive: Callable[[Stream], None]) -> Callable[[Stream], None]:
    """What :class:`Stream` reads with, for a client that does not wait for those who are silent."""

    def receive_or_end(stream: Stream) -> None:
        sock: t.Any = t.cast("t.Any", stream)._sock
        poll = select.poll()
        while not (stream.closed or stream.deadline.remaining() == 0 or _has_more(sock)):
            poll.register(sock, select.POLLIN)
            # Asked first: what was said before the silence is there then.
            over = is_silent_to(sock.getsockname())
            if poll.poll(0 if over else 20):
                break
            if over:
                stream.deadline.at = time.monotonic()
        receive(stream)

    return receive_or_end


def _has_more(sock: t.Any) -> bool:
    """Whether a TLS socket has read ahead."""
    return bool(getattr(sock, "pending", int)())
