"""Claim rows: which are due, and how one worker gets a row that two want.

On a server a claim locks its rows and skips rows that another worker has locked. In SQLite one
process writes at a time. Either way the second worker does not find the rows waiting.

An index gives the order of the rows. If they had to be sorted, MySQL would lock all that are due,
and a second worker would find none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

import sqlalchemy as sa

from ....errors import QueueError
from ...lease import Lease
from ...row import PRIORITIES
from ...row import Row
from ...row import RowState
from .database import Database
from .insert import row_of
from .listing import searched
from .listing import SqlalchemyListing
from .repeat import repeated
from .statement import Statement

# The most octets of a content that is read with others, and the most contents to keep.
_SMALL, _CONTENTS = 65_536, 100
# The parameters of a statement that claims up to twenty chosen rows.
_PLACES = [f"id{number}" for number in range(20)]


class SqlalchemyClaims(SqlalchemyListing):
    """The due rows of one app, and the contents of claimed rows.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        super().__init__(database, app)
        self._contents: dict[int, bytes] = {}
        contents = database.contents.c
        # Built once, because workers use them again and again: for any origin, and for one.
        self._claims = {there: self._made(self._claim_of(there)) for there in (False, True)}
        self._firsts = {there: self._made(self._first_of_each(there)) for there in (False, True)}
        this: sa.BindParameter[int] = sa.bindparam("this")
        places: list[sa.BindParameter[int]] = [sa.bindparam(name) for name in _PLACES]
        self._claim_some = self._made(self._claiming(self._rows.c.id.in_(places)))
        self._content = self._made(sa.select(contents.octets).where(contents.id == this))
        found = contents.id == self._rows.c.id
        mine = self._rows.c.lease_owner == sa.bindparam("owner")
        small = self._rows.c.size <= _SMALL
        claimed = sa.select(contents.id, contents.octets).join(self._rows, found)
        self._claimed_contents = self._made(
            claimed.where(self._claimed, self._mine_all(), mine, small)
        )

    @repeated
    def claim(
        self, account: str, lease: Lease, now: float, limit: int, origin: str = ""
    ) -> list[Row]:
        # Only a worker that finds a row writes.
        for priority in [found for found, due in self.due(account, origin) if due <= now]:
            first = {"of": account, "urgency": priority, "now": now, "most": limit}
            first |= {"there": origin} if origin else {}
            if found := self._claim(self._claims[bool(origin)], first, lease, now):
                return sorted(found, key=lambda row: (row.due, row.id))
        return []

    def _claim_of(self, there: bool) -> sa.Executable:
        """Return a statement that claims the first rows of a priority that are not locked."""
        columns = self._rows.c
        chosen = self._waiting_rows(sa.bindparam("urgency", type_=sa.Integer), there)
        chosen = chosen.where(columns.due <= sa.bindparam("now")).limit(sa.bindparam("most"))
        chosen = chosen.with_for_update(skip_locked=True)
        if not self.database.kind.updated_rows:
            return chosen.with_only_columns(*columns)
        # In PostgreSQL a CTE runs once, which is not guaranteed for a query inside IN.
        free = sa.select(chosen.cte("chosen").c.id)
        return self._claiming(columns.id.in_(free)).returning(*columns)

    def _claiming(self, chosen: sa.ColumnElement[bool]) -> sa.Update:
        return (
            sa.update(self._rows)
            .where(chosen, self._waiting)
            .values(
                state=RowState.CLAIMED.value,
                attempts=self._rows.c.attempts + 1,
                ended=None,
                lease_owner=sa.bindparam("owner"),
                lease_until=sa.bindparam("until"),
                changed=sa.bindparam("claimed"),
            )
        )

    def _claim(
        self, claim: Statement, values: dict[str, t.Any], lease: Lease, now: float
    ) -> list[Row]:
        new = {"owner": lease.owner, "until": lease.until, "claimed": now}
        if self.database.kind.updated_rows:
            with self.database.quick() as run:
                rows = [*map(row_of, run(claim, values | new))]
        else:
            with self.database.quick(several=True) as run:
                rows = [_claimed(row_of(found), lease, now) for found in run(claim, values)]
                for first in range(0, len(rows), len(_PLACES)):
                    ids = [row.id for row in rows[first : first + len(_PLACES)]]
                    ids += ids[:1] * (len(_PLACES) - len(ids))  # a place too many repeats one
                    run(self._claim_some, {**new, **dict(zip(_PLACES, ids, strict=True))})
        if rows:
            with contextlib.suppress(QueueError):  # the rows are claimed; content() reads each
                self._fetch(lease.owner)
        return rows

    def _fetch(self, owner: str) -> None:
        """Read the small contents of the rows of a claim in one query."""
        with self.database.quick(writes=False) as run:
            read = run(self._claimed_contents, {"owner": owner})
        if len(self._contents) > _CONTENTS:  # of rows that were claimed, and then there was trouble
            self._contents.clear()
        self._contents.update({number: bytes(octets) for number, octets in read})

    def _waiting_rows(self, priority: sa.ColumnElement[int], there: bool) -> sa.Select[t.Any]:
        """Return a query for the waiting rows of an account, the first due first.

        :param there: Whether to select those of one origin only.
        """
        columns = self._rows.c
        mine = (columns.app == self.app) & (columns.account == sa.bindparam("of"))
        waiting = searched(self.database, RowState.WAITING)
        rows = sa.select(columns.id).where(mine, columns.priority == priority, *waiting)
        if there:
            named = columns.origin != sa.literal_column("''")
            rows = rows.where(columns.origin == sa.bindparam("there"), named)
        return rows.order_by(columns.due, columns.id)

    def _first_of_each(self, there: bool) -> sa.Executable:
        """Return a query for the first due time of each priority of an account."""
        firsts = []
        for priority in range(len(PRIORITIES)):
            number = sa.literal(priority)
            rows = self._waiting_rows(number, there).limit(1)
            first = rows.with_only_columns(number.label("priority"), self._rows.c.due)
            firsts.append(first.subquery().select())
        return sa.union_all(*firsts)

    def due(self, account: str, origin: str = "") -> list[tuple[int, float]]:
        values = {"of": account, **({"there": origin} if origin else {})}
        with self.database.quick(writes=False) as run:
            return sorted((row[0], row[1]) for row in run(self._firsts[bool(origin)], values))

    def content(self, row_id: int) -> bytes | None:
        if (octets := self._contents.pop(row_id, None)) is not None:
            return octets
        with self.database.quick(writes=False) as run:
            found = run(self._content, {"this": row_id})
        return bytes(found[0][0]) if found else None


def _claimed(row: Row, lease: Lease, now: float) -> Row:
    """Return a row as the claim writes it."""
    return dataclasses.replace(
        row,
        state=RowState.CLAIMED,
        attempts=row.attempts + 1,
        ended=None,
        lease_owner=lease.owner,
        lease_until=lease.until,
        changed=now,
    )
