"""The contract of a store.

Each call is one transaction. It is safe with any number of threads and processes, and its result
holds when it returns, even if the process is killed then.

Added and claimed rows are also on the disk then. A store may write other changes to the disk later,
if it can tell afterwards that some may be missing: see :meth:`Store.remembers`.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence

from ...config import Limits
from ...errors import QueueError
from ..lease import Lease
from ..row import Row
from ..row import RowState
from ..ticket import Ticket
from .history import History

if t.TYPE_CHECKING:
    from .health_facts import HealthFacts
    from .search import Searcher


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    """The criteria for rows. A row must meet all that are given."""

    states: Collection[RowState] = ()
    account: str | None = None
    before: float | None = None
    """Only rows whose state has not changed since this time."""
    ids: Collection[int] = ()
    tag: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Pause:
    """The pause of an account, whose server could not be reached or refuses all of its mail."""

    until: float = 0.0
    times: int = 0
    """How often the account was paused in a row."""
    why: str = ""


class TablesError(QueueError):
    """The tables of the queue are not there, or are those of another release."""


LONGEST_RING = 3600.0
"""Seconds after which a ring is over, even if it was recorded by a clock that was ahead."""


class Joined(t.Protocol):
    """A transaction of the app."""

    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        """Add rows in it, as :meth:`Store.add` does in a transaction of its own."""
        ...

    def at_commit(
        self, action: Callable[[], object], message_id: str, name: tuple[str, str] | None = None
    ) -> None:
        """Call *action* when the transaction has committed, and never if it is rolled back.

        :param name: The account and the key of the message, if it has a key.
        """
        ...

    def promised(self, name: tuple[str, str]) -> str | None:
        """Return the Message-ID that the transaction queues for this account and key."""
        ...


class Store(t.Protocol):
    """The rows of one app.

    ``str()`` says where they are. Every error of the store itself is a :exc:`.QueueError`.
    """

    @property
    def history(self) -> History:
        """The events, and the suppressed addresses."""
        ...

    @property
    def search(self) -> Searcher:
        """The searches of pages and commands, in lists of any length."""
        ...

    @property
    def begun(self) -> bool:
        """Whether there may be any rows. Nothing is opened or created to find out."""
        ...

    def check(self, row: Row) -> None:
        """Check that the content of a row is not too large for this store.

        :raises MessageError: if it is.
        """
        ...

    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        """Add rows and their contents, all or none.

        For a key that is there already, nothing is added, and the ticket is the first one's, with
        ``created=False``.
        """
        ...

    def join(self, session: t.Any) -> Joined:
        """Join a transaction of the app, which commits or rolls back later.

        :raises ConfigurationError: if this store cannot write into it.
        """
        ...

    def now(self) -> float:
        """Return the time, in seconds since 1970, by the clock that all users of these rows share.

        That is the clock of the database's server, if there is a server.
        """
        ...

    def claim(
        self, account: str, lease: Lease, now: float, limit: int, origin: str = ""
    ) -> list[Row]:
        """Claim up to *limit* due rows of an account.

        Only rows of the highest priority that is due are claimed, the first due first. Each claim
        counts as an attempt.

        :param origin: If given, only rows that were queued there.
        """
        ...

    def due(self, account: str, origin: str = "") -> list[tuple[int, float]]:
        """Return the first due time of each priority that has waiting rows of an account.

        :param origin: If given, only rows that were queued there.
        """
        ...

    def content(self, row_id: int) -> bytes | None:
        """Return the octets of a row, or None if they are deleted."""
        ...

    def new_owner(self) -> str:
        """Return a name for a worker that no other worker has or had."""
        ...

    def remembers(self, owner: str) -> bool:
        """Whether every announcement and result of this owner is stored.

        False if the machine went down since: then any row that the owner has claimed may have
        arrived.
        """
        ...

    def renew(self, lease: Lease) -> None:
        """Extend all leases of an owner."""
        ...

    def announce(self, row_id: int, owner: str, ended: str) -> bool:
        """Record that the end of data for these recipients is about to be sent.

        :param ended: The recipients (JSON).
        :return: False if the owner has lost the row, and must not send the end of data.
        """
        ...

    def settle(self, row: Row, owner: str, *, drop: bool = False) -> bool:
        """Write the result of a row, if the owner still has it.

        It may also settle a row that was held after its lease was lost, because the outcome is
        known now.

        :param drop: Whether to delete the content.
        :return: Whether the row was written.
        """
        ...

    def settle_and_announce(
        self, row: Row, following: int, owner: str, ended: str, *, drop: bool = False
    ) -> tuple[bool, bool]:
        """Do what :meth:`settle` does with *row* and :meth:`announce` with the row *following*, in
        one transaction if that is possible.

        :return: What the two methods return.
        """
        ...

    def release(self, ids: Collection[int], owner: str) -> None:
        """Give back rows whose end of data was not announced. The attempt does not count."""
        ...

    def owners(self) -> set[str]:
        """Return the owners of claimed rows."""
        ...

    def lost(self, now: float, longest: float, dead: Collection[str] = ()) -> list[Row]:
        """Return the claimed rows whose lease is over, or ends later than any lease could.

        :param longest: The most seconds that a lease lasts.
        :param dead: Owners that are dead, whatever their lease says.
        """
        ...

    def pull(self, now: float, longest: float) -> int:
        """Undo a clock that was ahead.

        Rows that changed in the future, and were due within *longest* seconds after that, become
        due earlier by the same time.

        :return: How many rows that is.
        """
        ...

    def take_rate(self, account: str, limits: Limits, now: float, wanted: int) -> tuple[int, float]:
        """Take up to *wanted* messages from the rate limits that all workers share.

        :return: How many may be sent, and the seconds to wait if there are none.
        """
        ...

    def pause(self, account: str) -> Pause:
        """Return the pause of an account."""
        ...

    def alter_pause(self, account: str, change: Callable[[Pause], Pause]) -> Pause:
        """Pause an account, or end its pause.

        :param change: Returns the new pause for the old one; see :meth:`alter`.
        :return: The new pause.
        """
        ...

    def ring(self, account: str, now: float, until: float) -> bool:
        """Record that a broker is being told of an account's mail.

        :param until: When the ring is over if it gets no answer.
        :return: Whether to tell the broker. False if an earlier ring is not over.
        """
        ...

    def answer(self, account: str) -> None:
        """Record that a worker has heard the ring of an account."""
        ...

    def get(self, row_id: int) -> Row | None:
        """Return one row."""
        ...

    def accounts(self) -> set[str]:
        """Return the accounts that have waiting rows."""
        ...

    def rows(self, wanted: Filter, limit: int) -> list[Row]:
        """Return rows. If states are given the last changed comes first, else the newest."""
        ...

    def counts(self, account: str | None = None, tag: str | None = None) -> dict[RowState, int]:
        """Return the number of rows in each state."""
        ...

    def health_facts(self, accounts: Sequence[str], recent: float) -> HealthFacts | None:
        """Return what a health check needs; None if nothing was ever queued.

        Nothing is created. It takes a moment, also with a million rows.

        :param accounts: The accounts of the app.
        :param recent: How many seconds count as recent.
        """
        ...

    def unfinished(self) -> dict[tuple[str, RowState], int]:
        """Return the number of waiting, claimed and held rows, by account and state."""
        ...

    def alter(
        self,
        ids: Collection[int],
        was: Collection[RowState],
        change: Callable[[Row], Row | None],
    ) -> list[Row]:
        """Change rows that are in one of the states *was*.

        They are read in the transaction that writes them, so that no other worker changes one in
        between.

        :param change: A pure function. It returns the changed row, or None to leave the row alone.
        :return: The changed rows.
        """
        ...

    def purge(self, wanted: Filter, limit: int) -> int:
        """Delete up to *limit* rows that are neither waiting nor claimed, with their contents.
        Their numbers are never used again.

        :return: How many rows that is.
        """
        ...

    def close(self) -> None:
        """Close what is open. The store may be used again."""
        ...
