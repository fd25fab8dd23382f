"""What a database tells a health check."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from collections.abc import Iterator
from collections.abc import Sequence

import sqlalchemy as sa

from ....errors import QueueError
from ...row import PRIORITIES
from ...row import RowState
from ..base import TablesError
from ..health_facts import AccountFacts
from ..health_facts import AHEAD
from ..health_facts import Claimed
from ..health_facts import HealthFacts
from ..health_facts import MOST
from ..health_facts import MOST_ACCOUNTS
from ..health_facts import SETTLED
from .database import Database
from .database import LOCK_TIMEOUT
from .kinds import MYSQL
from .listing import literal
from .listing import searched

_OPEN = (RowState.WAITING, RowState.CLAIMED)


def read(
    database: Database, app: str, accounts: Sequence[str], recent: float
) -> HealthFacts | None:
    """Return what the database says; None if its tables are created when they are first needed.

    :param accounts: The accounts of the app.
    :param recent: How many seconds count as recent.
    :raises TablesError: if the tables are missing, or are those of another release.
    :raises QueueError: for every other error of the database.
    """
    if not database.kind.on_server and not _is_there(database):
        return None
    try:
        with _reading(database) as connection:
            return _Reader(database, app, connection).read(accounts, recent)
    except TablesError:
        raise
    except QueueError:
        # The tables may be those of an older release. If not, this error is the one to show.
        old = ""
        with contextlib.suppress(QueueError):
            old = _lacking_columns(database)
        if old:
            raise TablesError(old) from None
        raise


def _is_there(database: Database) -> bool:
    """Whether a database of SQLite has the tables. It is not created to find out."""
    path = str(database.engine.url.database)
    if not (path.startswith("file:") or os.path.exists(path)):
        return False
    with database.single(ready=False) as connection:
        found = sa.inspect(connection)
        return found.has_table(database.rows.name) and found.has_table(database.accounts.name)


@contextlib.contextmanager
def _reading(database: Database) -> Iterator[sa.Connection]:
    """Lend a connection. On a server its statements are one transaction."""
    if not database.kind.on_server:
        with database.single(ready=False) as connection:
            yield connection
        return
    with database.write() as connection:  # nothing is written
        database.kind.limit_lock_wait(connection, LOCK_TIMEOUT)
        yield connection


def _lacking_columns(database: Database) -> str:
    """Return which columns are missing, and what to do about it; "" if none is."""
    with database.single(ready=False) as connection:
        inspector = sa.inspect(connection)
        for table in (database.rows, database.accounts):
            there = {one["name"] for one in inspector.get_columns(table.name, table.schema)}
            if lacking := [column.name for column in table.columns if column.name not in there]:
                return (
                    f"The table {table.name} in {database.name} is of an older release: it lacks"
                    f" {', '.join(lacking)}. Update it with Flask-Migrate: flask db migrate, and"
                    " flask db upgrade."
                )
    return ""


class _Reader:
    """Reads on one connection.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str, connection: sa.Connection) -> None:
        self._database = database
        self._columns = database.rows.c
        self._connection = connection
        self._app = app
        # The conditions of the indexes, with the same words as there.
        state = self._columns.state
        self._mine = self._columns.app == app
        self._waiting = state == literal(RowState.WAITING)
        self._finished = state.not_in([literal(one) for one in _OPEN])

    def read(self, accounts: Sequence[str], recent: float) -> HealthFacts:
        now, ahead = self._clock()
        return HealthFacts(
            now=now,
            ahead=ahead,
            accounts=[self._account(name) for name in accounts],
            strangers=[
                name
                for name in self._all_accounts()
                if name not in accounts and self._first_of_each(name)
            ],
            claimed=self._claimed(),
            changed={state: last for state in SETTLED for last in self._last(state, now + AHEAD)},
            recent={state: self._recent(state, now - recent) for state in SETTLED},
            lacking=self._lacking(),
        )

    def _clock(self) -> tuple[float, float]:
        """Return the time, and by how much the server's clock is ahead of that of this machine."""
        if (question := self._database.kind.now) is None:
            return time.time(), 0.0
        before = time.time()
        found = float(self._connection.execute(question).scalar_one())
        return found, found - (before + time.time()) / 2

    def _account(self, name: str) -> AccountFacts:
        table = self._database.accounts
        names = ("paused_until", "pauses", "why", "rate", "rung_until")
        mine = (table.c.app == self._app) & (table.c.account == name)
        stored = sa.select(*(table.c[one] for one in names)).where(mine)
        found = self._connection.execute(stored).mappings().first()
        return AccountFacts(name=name, due=self._first_of_each(name), **(found or {}))

    def _first_of_each(self, account: str) -> dict[int, float]:
        """Return the first due time of each priority of an account."""
        columns = self._columns
        waiting = searched(self._database, RowState.WAITING)
        rows = sa.select(columns.due).where(self._mine, columns.account == account, *waiting)
        rows = rows.order_by(columns.due, columns.id).limit(1)
        return {
            priority: due
            for priority in range(len(PRIORITIES))
            for due in self._values(rows.where(columns.priority == priority))
        }

    def _all_accounts(self) -> Iterator[str]:
        """Yield the accounts that have waiting rows, one look into the index for each. MySQL has no
        index of waiting rows only, so there the account of any row is yielded."""
        account, name = self._columns.account, ""
        parts = [self._mine] if self._database.kind is MYSQL else [self._mine, self._waiting]
        for _ in range(MOST_ACCOUNTS):
            following = sa.select(account).where(*parts, account > name)
            found = self._values(following.order_by(account).limit(1))
            if not found:
                return
            yield (name := found[0])

    def _claimed(self) -> list[Claimed]:
        columns = self._columns
        claimed = columns.state == literal(RowState.CLAIMED)
        rows = sa.select(columns.lease_owner, columns.lease_until).where(claimed, self._mine)
        some = rows.limit(10 * MOST).subquery()
        counted = sa.select(some.c.lease_owner, sa.func.count(), sa.func.max(some.c.lease_until))
        found = self._connection.execute(counted.group_by(some.c.lease_owner))
        return [
            Claimed(owner=owner or "", number=number, until=until or 0.0)
            for owner, number, until in found
        ]

    def _last(self, state: RowState, until: float) -> list[float]:
        """Return when a row came into a state last, up to a time, if there is one."""
        changed = self._columns.changed
        rows = sa.select(changed).where(*self._in_state(state), changed <= until)
        return self._values(rows.order_by(changed.desc()).limit(1))

    def _in_state(self, state: RowState) -> tuple[sa.ColumnElement[bool], ...]:
        return self._mine, self._columns.state == literal(state), self._finished

    def _recent(self, state: RowState, since: float) -> int:
        rows = sa.select(self._columns.id).where(*self._in_state(state))
        rows = rows.where(self._columns.changed > since).limit(MOST)
        counted = sa.select(sa.func.count()).select_from(rows.subquery())
        return int(self._connection.execute(counted).scalar_one())

    def _lacking(self) -> list[str]:
        """Return the tables that may be missing after an update."""
        inspector = sa.inspect(self._connection)
        tables = self._database.events, self._database.suppressed
        return [one.name for one in tables if not inspector.has_table(one.name, schema=one.schema)]

    def _values(self, statement: sa.Select[tuple[t.Any]]) -> list[t.Any]:
        return [*self._connection.execute(statement).scalars()]
