"""What a store of rows can do. Each call is one transaction, safe with any number of threads and
processes, and holds when it returns, whoever is killed then.

What is accepted and what is claimed is also on the disk then. A store may write the rest to the
disk later, if it can tell afterwards that something may be missing: see :meth:`Store.remembers`.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence

from ...config import Limits
from ..lease import Lease
from ..row import Row
from ..row import RowState
from ..ticket import Ticket


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """Which rows: all, or those that meet every criterion."""

    states: Collection[RowState] = ()
    account: str | None = None
    before: float | None = None
    """Those whose state has not changed since."""
    ids: Collection[int] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """An account whose server could not be spoken to, or which was paused by its rate limit."""

    until: float = 0.0
    times: int = 0
    """How often in a row."""
    why: str = ""


LONGEST_RING = 3600.0
"""Seconds after which a ring is over, whatever the clock said that noted it."""


class Joined(t.Protocol):
    """A transaction of the app's own."""

    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        """Write rows in it, as :meth:`Store.add` does in one of its own."""
        ...

    def at_commit(
        self, action: Callable[[], object], message_id: str, name: tuple[str, str] | None = None
    ) -> None:
        """Do something when it has committed, and nothing if it is rolled back.

        :param name: The account and the key of the message, if it has one.
        """
        ...

    def promised(self, name: tuple[str, str]) -> str | None:
        """The Message-ID that is to be queued in it by that account and key."""
        ...


class Store(t.Protocol):
    """Rows of one app; its ``str()`` says where they are. Every error of the store itself is a
    :exc:`.QueueError`.

    :meth:`join` is for stores that can write into a transaction of the app's.
    """

    @property
    def begun(self) -> bool:
        """Whether there may be any rows; asking opens and makes nothing."""
        ...

    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        """Keep rows and their contents, all or none; of a key that is there already its
        first ticket, with ``created=False``."""
        ...

    def join(self, session: t.Any) -> Joined:
        """Join a transaction of the app's own, which commits or rolls back later.

        :raises ConfigurationError: if this store cannot.
        """
        ...

    def now(self) -> float:
        """The time, in seconds since 1970, by the clock that all who use these rows have in
        common: that of the database's server, if it has one."""
        ...

    def claim(
        self, account: str, lease: Lease, now: float, limit: int, origin: str = ""
    ) -> list[Row]:
        """Claim up to *limit* rows of an account that are due, all of the highest priority that
        there is, first by their due time; their attempts are counted.

        :param origin: Only what was queued there, if it is named.
        """
        ...

    def due(self, account: str, origin: str = "") -> list[tuple[int, float]]:
        """The first due time of each priority of an account that has waiting rows.

        :param origin: Only what was queued there, if it is named.
        """
        ...

    def content(self, row_id: int) -> bytes | None:
        """The octets of a row, or None if they are gone."""
        ...

    def new_owner(self) -> str:
        """A name for a worker that no other worker has or had."""
        ...

    def remembers(self, owner: str) -> bool:
        """Whether all that this owner has announced and settled is there. If not, for the machine
        went down since, nobody knows about the rows that it has claimed."""
        ...

    def renew(self, lease: Lease) -> None:
        """Put off the end of all leases of this owner."""
        ...

    def announce(self, row_id: int, owner: str, ended: str) -> bool:
        """Note that the end of data of these recipients is about to be given. False if the row
        is no longer this owner's, and it must not be given."""
        ...

    def settle(self, row: Row, owner: str, *, drop: bool = False) -> bool:
        """Write a row as it is now, if it is this owner's still; a lease that was lost meanwhile
        does not count for a row that was held since, for now its outcome is known.

        :param drop: Whether its content is needed no more.
        """
        ...

    def release(self, ids: Collection[int], owner: str) -> None:
        """Give back rows whose end of data was not announced: the attempt is not counted."""
        ...

    def owners(self) -> set[str]:
        """Who has claimed rows."""
        ...

    def lost(self, now: float, longest: float, dead: Collection[str] = ()) -> list[Row]:
        """The claimed rows whose lease is over, or ends later than any lease could.

        :param longest: Seconds that a lease lasts at the most.
        :param dead: Owners whose lease is over, whatever it says.
        """
        ...

    def pull(self, now: float, longest: float) -> int:
        """Undo a clock that was ahead: rows that changed in the future, and were to be tried within
        *longest* seconds of that, are due as much earlier. How many there were."""
        ...

    def take_rate(self, account: str, limits: Limits, now: float, wanted: int) -> tuple[int, float]:
        """Take up to *wanted* messages from the limits that all workers share.

        :return: How many, and the seconds to wait if there are none.
        """
        ...

    def pause(self, account: str) -> Pause:
        """Say until when an account is paused."""
        ...

    def alter_pause(self, account: str, change: Callable[[Pause], Pause]) -> Pause:
        """Pause an account, or end its pause.

        :param change: Makes the pause of the one that is there; see :meth:`alter`.
        :return: The pause as it is now.
        """
        ...

    def ring(self, account: str, now: float, until: float) -> bool:
        """Note that somebody is being told of the mail of an account.

        :param until: Until when that may take.
        :return: Whether it is to be done: not, if it was noted before and is not over.
        """
        ...

    def answer(self, account: str) -> None:
        """Note that whoever was told has heard it."""
        ...

    def get(self, row_id: int) -> Row | None:
        """One row."""
        ...

    def accounts(self) -> set[str]:
        """The accounts for which rows wait."""
        ...

    def rows(self, wanted: Filter, limit: int) -> list[Row]:
        """Rows: of certain states the last changed first, of all the newest first."""
        ...

    def counts(self, account: str | None = None) -> dict[RowState, int]:
        """The number of rows of each state."""
        ...

    def alter(
        self,
        ids: Collection[int],
        was: Collection[RowState],
        change: Callable[[Row], Row | None],
    ) -> list[Row]:
        """Change rows that are in one of the states *was*. They are read in the transaction that
        writes them, so that nobody else changes one in between.

        :param change: A pure function: what a row becomes, or None if it stays as it is.
        :return: The rows that were changed, as they are now.
        """
        ...

    def purge(self, wanted: Filter, limit: int) -> int:
        """Delete up to *limit* rows that neither wait nor are claimed, with their contents. Their
        numbers are not given again. How many there were."""
        ...

    def close(self) -> None:
        """Let go of what is open. It may be used again."""
        ...
