"""The store in the app's database, through SQLAlchemy."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence

import sqlalchemy as sa

from ....errors import MessageError
from ....errors import QueueError
from ...lease import Lease
from ...process import process_mark
from ...row import CHANGING
from ...row import Row
from ...row import RowState
from ...ticket import Ticket
from ..base import Filter
from .app_session import JoinedSession
from .claim import SqlalchemyClaims
from .database import Database
from .history import SqlalchemyHistory
from .insert import row_of
from .insert import values_of
from .listing import literal
from .postgresql import later
from .postgresql import settlement
from .postgresql import settlement_and_announcement
from .repeat import repeated
from .statement import Run

if t.TYPE_CHECKING:
    from ..health_facts import HealthFacts


class SqlalchemyStore(SqlalchemyClaims):
    """The rows of one app in a database.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        super().__init__(database, app)
        self.history: SqlalchemyHistory = SqlalchemyHistory(database, app)
        columns = self._rows.c
        this: sa.BindParameter[int] = sa.bindparam("this")
        owner = columns.lease_owner == sa.bindparam("owner")
        drop = sa.delete(database.contents).where(database.contents.c.id == this)
        announce = sa.update(self._rows).where(self._claimed, owner)
        announce = announce.values(ended=sa.bindparam("note"))
        following: sa.BindParameter[int] = sa.bindparam("following")
        announce = announce.where(columns.id == following)
        mine = columns.state.in_([literal(RowState.CLAIMED), literal(RowState.HELD)])
        settle = sa.update(self._rows).where(columns.id == this, mine, owner)
        self._drop = self._made(drop)
        self._settle = self._made(settle.values({name: sa.bindparam(name) for name in CHANGING}))
        owners = sa.select(columns.lease_owner).distinct()
        self._owners = self._made(owners.where(self._claimed, self._mine_all()))
        if database.kind.one_statement:
            self._announce_later = self._made(announce.returning(columns.id, later()))
            parts = this, database.contents, CHANGING
            self._settlement = self._made(settlement(settle, *parts))
            self._settle_and_announce = self._made(
                settlement_and_announcement(settle, announce, *parts)
            )
        # Last, because a statement remembers that it returned no column when it was compiled.
        self._announce = self._made(announce)

    @property
    def begun(self) -> bool:
        return True  # another process may have added rows, on another machine

    @repeated
    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        keyed = any(row.key is not None for row, _ in rows)
        if len(rows) == 1 and not keyed:
            several = not self.database.kind.one_statement
            with self.database.quick(several=several) as run:
                return [self.database.insertion.insert_new(run, *rows[0])]
        with self.database.write() as connection:
            if keyed:  # another transaction may be adding the same key
                self.database.limit_lock_wait(connection)
            return self.database.insertion.insert(connection, rows)

    def join(self, session: t.Any) -> JoinedSession:
        return JoinedSession.of(session, self.database)

    def now(self) -> float:
        return self.database.clock.now()

    def new_owner(self) -> str:
        try:
            run = self.database.server_run()
        except QueueError:
            run = ""
        return f"{run}.{process_mark()}.{os.urandom(12).hex()}"

    def remembers(self, owner: str) -> bool:
        # Without a known run, every announcement is written to the disk at once. A worker that has
        # outlived a crash is not believed either, so a few more rows are held.
        run = _run_of(owner)
        return not run or run == self.database.server_run()

    @repeated
    def renew(self, lease: Lease) -> None:
        columns = self._rows.c
        mine = sa.select(columns.id).where(self._claimed, self._mine_all())
        mine = mine.where(columns.lease_owner == lease.owner)
        with self.database.write(durable=False) as connection:
            # A locked row is skipped: it is being given back or settled.
            free = connection.execute(mine.with_for_update(skip_locked=True)).scalars()
            renewed = sa.update(self._rows).where(columns.id.in_([*free]), self._claimed)
            connection.execute(renewed.values(lease_until=lease.until))

    @repeated
    def announce(self, row_id: int, owner: str, ended: str) -> bool:
        values = {"following": row_id, "owner": owner, "note": ended}
        durable = not _run_of(owner)
        lazily = self.database.kind.one_statement and not durable
        announce = self._announce_later if lazily else self._announce
        with self.database.quick(durable=durable) as run:
            return bool(run(announce, values))

    @repeated
    def settle(self, row: Row, owner: str, *, drop: bool = False) -> bool:
        self._contents.pop(row.id, None)
        if self.database.kind.one_statement:
            values = {**_changing(row), "owner": owner, "drop": drop}
            with self.database.quick() as run:
                return bool(run(self._settlement, values))
        with self.database.quick(durable=False, several=drop) as run:
            return self._settle_one(run, {**_changing(row), "owner": owner}, drop)

    def _settle_one(self, run: Run, values: dict[str, t.Any], drop: bool) -> bool:
        found = run(self._settle, values)
        if drop and found:
            run(self._drop, {"this": values["this"]})
        return bool(found)

    # Not repeated as a whole: a second settle() would not find the row that the first has written.
    def settle_and_announce(
        self, row: Row, following: int, owner: str, ended: str, *, drop: bool = False
    ) -> tuple[bool, bool]:
        if not _run_of(owner):  # an announcement is on the disk when it returns, a result later
            return self.settle(row, owner, drop=drop), self.announce(following, owner, ended)
        self._contents.pop(row.id, None)
        values = {**_changing(row), "owner": owner}
        note = {"following": following, "owner": owner, "note": ended}
        whole = self.database.kind.one_statement
        with self.database.quick(durable=False, several=not whole) as run:
            if whole:
                both = {**values, **note, "drop": drop}
                ((settled, announced, _),) = run(self._settle_and_announce, both)
                return bool(settled), bool(announced)
            settled = self._settle_one(run, values, drop)
            return settled, bool(run(self._announce, note))

    @repeated
    def release(self, ids: Collection[int], owner: str) -> None:
        if not ids:
            return
        for row_id in ids:
            self._contents.pop(row_id, None)
        columns = self._rows.c
        mine = sa.select(columns.id).where(columns.id.in_(ids), self._claimed)
        mine = mine.where(columns.lease_owner == owner, columns.ended.is_(None))
        # In the same order as alter(), so that the two cannot deadlock.
        mine = mine.order_by(columns.id).with_for_update()
        back = {"state": RowState.WAITING.value, "lease_owner": None, "lease_until": None}
        with self.database.write(durable=False) as connection:
            found = [*connection.execute(mine).scalars()]
            released = sa.update(self._rows).where(columns.id.in_(found), self._claimed)
            connection.execute(released.values(attempts=columns.attempts - 1, **back))

    def owners(self) -> set[str]:
        with self.database.quick(writes=False) as run:
            return {owner for (owner,) in run(self._owners, {})}

    def lost(self, now: float, longest: float, dead: Collection[str] = ()) -> list[Row]:
        columns = self._rows.c
        until = columns.lease_until
        over = (until < now) | (until > now + longest) | columns.lease_owner.in_(dead)
        return self._read(sa.select(self._rows).where(self._claimed, self._mine_all(), over))

    @repeated
    def pull(self, now: float, longest: float) -> int:
        columns = self._rows.c
        ahead = columns.changed - now
        # The clocks of several machines may differ by a minute.
        pull = sa.update(self._rows).where(self._mine_all(), self._waiting)
        pull = pull.where(columns.changed > now + 60, columns.due <= columns.changed + longest)
        with self.database.write(durable=False) as connection:
            # MySQL sets one column after the other, in the order of the table: "changed" is last.
            return connection.execute(
                pull.values(due=columns.due - ahead, expires=columns.expires - ahead, changed=now)
            ).rowcount

    def health_facts(self, accounts: Sequence[str], recent: float) -> HealthFacts | None:
        from .health_facts import read

        return read(self.database, self.app, accounts, recent)

    @repeated
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
        # In one order, so that two workers that do this cannot deadlock.
        read = read.order_by(columns.id).with_for_update()
        write = sa.update(self._rows).where(columns.id == sa.bindparam("this"))
        write = write.values({name: sa.bindparam(name) for name in CHANGING})
        with self.database.write() as connection:
            self.database.limit_lock_wait(connection)
            found = [*map(row_of, connection.execute(read))]
            changed = [row for row in map(change, found) if row is not None]
            if changed:
                connection.execute(write, [*map(_changing, changed)])
        return changed

    def close(self) -> None:
        self.database.close()

    def check(self, row: Row) -> None:
        largest = self.database.largest
        if largest is not None and row.size > largest:
            raise MessageError(
                f"The message has {row.size} octets, and max_allowed_packet of the database server"
                f" allows {largest}. Send a link to large files instead, or set max_allowed_packet"
                f" to {_packet_of(row.size)}M or more."
            )

    def __str__(self) -> str:
        return self.database.name

    def __repr__(self) -> str:
        return f"<SqlalchemyStore {self.database.name}>"


def _run_of(owner: str) -> str:
    """Return the run of the database in which a worker has begun, if it is known."""
    run, dot, _ = owner.partition(".")
    return run if dot else ""


def _packet_of(octets: int) -> int:
    """Return the MiB of a packet that holds a content."""
    return 2 * octets // 2**20 + 1


def _changing(row: Row) -> dict[str, t.Any]:
    values = values_of(row)
    return {"this": row.id, **{name: values[name] for name in CHANGING}}
