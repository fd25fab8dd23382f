"""Run a call of a store again if the server ended its transaction because of another one."""

from __future__ import annotations

import functools
import random
import time
import typing as t
from collections.abc import Callable

from ....errors import QueueError

if t.TYPE_CHECKING:
    from .database import Database

_LONGEST_REST = 0.02


class _HasDatabase(t.Protocol):
    database: Database


S = t.TypeVar("S", bound=_HasDatabase)
P = t.ParamSpec("P")
T = t.TypeVar("T")


Call: t.TypeAlias = "Callable[t.Concatenate[S, P], T]"


def repeated(call: Call[S, P, T]) -> Call[S, P, T]:
    """Repeat a method, which is one transaction, as often as the kind of database asks for it."""

    @functools.wraps(call)
    def again(self: S, /, *args: P.args, **options: P.kwargs) -> T:
        number = 1
        while True:
            try:
                return call(self, *args, **options)
            except QueueError as error:
                if number >= self.database.kind.attempts(error.__cause__):
                    raise
            number += 1
            time.sleep(random.uniform(0, _LONGEST_REST))  # two that met do not meet again

    return again
