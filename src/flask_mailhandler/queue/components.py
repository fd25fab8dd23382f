"""The components of one app's queue: the app, its store and its engine."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ..log import logger
from .app_access import AppAccess

if t.TYPE_CHECKING:
    from .stores.base import Store

T = t.TypeVar("T")


class EngineMethods(t.Protocol):
    """What the queue calls on its engine. :class:`.Engine` is the contract for authors."""

    def check(self) -> None:
        """Raise a ConfigurationError if nothing can be told."""
        ...

    def ring(self, account: str, due: float) -> None:
        """Tell that mail of an account is due at a time."""
        ...

    def wake(self) -> None:
        """Look for mail of an earlier process."""
        ...

    def drain(self) -> None:
        """Send due mail for a while, because the server stops."""
        ...

    def close(self) -> None:
        """Release the resources of this process."""
        ...


class Components:
    """The components of a queue.

    The store and the engine are made when they are first used, because what they need of the app
    may not be there when the app is registered.
    """

    def __init__(
        self,
        app_access: AppAccess,
        make_store: Callable[[], Store],
        make_engine: Callable[[], EngineMethods],
    ) -> None:
        self.app_access: AppAccess = app_access
        self._make_store = make_store
        self._make_engine = make_engine
        self._made: dict[str, t.Any] = {}

    @property
    def store(self) -> Store:
        """Where the rows are."""
        return self.part("store", self._make_store)

    @property
    def engine(self) -> EngineMethods:
        """The engine, which is told that mail waits."""
        return self.part("engine", self._make_engine)

    def part(self, name: str, make: Callable[[], T]) -> T:
        """Return a part, made when it is first used.

        Not a cached_property. Up to Python 3.11 it has a lock, which the child of a fork could find
        held. Later versions have none, so two threads could make two engines, each with a worker.
        """
        found: T = self._made.get(name) or self._made.setdefault(name, make())
        return found

    def ring(self, account: str, due: float) -> None:
        """Tell the engine that mail of an account waits.

        If that fails nothing is lost: a worker finds the mail the next time it looks.
        """
        try:
            self.engine.ring(account, due)
        except Exception as error:
            logger.error("The engine %s could not be told: %s", type(self.engine).__name__, error)
