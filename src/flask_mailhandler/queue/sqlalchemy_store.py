"""Rows in the app's own database, SQLite or PostgreSQL, through SQLAlchemy."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Collection
from collections.abc import Sequence

import sqlalchemy as sa

from ..errors import QueueError
from .row import PRIORITIES
from .row import Row
from .row import RowState
from .sqlalchemy_accounts import SqlalchemyAccounts
from .sqlalchemy_database import Database
from .sqlalchemy_postgresql import later
from .sqlalchemy_postgresql import settlement
from .sqlalchemy_rows import row_of
from .sqlalchemy_rows import values_of
from .sqlalchemy_session import JoinedSession
from .store import Filter
from .store import Lease
from .ticket import Ticket

_CHANGING = (
    *("priority", "due", "expires", "changed", "state", "attempts"),
    *("lease_owner", "lease_until", "ended", "options", "recipients", "error"),
)
_OPEN = (RowState.WAITING, RowState.CLAIMED)


class SqlalchemyStore(SqlalchemyAccounts):
    """The rows of one app in a database.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        super().__init__(database, app)
        self._rows = database.rows
        columns = self._rows.c
        # The conditions of the indexes, as they stand there.
        self._waiting = _is(columns, RowState.WAITING)
        self._claimed = _is(columns, RowState.CLAIMED)
        self._finished = columns.state.not_in([_literal(state) for state in _OPEN])
        # What is asked for each message is put together once.
        this: sa.BindParameter[int] = sa.bindparam("this")
        owner = columns.lease_owner == sa.bindparam("owner")
        self._content = sa.select(database.contents.c.octets).where(database.contents.c.id == this)
        self._drop = sa.delete(database.contents).where(database.contents.c.id == this)
        announce = sa.update(self._rows).where(columns.id == this, self._claimed, owner)
        announce = announce.values(ended=sa.bindparam("ended"))
        self._announce = announce.returning(columns.id)
        self._announce_later = announce.returning(columns.id, later())
        mine = columns.state.in_([_literal(RowState.CLAIMED), _literal(RowState.HELD)])
        self._settle = sa.update(self._rows).where(columns.id == this, mine, owner)
        self._settlement = settlement(self._settle, database.contents, _CHANGING)

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

    def claim(self, account: str, lease: Lease, now: float, limit: int) -> list[Row]:
        columns = self._rows.c
        # Only who finds something writes.
        for priority in [found for found, due in self.due(account) if due <= now]:
            first = self._waiting_rows(account, priority).where(columns.due <= now)
            first = first.order_by(columns.due, columns.id).limit(limit)
            if found := self._claim(first, lease, now):
                return sorted(found, key=lambda row: (row.due, row.id))
        return []

    def claim_these(self, ids: Collection[int], lease: Lease, now: float) -> list[Row]:
        if not ids:
            return []
        columns = self._rows.c
        chosen = sa.select(columns.id).where(
            columns.id.in_(ids), columns.app == self.app, self._waiting, columns.due <= now
        )
        found = self._claim(chosen, lease, now)
        return sorted(found, key=lambda row: (row.priority, row.due, row.id))

    def _claim(self, chosen: sa.Select[t.Any], lease: Lease, now: float) -> list[Row]:
        columns = self._rows.c
        claim = (
            sa.update(self._rows)
            .where(columns.id.in_(self._free(chosen)), self._waiting)
            .values(
                state=RowState.CLAIMED.value,
                attempts=columns.attempts + 1,
                ended=None,
                lease_owner=lease.owner,
                lease_until=lease.until,
                changed=now,
            )
            .returning(*columns)
        )
        with self.database.single() as connection:
            return [*map(row_of, connection.execute(claim))]

    def _free(self, chosen: sa.Select[t.Any]) -> sa.Select[t.Any]:
        """Those of the chosen rows that nobody has in hand at this moment. PostgreSQL carries out
        the expression once, which it does not promise for what stands in an IN."""
        expression = chosen.with_for_update(skip_locked=True).cte("chosen")
        return sa.select(expression.c.id)

    def _waiting_rows(self, account: str, priority: int) -> sa.Select[t.Any]:
        columns = self._rows.c
        mine = (columns.app == self.app) & (columns.account == account)
        return sa.select(columns.id).where(mine, columns.priority == priority, self._waiting)

    def due(self, account: str) -> list[tuple[int, float]]:
        columns = self._rows.c
        firsts = []
        for priority in range(len(PRIORITIES)):
            rows = self._waiting_rows(account, priority).order_by(columns.due).limit(1)
            first = rows.with_only_columns(sa.literal(priority).label("priority"), columns.due)
            firsts.append(first.subquery().select())
        with self.database.single() as connection:
            found: Sequence[t.Any] = connection.execute(sa.union_all(*firsts)).all()
        return sorted((row[0], row[1]) for row in found)

    def content(self, row_id: int) -> bytes | None:
        with self.database.single() as connection:
            found = connection.execute(self._content, {"this": row_id}).scalar()
        return None if found is None else bytes(found)

    def new_owner(self) -> str:
        try:
            life = self.database.life()
        except QueueError:
            life = ""
        return f"{life}.{os.urandom(12).hex()}"

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
        announce = self._announce_later if _life(owner) else self._announce
        with self.database.single() as connection:
            return connection.execute(announce, values).first() is not None

    def settle(self, row: Row, owner: str, *, drop: bool = False) -> bool:
        # If it is gone when the database's machine goes down, the row is held.
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
        columns = self._rows.c
        self._change(
            sa.update(self._rows)
            .where(columns.id.in_(ids), self._claimed, columns.lease_owner == owner)
            .values(
                state=RowState.WAITING.value,
                attempts=columns.attempts - 1,
                lease_owner=None,
                lease_until=None,
            )
        )

    def lost(self, now: float, longest: float) -> list[Row]:
        until = self._rows.c.lease_until
        over = (until < now) | (until > now + longest)
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

    def get(self, row_id: int) -> Row | None:
        return next(iter(self.rows(Filter(ids=[row_id]), 1)), None)

    def accounts(self) -> set[str]:
        account = self._rows.c.account
        found = sa.select(account).distinct().where(self._mine_all(), self._waiting)
        with self.database.single() as connection:
            return {*connection.execute(found).scalars()}

    def rows(self, wanted: Filter, limit: int) -> list[Row]:
        columns = self._rows.c
        order = columns.changed if wanted.states else columns.id  # what an index has
        found = sa.select(self._rows).where(*self._where(wanted))
        return self._read(found.order_by(order.desc()).limit(limit))

    def counts(self, account: str | None = None) -> dict[RowState, int]:
        state = self._rows.c.state
        where = self._where(Filter(account=account))
        # One question for each index.
        parts = [
            sa.select(state, sa.func.count()).where(*where, index).group_by(state)
            for index in (self._waiting, self._claimed, self._finished)
        ]
        with self.database.single() as connection:
            found = connection.execute(sa.union_all(*parts)).all()
        return {RowState(state): number for state, number in found}

    def rewrite(self, rows: Sequence[Row], was: Collection[RowState], *, drop: bool = False) -> int:
        columns = self._rows.c
        states = [RowState(state).value for state in was]
        rewrite = sa.update(self._rows).where(
            columns.id == sa.bindparam("this"), columns.state.in_(states)
        )
        written = 0
        with self.database.write() as connection:
            for row in rows:
                found = connection.execute(rewrite, _changing(row))
                written += found.rowcount
                if drop and found.rowcount:
                    connection.execute(self._drop, {"this": row.id})
        return written

    def purge(self, wanted: Filter, limit: int) -> int:
        columns, contents = self._rows.c, self.database.contents
        old = sa.select(columns.id).where(*self._where(wanted), self._finished)
        old = old.order_by(columns.changed).limit(limit)
        with self.database.write() as connection:
            purge = sa.delete(self._rows).where(columns.id.in_(self._free(old)))
            ids = [*connection.execute(purge.returning(columns.id)).scalars()]
            connection.execute(sa.delete(contents).where(contents.c.id.in_(ids)))
        return len(ids)

    def close(self) -> None:
        self.database.close()

    def _change(self, statement: sa.Update) -> int:
        with self.database.write(at_once=False) as connection:
            return connection.execute(statement).rowcount

    def _read(self, statement: sa.Select[t.Any]) -> list[Row]:
        with self.database.single() as connection:
            return [*map(row_of, connection.execute(statement))]

    def _mine_all(self) -> sa.ColumnElement[bool]:
        return self._rows.c.app == self.app

    def _where(self, wanted: Filter) -> list[sa.ColumnElement[bool]]:
        columns = self._rows.c
        parts = [self._mine_all()]
        if wanted.ids:
            parts.append(columns.id.in_(wanted.ids))
        if states := {*wanted.states}:
            # In words and not as values: an index is for certain states.
            parts.append(columns.state.in_([_literal(RowState(state)) for state in wanted.states]))
            parts += [self._waiting] if states == {RowState.WAITING} else []
            parts += [self._claimed] if states == {RowState.CLAIMED} else []
            parts += [self._finished] if states.isdisjoint(_OPEN) else []
        if wanted.account is not None:
            parts.append(columns.account == wanted.account)
        if wanted.before is not None:
            parts.append(columns.changed < wanted.before)
        return parts

    def __str__(self) -> str:
        return self.database.name

    def __repr__(self) -> str:
        return f"<SqlalchemyStore {self.database.name}>"


def _literal(state: RowState) -> sa.ColumnElement[str]:
    return sa.literal_column(f"'{state.value}'")


def _is(columns: t.Any, state: RowState) -> sa.ColumnElement[bool]:
    return t.cast("sa.ColumnElement[bool]", columns.state == _literal(state))


def _life(owner: str) -> str:
    """In which life of the database a worker has begun, if that can be told."""
    life, dot, _ = owner.partition(".")
    return life if dot else ""


def _changing(row: Row) -> dict[str, t.Any]:
    values = values_of(row)
    return {"this": row.id, **{name: values[name] for name in _CHANGING}}
