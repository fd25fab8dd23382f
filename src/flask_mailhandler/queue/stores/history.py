"""The contract of the second part of a store: events, and the addresses that get no more mail.

Its tables stand next to those of the rows. Each call is one transaction, as in :class:`.Store`.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Collection
from collections.abc import Sequence

from ..events.suppression import Suppression
from ..row import Row

MOST_EVENTS = 100_000
"""How many verified events an app keeps, the newest."""
MOST_UNVERIFIED = 50_000
"""How many events that are not verified an app keeps next to them. Anybody can write notifications,
which must neither fill the disk nor push verified events out."""
AT_ONCE = 500
"""How many addresses are in one statement."""
SEARCHED = 100_000
"""Among how many rows, the newest, the message of an event is looked for. An index would cost each
message that is queued a write."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """An event that is stored if it is not there yet."""

    digest: str
    """Two events with the same digest are the same one."""
    token: str = ""
    """The digest of what proved it, with which no other event is stored; "" if it has no such
    token."""
    ends: str = ""
    """The digest of an event that may happen again after this one; "" if there is none."""
    message: str = ""
    """The key of its message, by which it is found; "" if its message is not known."""
    verified: bool = False
    facts: str
    """The event as JSON."""
    suppression: Suppression | None = None
    """What it puts on the list of suppressed addresses."""
    repeats: bool = False
    """Whether it does so even if the event is there already."""
    released: tuple[str, str] | None = None
    """The key of the address, and the list, that it takes off."""

    def of_token(self) -> NewEvent:
        """Return the token as an event of its own, which the app is not told of."""
        return NewEvent(digest=self.token, verified=self.verified, facts="")


class StoredEvent(t.NamedTuple):
    """An event as it was stored."""

    number: int
    recorded: float
    """When it was stored, in seconds since 1970."""
    facts: str


class History(t.Protocol):
    """The events and the suppressed addresses of one app.

    Every error of the store itself is a :exc:`.QueueError`.
    """

    @property
    def ready(self) -> bool:
        """Whether the tables are there, or are made when they are used."""
        ...

    def now(self) -> float:
        """Return the time, as :meth:`.Store.now` does."""
        ...

    # Events

    def record(self, events: Sequence[NewEvent], now: float, until: float) -> list[int]:
        """Store events, and what they say of addresses, all or none.

        :param until: Until when the caller tells the app of them. After that, another process may.
        :return: The number of each event; 0 for one that is there already, or whose token is.
        """
        ...

    def told(self, number: int) -> None:
        """Record that the app was told of an event."""
        ...

    def take_untold(self, now: float, until: float, longest: float) -> list[StoredEvent]:
        """Return events that no process tells the app of, the first first, and claim them.

        :param longest: The most seconds that a claim lasts.
        """
        ...

    def events(self, message: str) -> list[StoredEvent]:
        """Return the first 1,000 events of a message, by its key, the first first."""
        ...

    def find_row(self, message_id: str, envelope_id: str) -> Row | None:
        """Return the newest row with a Message-ID, or with the left part of one; None if it is not
        among the last :data:`SEARCHED`."""
        ...

    def purge_events(self, before: float) -> int:
        """Delete the events that the app was told of and that were stored before a time. Return
        their number."""
        ...

    # Suppressed addresses

    def suppress(self, found: Sequence[Suppression]) -> int:
        """Put addresses on the list, all or none. Return how many were not there."""
        ...

    def release(self, key: str, list_name: str | None) -> int:
        """Take an address off: of one list, or of everything. Return the number of entries."""
        ...

    def suppressed(self, keys: Collection[str]) -> list[Suppression]:
        """Return all entries of some addresses, by their keys."""
        ...

    def page(
        self, after: tuple[str, str], limit: int, list_name: str | None = None
    ) -> list[Suppression]:
        """Return entries in the order of their keys and lists.

        :param after: The key and the list of the entry before the first.
        :param list_name: Only entries of this list.
        """
        ...

    def number_suppressed(self) -> int:
        """Return the number of entries."""
        ...
