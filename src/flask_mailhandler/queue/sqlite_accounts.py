"""What the SQLite store keeps for each account: its pause, and its rate."""

from __future__ import annotations

import dataclasses
import json
import sqlite3

from ..config import Limits
from .rate import take
from .sqlite_file import SqliteFile
from .store import Pause

_MINE = "WHERE app = ? AND account = ?"


class SqliteAccounts:
    """The accounts of one app in a file.

    :param app: The name of the app.
    """

    def __init__(self, file: SqliteFile, app: str) -> None:
        self.file: SqliteFile = file
        self.app: str = app

    def take_rate(self, account: str, limits: Limits, now: float, wanted: int) -> tuple[int, float]:
        with self.file.write(at_once=False) as connection:
            self._account(connection, account)
            (found,) = connection.execute(
                f"SELECT rate FROM mail_queue_account {_MINE}", (self.app, account)
            ).fetchone()
            granted = take(json.loads(found), limits, now, wanted)
            connection.execute(
                f"UPDATE mail_queue_account SET rate = ? {_MINE}",
                (json.dumps(granted.counters), self.app, account),
            )
        return granted.number, granted.wait

    def pause(self, account: str) -> Pause:
        with self.file.read() as connection:
            found = connection.execute(
                f"SELECT paused_until, pauses, why FROM mail_queue_account {_MINE}",
                (self.app, account),
            ).fetchone()
        return Pause(*found) if found else Pause()

    def set_pause(self, account: str, pause: Pause) -> None:
        with self.file.write(at_once=False) as connection:
            self._account(connection, account)
            connection.execute(
                f"UPDATE mail_queue_account SET paused_until = ?, pauses = ?, why = ? {_MINE}",
                (*dataclasses.astuple(pause), self.app, account),
            )

    def _account(self, connection: sqlite3.Connection, account: str) -> None:
        connection.execute(
            "INSERT INTO mail_queue_account (app, account) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (self.app, account),
        )
