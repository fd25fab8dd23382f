"""The clock of the database's server, which the workers of all machines share."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from ....errors import QueueError

AGREEMENT = 60.0
"""Seconds after which the server is asked for the time again."""
# CLOCK_BOOTTIME goes on while the machine sleeps. Not every system has it.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """Tells the time of the server.

    The server is asked once a minute; in between, the monotonic clock of this machine counts.

    :param connect: Lends a connection to the server.
    :param question: Asks the server for the time. None for SQLite, which has the clock of this
        machine.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractContextManager[sa.Connection]],
        question: sa.Executable | None,
    ) -> None:
        self._connect = connect
        self._question = question
        self._agreed: tuple[float, float] | None = None

    def now(self) -> float:
        """Return the time in seconds since 1970.

        :raises QueueError: if the server was never reached.
        """
        if (question := self._question) is None:
            return time.time()
        agreed, steady = self._agreed, time.clock_gettime(_STEADY)
        if agreed is None or steady - agreed[1] > AGREEMENT:
            try:
                agreed = self._agreed = self._ask(question)
            except QueueError:
                if agreed is None:
                    raise
                # If each call asked again, each would wait for a server that is away.
                agreed = self._agreed = agreed[0] + steady - agreed[1], steady
        return agreed[0] + time.clock_gettime(_STEADY) - agreed[1]

    def _ask(self, question: sa.Executable) -> tuple[float, float]:
        """Return the server's time, and the steady clock's when it was read."""
        with self._connect() as connection:
            before = time.clock_gettime(_STEADY)
            found = float(connection.execute(question).scalar_one())
            after = time.clock_gettime(_STEADY)
        return found, (before + after) / 2
