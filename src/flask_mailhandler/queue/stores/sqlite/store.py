"""Rows in SQLite: the default store, with nothing to install or to start."""

from __future__ import annotations

import os
import sqlite3
import time
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence

from ....errors import ConfigurationError
from ...lease import Lease
from ...process import boot_id
from ...process import process_mark
from ...row import CHANGING
from ...row import COLUMNS
from ...row import PRIORITIES
from ...row import Row
from ...row import RowState
from ...ticket import Ticket
from ..base import Filter
from ..base import Joined
from .account_state import SqliteAccounts
from .file import SqliteFile

_NAMES = ", ".join(COLUMNS)
_GIVEN = ", ".join(COLUMNS[1:])
_INSERT = (
    f"INSERT INTO mail_queue ({_GIVEN}) VALUES ({', '.join('?' * len(COLUMNS[1:]))})"
    " ON CONFLICT (app, account, key) WHERE key IS NOT NULL DO NOTHING RETURNING id"
)
_CLAIM = (
    "UPDATE mail_queue SET state = 'claimed', attempts = attempts + 1, ended = NULL,"
    " lease_owner = ?, lease_until = ?, changed = ? WHERE state = 'waiting' AND id IN ({})"
    f" RETURNING {_NAMES}"
)
# The conditions of the indexes, as they stand there.
_INDEXES = {
    "state = 'waiting'": {RowState.WAITING},
    "state = 'claimed'": {RowState.CLAIMED},
    "state NOT IN ('waiting', 'claimed')": {*RowState} - {RowState.WAITING, RowState.CLAIMED},
}
_WRITE = f"UPDATE mail_queue SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE id = ?"
# In the words of its index.
_QUEUED_THERE = " AND origin = ? AND origin <> ''"


