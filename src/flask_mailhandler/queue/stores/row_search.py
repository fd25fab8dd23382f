"""Search the rows of a queue, in a time that does not grow with the queue.

::

    a finished or held state   in the order of the index on (app, state, changed)
    waiting, claimed           all of them, if they are few
    anything else              in the order of the numbers

In these orders a page begins at any place, without reading what precedes it. Criteria without an
index are compared with at most SEARCHED rows, and the page says where to go on. So no criterion
costs each message an index.

The SQL is the same for every database. States are literals and not parameters, because the indexes
are partial.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from ..row import COLUMNS
from ..row import Row
from ..row import RowState
from ..stored_message import tag_text
from .search import Between
from .search import COUNTED
from .search import FIRST
from .search import Found
from .search import Place
from .search import Search
from .search import SEARCHED
from .state_counts import condition
from .state_counts import count_states
from .state_counts import Run

_SKEW = 3600.0
"""Seconds by which the clocks may differ, or a transaction last: rows in the order of their numbers
were created in this order, except for so much."""
_CHUNK = 500
_OPEN = (RowState.WAITING, RowState.CLAIMED)


class RowSearch:
    """Searches the rows of one app.

    :param run: Runs a statement.
    :param row_of: Makes a row of the values of all columns.
    :param table: The name of the table, as it is written in a statement.
    :param columns: The names of all columns, as they are written there.
    :param position: The function that finds a text in another.
    """

    def __init__(
        self,
        app: str,
        run: Run,
        row_of: Callable[[Sequence[t.Any]], Row],
        *,
        table: str = "mail_queue",
        columns: Sequence[str] = COLUMNS,
        position: str = "instr",
    ) -> None:
        self._app = app
        self._run = run
        self._row_of = row_of
        self._table = table
        self._columns = ", ".join(columns)
        self._position = position

    def counts(self, up_to: int) -> dict[RowState, int]:
        """See :meth:`.Searcher.counts`."""
        return count_states(self._run, self._table, self._app, up_to)

    def page(
        self, wanted: Search, place: Place | None = None, *, back: bool = False, limit: int = 100
    ) -> Found:
        """See :meth:`.Searcher.page`."""
        if wanted.state in _OPEN and (few := self._few(wanted)) is not None:
            found = self._among(few, wanted, place, back, limit)
        else:
            found = self._within(wanted, place, back, limit)
        if back:
            found.rows.reverse()
        return found

    def _within(self, wanted: Search, place: Place | None, back: bool, limit: int) -> Found:
        """Read the rows in their order, up to a bound."""
        order = _order(wanted.by_change, back)
        stretch = self._stretch(wanted).beyond(place, back)
        for size in (FIRST, SEARCHED):
            end = self._end(wanted, stretch.where, order, size)
            where = stretch.up_to(end, back).where & self._filters(wanted)
            rows = self._rows(self._indexed(wanted) & where, order, limit + 1)
            if len(rows) > limit or end is None:
                break
        if len(rows) > limit:
            return Found(rows[:limit], Place.of(rows[limit - 1]))
        return Found(rows, end, stopped=end is not None)

    def _end(self, wanted: Search, stretch: _Where, order: str, size: int) -> Place | None:
        """Return the place of the last of so many rows; None if there are fewer."""
        where = self._indexed(wanted) & stretch
        found = self._run(
            f"SELECT id, changed FROM {self._table} WHERE {where.text} ORDER BY {order}"
            f" LIMIT 1 OFFSET {size - 1}",
            where.values,
        )
        return Place(*found[0]) if found else None

    def _few(self, wanted: Search) -> list[int] | None:
        """Return the numbers of all rows in the state; None if they are too many."""
        assert wanted.state is not None
        mine = self._mine() & _Where.of(condition(wanted.state)) & _equal("account", wanted.account)
        found = self._run(
            f"SELECT id FROM {self._table} WHERE {mine.text} LIMIT {COUNTED + 1}", mine.values
        )
        return None if len(found) > COUNTED else [number for (number,) in found]

    def _among(
        self, ids: list[int], wanted: Search, place: Place | None, back: bool, limit: int
    ) -> Found:
        """Return the rows that have some of these numbers."""
        if place is not None:
            ids = [one for one in ids if (one > place.row_id if back else one < place.row_id)]
        ids.sort(reverse=not back)
        rows: list[Row] = []
        for chunk in (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK)):
            these = _Where.of(f"id IN ({', '.join(map(str, chunk))})")
            where = these & self._filters(wanted)
            rows += self._rows(where, _order(False, back), limit + 1 - len(rows))
            if len(rows) > limit:
                return Found(rows[:limit], Place.of(rows[limit - 1]))
        return Found(rows)

    def _rows(self, where: _Where, order: str, limit: int) -> list[Row]:
        found = self._run(
            f"SELECT {self._columns} FROM {self._table} WHERE {where.text} ORDER BY {order}"
            f" LIMIT {limit}",
            where.values,
        )
        return [*map(self._row_of, found)]

    # Conditions

    def _mine(self) -> _Where:
        return _Where.of("app = :app", app=self._app)

    def _indexed(self, wanted: Search) -> _Where:
        """Return the conditions that lead to the index of the order."""
        if not wanted.by_change:
            return _Where()
        assert wanted.state is not None
        return self._mine() & _Where.of(condition(wanted.state))

    def _stretch(self, wanted: Search) -> _Stretch:
        """Return the part of the order that has all rows with the wanted times."""
        start, end = wanted.created
        if wanted.by_change:
            # A row changes after it was created.
            since = max(wanted.changed.start, start - _SKEW)
            return _Stretch(
                True,
                None if math.isinf(since) else Place(0, since),
                None if math.isinf(wanted.changed.end) else Place(-1, wanted.changed.end),
            )
        return _Stretch(
            False,
            Place(0 if math.isinf(start) else self._number_at(start - _SKEW)),
            None if math.isinf(end) else Place(self._number_at(end + _SKEW) - 1),
        )

    def _filters(self, wanted: Search) -> _Where:
        """Return all criteria."""
        where = self._mine() & _equal("account", wanted.account)
        if wanted.state is not None:
            # A function, so that no partial index is used, in which SQLite reads all rows.
            where &= _Where.of(f"lower(state) = '{wanted.state}'")
        if wanted.tag is not None:
            where &= self._has("options", "tag", tag_text(wanted.tag))
        if wanted.recipient is not None:
            # As outcomes.to_json() writes the beginning of a recipient: in a text, a backslash
            # precedes the quotation mark. Databases differ in which letters have a lower case.
            text = f"[{json.dumps(wanted.recipient, ensure_ascii=False)}"
            where &= self._has("lower(recipients)", "recipient", text, "lower(:recipient)")
        where &= _between("created", wanted.created) & _between("due", wanted.due)
        # A sum, which no index has. SQLite limits an index by the first of two comparisons, and
        # the one of the stretch is the nearer limit.
        return where & _between("changed", wanted.changed, "changed + 0")

    def _has(self, column: str, name: str, text: str, term: str = "") -> _Where:
        return _Where.of(f"{self._position}({column}, {term or f':{name}'}) > 0", **{name: text})

    def _number_at(self, time: float) -> int:
        """Return the number of the first row that was created at this time or later, by halving
        the range of the numbers."""
        newest = self._run(f"SELECT max(id) FROM {self._table}", {})[0][0] or 0
        low, high = 0, newest + 1
        next_one = f"SELECT id, created FROM {self._table} WHERE id >= :middle ORDER BY id LIMIT 1"
        while low < high:
            middle = (low + high) // 2
            found = self._run(next_one, {"middle": middle})
            if not found or found[0][1] >= time:
                high = middle
            else:
                low = found[0][0] + 1
        return low


@dataclasses.dataclass(frozen=True, slots=True)
class _Where:
    """Conditions that must all hold, and their parameters by name."""

    parts: tuple[str, ...] = ()
    values: Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, *parts: str, **values: t.Any) -> _Where:
        return cls(parts, values)

    @property
    def text(self) -> str:
        return " AND ".join(dict.fromkeys(self.parts))

    def __and__(self, other: _Where) -> _Where:
        return _Where((*self.parts, *other.parts), {**self.values, **other.values})


def _equal(column: str, value: str | None) -> _Where:
    return _Where() if value is None else _Where.of(f"{column} = :{column}", **{column: value})


def _between(column: str, times: Between, term: str = "") -> _Where:
    where = _Where()
    for sign, name, time in ((">=", "start", times.start), ("<", "end", times.end)):
        if not math.isinf(time):
            parameter = f"{column}_{name}"
            where &= _Where.of(f"{term or column} {sign} :{parameter}", **{parameter: time})
    return where


def _order(by_change: bool, back: bool) -> str:
    way = "ASC" if back else "DESC"
    return f"changed {way}, id {way}" if by_change else f"id {way}"


@dataclasses.dataclass(frozen=True, slots=True)
class _Stretch:
    """A part of the order, with the rows at both of its ends.

    :param by_change: Whether it is the order of the changes.
    :param low: Its end with the oldest row; None for all of them.
    :param high: Its end with the newest row; None for all of them.
    """

    by_change: bool
    low: Place | None = None
    high: Place | None = None

    def beyond(self, place: Place | None, back: bool) -> _Stretch:
        """Return the part that follows a place."""
        if place is None:
            return self
        step = 1 if back else -1
        return self.up_to(Place(place.row_id + step, place.changed), not back)

    def up_to(self, place: Place | None, back: bool) -> _Stretch:
        """Return the part up to a place, and the row there."""
        if place is None:
            return self
        if back:
            high = place if self.high is None else min(self.high, place, key=self._key)
            return dataclasses.replace(self, high=high)
        low = place if self.low is None else max(self.low, place, key=self._key)
        return dataclasses.replace(self, low=low)

    def _key(self, place: Place) -> tuple[float, int]:
        return (place.changed if self.by_change else 0.0), place.row_id

    @property
    def where(self) -> _Where:
        """The conditions, with one comparison at each end for the index."""
        where = _Where()
        for sign, name, place in ((">", "low", self.low), ("<", "high", self.high)):
            if place is None:
                continue
            number = {f"{name}_id": place.row_id}
            if self.by_change:
                where &= _Where.of(
                    f"changed {sign}= :{name}_changed",
                    f"(changed {sign} :{name}_changed OR id {sign}= :{name}_id)",
                    **number,
                    **{f"{name}_changed": place.changed},
                )
            else:
                where &= _Where.of(f"id {sign}= :{name}_id", **number)
        return where
