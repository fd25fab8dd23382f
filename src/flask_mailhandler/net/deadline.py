"""How long something may take in all."""

from __future__ import annotations

import time


class Deadline:
    """A moment that is measured against the monotonic clock, so that a changed system time
    does not move it.

    :param seconds: From now.
    """

    __slots__ = ("allowed", "at")

    def __init__(self, seconds: float) -> None:
        self.allowed: float = seconds
        self.at: float = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left; not less than 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def nearly_over(self) -> bool:
        """Whether too little remains to wait for a reply that decides: less than 10 seconds, and
        less than half of what was allowed."""
        return self.remaining() < min(10.0, self.allowed / 2)

    def within(self, seconds: float) -> Deadline:
        """Return the nearer of this deadline and one in so many seconds."""
        return Deadline(min(seconds, self.remaining()))

    def __repr__(self) -> str:
        return f"<Deadline {self.remaining():.1f} of {self.allowed:g} s left>"