class SqliteStore(SqliteAccounts):
    """The rows of one app in a file.

    :param path: Of the file.
    :param app: The name of the app.
    :param made: Called with the path when the file is made.
    """

    def __init__(self, path: str, app: str, made: Callable[[str], None] | None = None) -> None:
        super().__init__(SqliteFile(path, made), app)
        self._boot = boot_id()

    @property
    def begun(self) -> bool:
        return os.path.exists(self.file.path)

    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        with self.file.write() as connection:
            return [self._add(connection, row, content) for row, content in rows]

    def _add(self, connection: sqlite3.Connection, row: Row, content: bytes) -> Ticket:
        # RETURNING, for the last row id is that of another if nothing was inserted.
        # Read to the end: only CPython ends a statement that is left in the middle.
        new = connection.execute(_INSERT, _values(row)[1:]).fetchall()
        if not new:
            first = (
                "SELECT id, message_id FROM mail_queue WHERE app = ? AND account = ? AND key = ?"
            )
            (found,) = connection.execute(first, (self.app, row.account, row.key)).fetchall()
            return Ticket(found[0], found[1], created=False)
        ((number,),) = new
        connection.execute("INSERT INTO mail_queue_content VALUES (?, ?)", (number, content))
        return Ticket(number, row.message_id)

    def join(self, session: t.Any) -> Joined:
        raise ConfigurationError(
            "session= writes the row in your transaction, so the queue must be in your database:"
            " set MAIL_QUEUE = 'sqlalchemy'."
        )

    def now(self) -> float:
        return time.time()  # whoever reaches the file has this clock

    def claim(
        self, account: str, lease: Lease, now: float, limit: int, origin: str = ""
    ) -> list[Row]:
        # Only who finds something takes the lock for writing.
        for priority in [found for found, due in self.due(account, origin) if due <= now]:
            where, values = self._waiting(account, priority, origin)
            first = f"SELECT id FROM mail_queue WHERE {where} AND due <= ? ORDER BY due LIMIT ?"
            with self.file.write() as connection:
                found = connection.execute(
                    _CLAIM.format(first), (lease.owner, lease.until, now, *values, now, limit)
                ).fetchall()
            if found:
                return sorted(map(_row, found), key=lambda row: (row.due, row.id))
        return []

    def due(self, account: str, origin: str = "") -> list[tuple[int, float]]:
        found = []
        with self.file.read() as connection:
            for priority in range(len(PRIORITIES)):
                where, values = self._waiting(account, priority, origin)
                first = f"SELECT due FROM mail_queue WHERE {where} ORDER BY due LIMIT 1"
                found += [(priority, due) for (due,) in connection.execute(first, values)]
        return found

    def _waiting(
        self, account: str, priority: int, origin: str
    ) -> tuple[str, tuple[str | int, ...]]:
        where = "app = ? AND account = ? AND priority = ? AND state = 'waiting'"
        values = (self.app, account, priority)
        return (where + _QUEUED_THERE, (*values, origin)) if origin else (where, values)

    def content(self, row_id: int) -> bytes | None:
        with self.file.read() as connection:
            found = connection.execute(
                "SELECT octets FROM mail_queue_content WHERE id = ?", (row_id,)
            ).fetchall()
        return bytes(found[0][0]) if found else None

    def new_owner(self) -> str:
        return f"{self._boot}.{process_mark()}.{os.urandom(12).hex()}"

    def remembers(self, owner: str) -> bool:
        # Without such an id every announcement is written to the disk at once.
        return owner.partition(".")[0] == self._boot

    def renew(self, lease: Lease) -> None:
        self._change(
            "UPDATE mail_queue SET lease_until = ? WHERE state = 'claimed' AND lease_owner = ?",
            (lease.until, lease.owner),
            at_once=False,
        )

    def announce(self, row_id: int, owner: str, ended: str) -> bool:
        changed = self._change(
            "UPDATE mail_queue SET ended = ?"
            " WHERE id = ? AND state = 'claimed' AND lease_owner = ?",
            (ended, row_id, owner),
            at_once=not self._boot,
        )
        return changed == 1

    def settle(self, row: Row, owner: str, *, drop: bool = False) -> bool:
        mine = "state IN ('claimed', 'held') AND lease_owner = ?"
        with self.file.write(at_once=False) as connection:
            written = connection.execute(f"{_WRITE} AND {mine}", (*_changing(row), owner)).rowcount
            if drop and written:
                connection.execute("DELETE FROM mail_queue_content WHERE id = ?", (row.id,))
        return written == 1

    def release(self, ids: Collection[int], owner: str) -> None:
        self._change(
            "UPDATE mail_queue SET state = 'waiting', attempts = attempts - 1, lease_owner = NULL,"
            f" lease_until = NULL WHERE id IN ({_marks(ids)})"
            " AND state = 'claimed' AND lease_owner = ? AND ended IS NULL",
            (*ids, owner),
            at_once=False,
        )

    def owners(self) -> set[str]:
        with self.file.read() as connection:
            found = connection.execute(
                "SELECT DISTINCT lease_owner FROM mail_queue WHERE state = 'claimed' AND app = ?",
                (self.app,),
            ).fetchall()
        return {owner for (owner,) in found}

    def lost(self, now: float, longest: float, dead: Collection[str] = ()) -> list[Row]:
        with self.file.read() as connection:
            found = connection.execute(
                f"SELECT {_NAMES} FROM mail_queue WHERE state = 'claimed' AND app = ?"
                f" AND (lease_until < ? OR lease_until > ? OR lease_owner IN ({_marks(dead)}))",
                (self.app, now, now + longest, *dead),
            ).fetchall()
        return [*map(_row, found)]

    def pull(self, now: float, longest: float) -> int:
        # A minute is what clocks of several machines may differ by.
        return self._change(
            "UPDATE mail_queue SET due = due - (changed - ?), expires = expires - (changed - ?),"
            " changed = ? WHERE app = ? AND state = 'waiting' AND changed > ?"
            " AND due <= changed + ?",
            (now, now, now, self.app, now + 60, longest),
        )

    def get(self, row_id: int) -> Row | None:
        return next(iter(self.rows(Filter(ids=[row_id]), 1)), None)

    def accounts(self) -> set[str]:
        with self.file.read() as connection:
            found = connection.execute(
                "SELECT DISTINCT account FROM mail_queue WHERE app = ? AND state = 'waiting'",
                (self.app,),
            ).fetchall()
        return {account for (account,) in found}

    def rows(self, wanted: Filter, limit: int) -> list[Row]:
        where, values = self._where(wanted)
        order = "changed" if wanted.states else "id"  # what an index has
        with self.file.read() as connection:
            found = connection.execute(
                f"SELECT {_NAMES} FROM mail_queue WHERE {where} ORDER BY {order} DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [*map(_row, found)]

    def counts(self, account: str | None = None) -> dict[RowState, int]:
        where, values = self._where(Filter(account=account))
        found: dict[RowState, int] = {}
        with self.file.read() as connection:
            # One question for each index.
            for states in _INDEXES:
                numbers = connection.execute(
                    f"SELECT state, count(*) FROM mail_queue WHERE {where} AND {states}"
                    " GROUP BY state",
                    values,
                )
                found |= {RowState(state): number for state, number in numbers}
        return found

    def alter(
        self,
        ids: Collection[int],
        was: Collection[RowState],
        change: Callable[[Row], Row | None],
    ) -> list[Row]:
        if not ids:
            return []
        where, values = self._where(Filter(was, ids=ids))
        with self.file.write() as connection:
            found = connection.execute(
                f"SELECT {_NAMES} FROM mail_queue WHERE {where} ORDER BY id", values
            ).fetchall()
            changed = [row for row in map(change, map(_row, found)) if row is not None]
            connection.executemany(_WRITE, map(_changing, changed))
        return changed

    def purge(self, wanted: Filter, limit: int) -> int:
        where, values = self._where(wanted)
        with self.file.write() as connection:
            found = connection.execute(
                f"SELECT id FROM mail_queue WHERE {where} AND {[*_INDEXES][-1]}"
                " ORDER BY changed LIMIT ?",
                (*values, limit),
            ).fetchall()
            connection.executemany("DELETE FROM mail_queue_content WHERE id = ?", found)
            connection.executemany("DELETE FROM mail_queue WHERE id = ?", found)
        return len(found)

    def close(self) -> None:
        self.file.close()

    def _change(self, statement: str, values: Sequence[t.Any], *, at_once: bool = True) -> int:
        with self.file.write(at_once=at_once) as connection:
            return connection.execute(statement, values).rowcount

    def _where(self, wanted: Filter) -> tuple[str, list[t.Any]]:
        parts = ["app = ?"]
        values: list[t.Any] = [self.app]
        if wanted.ids:
            parts.append(f"id IN ({_marks(wanted.ids)})")
            values += wanted.ids
        if wanted.states:
            # In words and not as values: an index is for certain states.
            names = ", ".join(f"'{RowState(state)}'" for state in wanted.states)
            parts.append(f"state IN ({names})")
            parts += [index for index, states in _INDEXES.items() if {*wanted.states} <= states]
        for part, value in (("account = ?", wanted.account), ("changed < ?", wanted.before)):
            if value is not None:
                parts.append(part)
                values.append(value)
        return " AND ".join(parts), values

    def __str__(self) -> str:
        return self.file.path

    def __repr__(self) -> str:
        return f"<SqliteStore {self.file.path}>"


def _marks(values: Collection[t.Any]) -> str:
    return ", ".join("?" * len(values))


def _changing(row: Row) -> tuple[t.Any, ...]:
    return (*(getattr(row, name) for name in CHANGING), row.id)


def _values(row: Row) -> tuple[t.Any, ...]:
    return tuple(getattr(row, name) for name in COLUMNS)


def _row(values: Sequence[t.Any]) -> Row:
    found = dict(zip(COLUMNS, values, strict=True))
    return Row(**{**found, "state": RowState(found["state"])})
