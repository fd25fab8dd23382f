"""A fair lock: a thread that waits for it comes before the thread that has just had it."""

from __future__ import annotations

import threading


class FairLock:
    """A lock that no thread takes twice while another one waits for it.

    A worker takes it again and again; with an unfair lock a request that queues mail could wait
    until nothing is left to send.

    ::

        acquire ──▶ _waiting ──▶ _lock ──▶ (use it) ──▶ release
                    one thread   one thread

    The thread that comes next waits for ``_lock`` while it holds ``_waiting``. A thread that wants
    the lock again must first take ``_waiting``, so it comes after that thread. The thread that has
    the lock may take it again.
    """

    def __init__(self) -> None:
        # Both are reentrant, because the handler of a signal may need them in the same thread.
        self._waiting = threading.RLock()
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._depth = 0

    def acquire(self, timeout: float = -1) -> bool:
        """Wait for the lock.

        :param timeout: Seconds to wait for each of the two locks; forever if negative.
        :return: Whether the thread has it.
        """
        if self._owner == threading.get_ident():
            return self._acquire(timeout)
        if not self._waiting.acquire(timeout=timeout):
            return False
        try:
            return self._acquire(timeout)
        finally:
            self._waiting.release()

    def _acquire(self, timeout: float) -> bool:
        if not self._lock.acquire(timeout=timeout):
            return False
        self._owner = threading.get_ident()
        self._depth += 1
        return True

    def release(self) -> None:
        """Release the lock."""
        self._depth -= 1
        if not self._depth:
            self._owner = None
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<FairLock {'free' if self._owner is None else 'taken'}>"
