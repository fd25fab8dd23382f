"""Taking turns at something that one thread at a time may use."""

from __future__ import annotations

import threading


class Turns:
    """A lock that nobody takes twice while another waits for it: a worker takes it again and again,
    and whoever adds mail meanwhile would wait until nothing is left to send.

    Who waits does so in a room for one. To take the lock again leads through that room, so that
    whoever stands in it comes first. A thread that has its turn may begin another one in it.
    """

    def __init__(self) -> None:
        # Both may be taken again by the same thread, as the handler of a signal does.
        self._room = threading.RLock()
        self._turn = threading.RLock()
        self._taker: int | None = None
        self._depth = 0

    def take(self, timeout: float = -1) -> bool:
        """Wait for a turn.

        :param timeout: Seconds to wait in the room, and outside it; for ever if negative.
        :return: Whether it has come.
        """
        if self._taker == threading.get_ident():
            return self._begin(timeout)
        if not self._room.acquire(timeout=timeout):
            return False
        try:
            return self._begin(timeout)
        finally:
            self._room.release()

    def _begin(self, timeout: float) -> bool:
        if not self._turn.acquire(timeout=timeout):
            return False
        self._taker = threading.get_ident()
        self._depth += 1
        return True

    def end(self) -> None:
        """End the turn."""
        self._depth -= 1
        if not self._depth:
            self._taker = None
        self._turn.release()

    def __enter__(self) -> None:
        self.take()

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    def __repr__(self) -> str:
        return f"<Turns {'free' if self._taker is None else 'taken'}>"
