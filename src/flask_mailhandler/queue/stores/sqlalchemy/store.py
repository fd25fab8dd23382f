"""Rows in the app's own database, SQLite or PostgreSQL, through SQLAlchemy."""

from __future__ import annotations

import contextlib
import os
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence

import sqlalchemy as sa

from ....errors import QueueError
from ...lease import Lease
from ...process import process_mark
from ...row import CHANGING
from ...row import PRIORITIES
from ...row import Row
from ...row import RowState
from ...ticket import Ticket
from ..base import Filter
from .database import Database
from .insert import row_of
from .insert import values_of
from .listing import literal
from .listing import SqlalchemyListing
from .postgresql import later
from .postgresql import settlement
from .session import JoinedSession

# Octets that are fetched with many others, and rows of which they may lie about.
_SMALL, _AT_HAND = 65_536, 100


class SqlalchemyStore(SqlalchemyListing):
    """The rows of one app in a database.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        super().__init__(database, app)
        self._at_hand: dict[int, bytes] = {}
        columns = self._rows.c
        # What is asked again and again is put together once; of whatever origin, or of one.
        self._claims = {there: self._claim_of(there) for there in (False, True)}
        self._firsts = {there: self._first_of_each(there) for there in (False, True)}
        this: sa.BindParameter[int] = sa.bindparam("this")
        owner = columns.lease_owner == sa.bindparam("owner")
        self._content = sa.select(database.contents.c.octets).where(database.contents.c.id == this)
        self._drop = sa.delete(database.contents).where(database.contents.c.id == this)
        announce = sa.update(self._rows).where(columns.id == this, self._claimed, owner)
        announce = announce.values(ended=sa.bindparam("ended"))
        self._announce = announce.returning(columns.id)
        self._announce_later = announce.returning(columns.id, later())
        mine = columns.state.in_([literal(RowState.CLAIMED), literal(RowState.HELD)])
        self._settle = sa.update(self._rows).where(columns.id == this, mine, owner)
        self._settlement = settlement(self._settle, database.contents, CHANGING)

    @property
    def begun(self) -> bool:
        return True  # perhaps by another process, on another machine

    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        keyed = any(row.key is not None for row, _ in rows)
        if len(rows) == 1 and self.database.postgresql and not keyed:
            with self.database.single() as connection:
                return self.database.insertion.insert(connection, rows)
        with self.database.write() as connection:
            if keyed:  # and another transaction may have this very key
                self.database.be_patient(connection)
            return self.database.insertion.insert(connection, rows)

    def join(self, session: t.Any) -> JoinedSession:
        return JoinedSession.of(session, self.database)

    def now(self) -> float:
        return self.database.clock.now()

    def claim(
        self, account: str, lease: Lease, now: float, limit: int, origin: str = ""
    ) -> list[Row]:
        # Only who finds something writes.
        for priority in [found for found, due in self.due(account, origin) if due <= now]:
            first = {"of": account, "urgency": priority, "now": now, "most": limit}
            first |= {"there": origin} if origin else {}
            if found := self._claim(self._claims[bool(origin)], first, lease, now):
                return sorted(found, key=lambda row: (row.due, row.id))
        return []

    def _claim_of(self, there: bool) -> sa.Executable:
        """Claim the first rows of a priority that nobody has in hand."""
        columns = self._rows.c
        chosen = self._waiting_rows(sa.bindparam("urgency", type_=sa.Integer), there)
        chosen = chosen.where(columns.due <= sa.bindparam("now")).limit(sa.bindparam("most"))
        claim = sa.update(self._rows).where(columns.id.in_(self._free(chosen)), self._waiting)
        return claim.values(
            state=RowState.CLAIMED.value,
            attempts=columns.attempts + 1,
            ended=None,
            lease_owner=sa.bindparam("owner"),
            lease_until=sa.bindparam("until"),
            changed=sa.bindparam("claimed"),
        ).returning(*columns)

    def _claim(
        self, claim: sa.Executable, values: dict[str, t.Any], lease: Lease, now: float
    ) -> list[Row]:
        values |= {"owner": lease.owner, "until": lease.until, "claimed": now}
        with self.database.change() as connection:
            rows = [*map(row_of, connection.execute(claim, values))]
        with contextlib.suppress(QueueError):  # they are claimed, and can be fetched one by one
            self._fetch([row.id for row in rows if row.size <= _SMALL])
        return rows

    def _fetch(self, ids: Collection[int]) -> None:
        """Have the octets of claimed rows at hand: one question for many of them."""
        if not ids:
            return
        contents = self.database.contents.c
        wanted = sa.select(contents.id, contents.octets).where(contents.id.in_(ids))
        with self.database.single() as connection:
            found = {number: bytes(octets) for number, octets in connection.execute(wanted)}
        if len(self._at_hand) > _AT_HAND:  # of rows that were claimed, and then there was trouble
            self._at_hand.clear()
        self._at_hand.update(found)

    def _waiting_rows(self, priority: sa.ColumnElement[int], there: bool) -> sa.Select[t.Any]:
        """The rows of an account that wait, first by their due time.

        :param there: Only those of an origin, in the words of its index.
        """
        columns = self._rows.c
        mine = (columns.app == self.app) & (columns.account == sa.bindparam("of"))
        rows = sa.select(columns.id).where(mine, columns.priority == priority, self._waiting)
        if there:
            named = columns.origin != sa.literal_column("''")
            rows = rows.where(columns.origin == sa.bindparam("there"), named)
        return rows.order_by(columns.due, columns.id)

    def _first_of_each(self, there: bool) -> sa.Executable:
        """The due time of the first row of each priority of an account."""
        firsts = []
        for priority in range(len(PRIORITIES)):
            number = sa.literal(priority)
            rows = self._waiting_rows(number, there).limit(1)
            first = rows.with_only_columns(number.label("priority"), self._rows.c.due)
            firsts.append(first.subquery().select())
        return sa.union_all(*firsts)

    def due(self, account: str, origin: str = "") -> list[tuple[int, float]]:
        values = {"of": account, **({"there": origin} if origin else {})}
        with self.database.single() as connection:
            found: Sequence[t.Any] = connection.execute(self._firsts[bool(origin)], values).all()
        return sorted((row[0], row[1]) for row in found)

    def content(self, row_id: int) -> bytes | None:
        if (octets := self._at_hand.pop(row_id, None)) is not None:
            return octets
        with self.database.single() as connection:
            found = connection.execute(self._content, {"this": row_id}).scalar()
        return None if found is None else bytes(found)

    def new_owner(self) -> str:
        try:
            life = self.database.life()
        except QueueError:
            life = ""
        return f"{life}.{process_mark()}.{os.urandom(12).hex()}"

    def remembers(self, owner: str) -> bool:
        # Without such a life every announcement is written to the disk at once. A worker that has
        # outlived a crash is not believed either: then a person decides about a few rows more.
        life = _life(owner)
        return not life or life == self.database.life()

    def renew(self, lease: Lease) -> None:
        columns = self._rows.c
        # Who has one of them in hand at this moment is about to give it back, or to settle it.
        mine = sa.select(columns.id).where(self._claimed, columns.lease_owner == lease.owner)
        self._change(
            sa.update(self._rows)
            .where(columns.id.in_(self._free(mine)), self._claimed)
            .values(lease_until=lease.until)
        )

    def announce(self, row_id: int, owner: str, ended: str) -> bool:
        values = {"this": row_id, "owner": owner, "ended": ended}
        at_once = not _life(owner)
        later = self.database.postgresql and not at_once
        announce = self._announce_later if later else self._announce
        with self.database.change(at_once=at_once) as connection:
            return connection.execute(announce, values).first() is not None

    def settle(self, row: Row, owner: str, *, drop: bool = False) -> bool:
        self._at_hand.pop(row.id, None)
        if self.database.postgresql:
            values = {**_changing(row), "owner": owner, "drop": drop}
            with self.database.single() as connection:
                return connection.execute(self._settlement, values).first() is not None
        with self.database.write(at_once=False) as connection:
            found = connection.execute(self._settle, {**_changing(row), "owner": owner})
            if drop and found.rowcount:
                connection.execute(self._drop, {"this": row.id})
        return found.rowcount == 1

    def release(self, ids: Collection[int], owner: str) -> None:
        if not ids:
            return
        for row_id in ids:
            self._at_hand.pop(row_id, None)
        columns = self._rows.c
        mine = sa.select(columns.id).where(columns.id.in_(ids), self._claimed)
        mine = mine.where(columns.lease_owner == owner, columns.ended.is_(None))
        # In the order of :meth:`alter`.
        mine = mine.order_by(columns.id).with_for_update()
        self._change(
            sa.update(self._rows)
            .where(columns.id.in_(sa.select(mine.cte("mine").c.id)), self._claimed)
            .values(
                state=RowState.WAITING.value,
                attempts=columns.attempts - 1,
                lease_owner=None,
                lease_until=None,
            )
        )

    def owners(self) -> set[str]:
        owner = self._rows.c.lease_owner
        found = sa.select(owner).distinct().where(self._claimed, self._mine_all())
        with self.database.single() as connection:
            return {*connection.execute(found).scalars()}

    def lost(self, now: float, longest: float, dead: Collection[str] = ()) -> list[Row]:
        columns = self._rows.c
        until = columns.lease_until
        over = (until < now) | (until > now + longest) | columns.lease_owner.in_(dead)
        return self._read(sa.select(self._rows).where(self._claimed, self._mine_all(), over))

    def pull(self, now: float, longest: float) -> int:
        columns = self._rows.c
        ahead = columns.changed - now
        # A minute is what clocks of several machines may differ by.
        return self._change(
            sa.update(self._rows)
            .where(self._mine_all(), self._waiting, columns.changed > now + 60)
            .where(columns.due <= columns.changed + longest)
            .values(due=columns.due - ahead, expires=columns.expires - ahead, changed=now)
        )

    def alter(
        self,
        ids: Collection[int],
        was: Collection[RowState],
        change: Callable[[Row], Row | None],
    ) -> list[Row]:
        if not ids:
            return []
        columns = self._rows.c
        read = sa.select(self._rows).where(*self._where(Filter(was, ids=ids)))
        # In one order, so that two who do this wait for each other and never in a circle.
        read = read.order_by(columns.id).with_for_update()
        write = sa.update(self._rows).where(columns.id == sa.bindparam("this"))
        write = write.values({name: sa.bindparam(name) for name in CHANGING})
        with self.database.write() as connection:
            self.database.be_patient(connection)
            found = [*map(row_of, connection.execute(read))]
            changed = [row for row in map(change, found) if row is not None]
            if changed:
                connection.execute(write, [*map(_changing, changed)])
        return changed

    def close(self) -> None:
        self.database.close()

    def _change(self, statement: sa.Update) -> int:
        with self.database.write(at_once=False) as connection:
            return connection.execute(statement).rowcount

    def __str__(self) -> str:
        return self.database.name

    def __repr__(self) -> str:
        return f"<SqlalchemyStore {self.database.name}>"


def _life(owner: str) -> str:
    """In which life of the database a worker has begun, if that can be told."""
    life, dot, _ = owner.partition(".")
    return life if dot else ""


def _changing(row: Row) -> dict[str, t.Any]:
    values = values_of(row)
    return {"this": row.id, **{name: values[name] for name in CHANGING}}
