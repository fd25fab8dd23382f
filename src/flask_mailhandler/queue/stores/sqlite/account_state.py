"""What the SQLite store keeps for each account: its pause, its rate limit, and its ring."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Callable

from ....config import Limits
from ...shared_rate_limit import take
from ..base import LONGEST_RING
from ..base import Pause
from .file import SqliteFile

_MINE = "WHERE app = ? AND account = ?"


class SqliteAccounts:
    """The accounts of one app in a file.

    :param app: The name of the app.
    """

    def __init__(self, file: SqliteFile, app: str) -> None:
        self.file: SqliteFile = file
        self.app: str = app

    def take_rate(self, account: str, limits: Limits, now: float, wanted: int) -> tuple[int, float]:
        with self.file.write(durable=False) as connection:
            self._account(connection, account)
            ((found,),) = connection.execute(
                f"SELECT rate FROM mail_queue_account {_MINE}", (self.app, account)
            ).fetchall()
            granted = take(json.loads(found), limits, now, wanted)
            connection.execute(
                f"UPDATE mail_queue_account SET rate = ? {_MINE}",
                (json.dumps(granted.counters), self.app, account),
            )
        return granted.number, granted.wait

    def pause(self, account: str) -> Pause:
        with self.file.read() as connection:
            return self._pause(connection, account)

    def _pause(self, connection: sqlite3.Connection, account: str) -> Pause:
        found = connection.execute(
            f"SELECT paused_until, pauses, why FROM mail_queue_account {_MINE}",
            (self.app, account),
        ).fetchall()
        return Pause(*found[0]) if found else Pause()

    def alter_pause(self, account: str, change: Callable[[Pause], Pause]) -> Pause:
        with self.file.write(durable=False) as connection:
            self._account(connection, account)
            pause = change(self._pause(connection, account))
            connection.execute(
                f"UPDATE mail_queue_account SET paused_until = ?, pauses = ?, why = ? {_MINE}",
                (*dataclasses.astuple(pause), self.app, account),
            )
        return pause

    def ring(self, account: str, now: float, until: float) -> bool:
        with self.file.write(durable=False) as connection:
            self._account(connection, account)
            changed = connection.execute(
                f"UPDATE mail_queue_account SET rung_until = ? {_MINE}"
                # A ring that was recorded by a clock that was ahead is over too.
                " AND NOT rung_until BETWEEN ? AND ?",
                (until, self.app, account, now, now + LONGEST_RING),
            )
            return changed.rowcount == 1

    def answer(self, account: str) -> None:
        with self.file.write(durable=False) as connection:
            connection.execute(
                f"UPDATE mail_queue_account SET rung_until = 0 {_MINE}", (self.app, account)
            )

    def _account(self, connection: sqlite3.Connection, account: str) -> None:
        connection.execute(
            "INSERT INTO mail_queue_account (app, account) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (self.app, account),
        )
