"""What a search of the queue asks for, and what it finds.

A search reads a bounded number of rows, however many the queue has. See ``row_search``.
"""

from __future__ import annotations

import dataclasses
import math
import typing as t
from collections.abc import Iterator

from ..row import FINISHED
from ..row import Row
from ..row import RowState

COUNTED = 10_000
"""How far the pages and the commands count the rows of a state."""
SEARCHED = 20_000
"""How many rows one search reads at most. It says where the next one goes on."""
FIRST = 500
"""How many rows it reads first, which is enough if most of them match."""


class Between(t.NamedTuple):
    """Times from *start* on, and before *end*, in seconds since 1970."""

    start: float = -math.inf
    end: float = math.inf


EVER = Between()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The criteria of a search. A row must meet all that are given."""

    state: RowState | None = None
    account: str | None = None
    recipient: str | None = None
    """An address in upper or lower case: one of the recipients must have it."""
    tag: str | None = None
    created: Between = EVER
    due: Between = EVER
    changed: Between = EVER

    @property
    def by_change(self) -> bool:
        """Whether the last changed row comes first, and not the newest. Only rows of the finished
        states, and held ones, have an index in this order."""
        return self.state in FINISHED or self.state is RowState.HELD


class Place(t.NamedTuple):
    """A place in the order of a search, between two rows. It stays valid if rows are added or
    deleted."""

    row_id: int
    changed: float = 0.0

    @classmethod
    def of(cls, row: Row) -> Place:
        """Return the place of a row."""
        return cls(row.id, row.changed)


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What one search has found.

    :param rows: The rows, the newest or the last changed first.
    :param following: Where the next search in this direction goes on; None at the end.
    :param stopped: Whether it ended after :data:`SEARCHED` rows, before the list was full.
    """

    rows: list[Row]
    following: Place | None = None
    stopped: bool = False


class Searcher(t.Protocol):
    """Searches the rows of one app, in a time that does not grow with the queue."""

    def counts(self, up_to: int) -> dict[RowState, int]:
        """Return the number of rows in each state, each counted up to a number."""
        ...

    def page(
        self, wanted: Search, place: Place | None = None, *, back: bool = False, limit: int = 100
    ) -> Found:
        """Return the rows that follow a place in the order of the search, or the first ones.

        :param back: Whether to return the rows before the place; without one, the last rows.
        """
        ...


def walk(searcher: Searcher, wanted: Search, most: int, at_once: int) -> Iterator[list[Row]]:
    """Yield the rows of a search in their order, a few at a time, up to a number of them. A list
    may be empty, if many rows do not match."""
    place: Place | None = None
    while most:
        found = searcher.page(wanted, place, limit=min(at_once, most))
        yield found.rows
        place, most = found.following, most - len(found.rows)
        if place is None:
            return
