"""Log that the store or a broker cannot be used: when that begins, then rarely, and at its end.

::

    error ── 10 s ── error ── 20 s ── error ── 40 s ── ... 5 min ── error ── end
    ERROR            ERROR            ERROR                         ERROR    WARNING

The errors in between are not logged, unless their text is another one.
"""

from __future__ import annotations

import time

from ..errors import QueueError
from ..log import logger
from .health.span import span

FIRST = 10.0
"""Seconds after which the same error is logged for the second time; doubled each time."""
LONGEST = 300.0


class Outage:
    """What one thread logs of an outage. Other threads may call :meth:`end`.

    :param over: What is logged at its end, with ``%s`` for how long it was.
    """

    def __init__(self, over: str) -> None:
        self._over = over
        self._began: float | None = None
        self._logged = ""
        self._rest = FIRST
        self._next = 0.0

    def note(self, error: Exception, what: str = "") -> None:
        """Log an error, unless the same one was logged a short time ago.

        :param what: What the error means, to be logged before it.
        """
        now, trace = time.monotonic(), None
        text = f"{what}: {error}" if what else str(error)
        if not what and not isinstance(error, QueueError):
            text, trace = "Unexpected error in a queue worker; it continues.", error
        this = f"{text} {trace!r}"
        if self._began is None:
            self._began, self._logged, self._rest = now, "", FIRST
        if this == self._logged:
            if now < self._next:
                return
            self._rest = min(2 * self._rest, LONGEST)
        self._logged, self._next = this, now + self._rest
        logger.error("%s", text, exc_info=trace)

    def end(self) -> None:
        """Log that the outage is over, if there is one."""
        began, self._began = self._began, None
        if began is not None:
            logger.warning(self._over, span(time.monotonic() - began))

    def __repr__(self) -> str:
        return f"<Outage {'over' if self._began is None else self._logged}>"
