"""What the SQLAlchemy store keeps for each account: its pause, its rate limit, and its ring."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from collections.abc import Callable

import sqlalchemy as sa

from ....config import Limits
from ...shared_rate_limit import take
from ..base import LONGEST_RING
from ..base import Pause
from .database import Database
from .insert import clean
from .repeat import repeated
from .statement import Statement

_PAUSE = ("paused_until", "pauses", "why")


class SqlalchemyAccounts:
    """The accounts of one app in a database.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        self.database: Database = database
        self.app: str = app
        names = (database.accounts.c[name] for name in _PAUSE)
        self._pauses = self._made(sa.select(*names).where(self._mine(sa.bindparam("of"))))

    def _made(self, statement: sa.Executable) -> Statement:
        """Return a statement that is run again and again."""
        return Statement(statement, self.database.engine.dialect)

    @repeated
    def take_rate(self, account: str, limits: Limits, now: float, wanted: int) -> tuple[int, float]:
        table = self.database.accounts
        with self.database.write(durable=False) as connection:
            (rate,) = self._locked(connection, account, "rate")
            granted = take(json.loads(rate), limits, now, wanted)
            counters = json.dumps(granted.counters)
            connection.execute(sa.update(table).where(self._mine(account)).values(rate=counters))
        return granted.number, granted.wait

    def pause(self, account: str) -> Pause:
        with self.database.quick(writes=False) as run:
            found = run(self._pauses, {"of": account})
        return Pause(*found[0]) if found else Pause()

    @repeated
    def alter_pause(self, account: str, change: Callable[[Pause], Pause]) -> Pause:
        table = self.database.accounts
        with self.database.write(durable=False) as connection:
            pause = change(Pause(*self._locked(connection, account, *_PAUSE)))
            until, times, why = dataclasses.astuple(pause)
            values = {"paused_until": until, "pauses": times, "why": clean(why)}
            connection.execute(sa.update(table).where(self._mine(account)).values(values))
        return pause

    @repeated
    def ring(self, account: str, now: float, until: float) -> bool:
        table = self.database.accounts
        with self.database.write(durable=False) as connection:
            (before,) = self._locked(connection, account, "rung_until")
            # A ring that was recorded by a clock that was ahead is over too.
            if now <= before <= now + LONGEST_RING:
                return False
            ring = sa.update(table).where(self._mine(account)).values(rung_until=until)
            connection.execute(ring)
        return True

    @repeated
    def answer(self, account: str) -> None:
        table = self.database.accounts
        with self.database.write(durable=False) as connection:
            heard = sa.update(table).where(self._mine(account)).values(rung_until=0.0)
            connection.execute(heard)

    def _locked(self, connection: sa.Connection, account: str, *names: str) -> t.Sequence[t.Any]:
        """Lock the row of an account, which is added if it is missing. Return these columns."""
        table = self.database.accounts
        locked = sa.select(*(table.c[name] for name in names)).where(self._mine(account))
        locked = locked.with_for_update()
        found = connection.execute(locked).first()
        if found is None:
            # Only now: if the row is there, INSERT IGNORE of MySQL takes a shared lock on it. Two
            # transactions that have one cannot both change the row.
            new = {"app": self.app, "account": account, "why": "", "rate": "{}"}
            self.database.kind.insert_missing(connection, table, [new])
            found = connection.execute(locked).one()
        return found

    def _mine(self, account: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
        table = self.database.accounts
        return (table.c.app == self.app) & (table.c.account == account)
