"""What the SQLAlchemy stores keep for each account: its pause, and its rate."""

from __future__ import annotations

import dataclasses
import json

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite

from ..config import Limits
from .rate import take
from .sqlalchemy_database import Database
from .store import Pause


class SqlalchemyAccounts:
    """The accounts of one app in a database.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        self.database: Database = database
        self.app: str = app

    def take_rate(self, account: str, limits: Limits, now: float, wanted: int) -> tuple[int, float]:
        table = self.database.accounts
        with self.database.write(at_once=False) as connection:
            self._account(connection, account)
            rate = sa.select(table.c.rate).where(self._mine(account)).with_for_update()
            found = connection.execute(rate).scalar_one()
            granted = take(json.loads(found), limits, now, wanted)
            counters = json.dumps(granted.counters)
            connection.execute(sa.update(table).where(self._mine(account)).values(rate=counters))
        return granted.number, granted.wait

    def pause(self, account: str) -> Pause:
        table = self.database.accounts
        pause = sa.select(table.c.paused_until, table.c.pauses, table.c.why)
        with self.database.single() as connection:
            found = connection.execute(pause.where(self._mine(account))).first()
        return Pause(*found) if found else Pause()

    def set_pause(self, account: str, pause: Pause) -> None:
        until, times, why = dataclasses.astuple(pause)
        values = {"paused_until": until, "pauses": times, "why": why}
        table = self.database.accounts
        with self.database.write(at_once=False) as connection:
            self._account(connection, account)
            connection.execute(sa.update(table).where(self._mine(account)).values(values))

    def _account(self, connection: sa.Connection, account: str) -> None:
        insert = postgresql.insert if self.database.postgresql else sqlite.insert
        new = insert(self.database.accounts).values(app=self.app, account=account)
        connection.execute(new.on_conflict_do_nothing())

    def _mine(self, account: str) -> sa.ColumnElement[bool]:
        table = self.database.accounts
        return (table.c.app == self.app) & (table.c.account == account)
