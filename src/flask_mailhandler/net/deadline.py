"""One time limit for many steps."""

from __future__ import annotations

import time


class Deadline:
    """A moment on the monotonic clock, which a change of the system time does not move.

    :param seconds: The seconds from now.
    """

    __slots__ = ("allowed", "at")

    def __init__(self, seconds: float) -> None:
        self.allowed: float = seconds
        self.at: float = time.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never less than 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def nearly_over(self) -> bool:
        """Whether too little time is left to wait for a reply that decides: less than 10 seconds,
        and less than half of the time allowed."""
        return self.at - time.monotonic() < min(10.0, self.allowed / 2)

    def within(self, seconds: float) -> Deadline:
        """Return this deadline, or one in so many seconds if that is earlier."""
        return Deadline(min(seconds, self.remaining()))

    def __repr__(self) -> str:
        return f"<Deadline {self.remaining():.1f} of {self.allowed:g} s left>"
