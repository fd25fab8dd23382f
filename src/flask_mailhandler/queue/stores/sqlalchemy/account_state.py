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


class SqlalchemyAccounts:
    """The accounts of one app in a database.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        self.database: Database = database
        self.app: str = app
        self._pauses = self._made(self._pause(sa.bindparam("of")))

    def _made(self, statement: sa.Executable) -> Statement:
        """Return a statement that is run again and again."""
        return Statement(statement, self.database.engine.dialect)

    @repeated
    def take_rate(self, account: str, limits: Limits, now: float, wanted: int) -> tuple[int, float]:
        table = self.database.accounts
        with self.database.write(durable=False) as connection:
            self._account(connection, account)
            rate = sa.select(table.c.rate).where(self._mine(account)).with_for_update()
            found = connection.execute(rate).scalar_one()
            granted = take(json.loads(found), limits, now, wanted)
            counters = json.dumps(granted.counters)
            connection.execute(sa.update(table).where(self._mine(account)).values(rate=counters))
        return granted.number, granted.wait

    def pause(self, account: str) -> Pause:
        with self.database.quick(writes=False) as run:
            found = run(self._pauses, {"of": account})
        return Pause(*found[0]) if found else Pause()

    def _pause(self, account: str | sa.BindParameter[str]) -> sa.Select[t.Any]:
        names = ("paused_until", "pauses", "why")
        pause = sa.select(*(self.database.accounts.c[name] for name in names))
        return pause.where(self._mine(account))

    @repeated
    def alter_pause(self, account: str, change: Callable[[Pause], Pause]) -> Pause:
        table = self.database.accounts
        with self.database.write(durable=False) as connection:
            self._account(connection, account)
            found = connection.execute(self._pause(account).with_for_update()).one()
            pause = change(Pause(*found))
            until, times, why = dataclasses.astuple(pause)
            values = {"paused_until": until, "pauses": times, "why": clean(why)}
            connection.execute(sa.update(table).where(self._mine(account)).values(values))
        return pause

    @repeated
    def ring(self, account: str, now: float, until: float) -> bool:
        table = self.database.accounts
        # A ring that was recorded by a clock that was ahead is over too.
        over = sa.not_(table.c.rung_until.between(now, now + LONGEST_RING))
        with self.database.write(durable=False) as connection:
            self._account(connection, account)
            ring = sa.update(table).where(self._mine(account), over).values(rung_until=until)
            return connection.execute(ring).rowcount == 1

    @repeated
    def answer(self, account: str) -> None:
        table = self.database.accounts
        with self.database.write(durable=False) as connection:
            heard = sa.update(table).where(self._mine(account)).values(rung_until=0.0)
            connection.execute(heard)

    def _account(self, connection: sa.Connection, account: str) -> None:
        new = {"app": self.app, "account": account, "why": "", "rate": "{}"}
        self.database.kind.insert_missing(connection, self.database.accounts, [new])

    def _mine(self, account: str | sa.BindParameter[str]) -> sa.ColumnElement[bool]:
        table = self.database.accounts
        return (table.c.app == self.app) & (table.c.account == account)
