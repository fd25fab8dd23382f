"""Rows in SQLite: the default store, with nothing to install or to start."""

from __future__ import annotations

import os
import sqlite3
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Sequence

from ..errors import ConfigurationError
from .boot import boot_id
from .row import CHANGING
from .row import COLUMNS
from .row import PRIORITIES
from .row import Row
from .row import RowState
from .sqlite_accounts import SqliteAccounts
from .sqlite_file import SqliteFile
from .store import Filter
from .store import Joined
from .store import Lease
from .ticket import Ticket

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
_REWRITE = f"UPDATE mail_queue SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE id = ?"


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
        new = connection.execute(_INSERT, _values(row)[1:]).fetchone()
        if new is None:
            first = (
                "SELECT id, message_id FROM mail_queue WHERE app = ? AND account = ? AND key = ?"
            )
            found = connection.execute(first, (self.app, row.account, row.key)).fetchone()
            return Ticket(found[0], found[1], created=False)
        connection.execute("INSERT INTO mail_queue_content VALUES (?, ?)", (new[0], content))
        return Ticket(new[0], row.message_id)

    def join(self, session: t.Any) -> Joined:
        raise ConfigurationError(
            "session= writes the row in your transaction, so the queue must be in your database:"
            " set MAIL_QUEUE = 'sqlalchemy'."
        )

    def claim(self, account: str, lease: Lease, now: float, limit: int) -> list[Row]:
        # Only who finds something takes the lock for writing.
        for priority in [found for found, due in self.due(account) if due <= now]:
            first = (
                "SELECT id FROM mail_queue WHERE app = ? AND account = ? AND priority = ?"
                " AND state = 'waiting' AND due <= ? ORDER BY due LIMIT ?"
            )
            chosen = (self.app, account, priority, now, limit)
            with self.file.write() as connection:
                found = connection.execute(
                    _CLAIM.format(first), (lease.owner, lease.until, now, *chosen)
                ).fetchall()
            if found:
                return sorted(map(_row, found), key=lambda row: (row.due, row.id))
        return []

    def claim_these(self, ids: Collection[int], lease: Lease, now: float) -> list[Row]:
        marks = ", ".join("?" * len(ids))
        chosen = f"SELECT id FROM mail_queue WHERE id IN ({marks}) AND app = ? AND due <= ?"
        with self.file.write() as connection:
            found = connection.execute(
                _CLAIM.format(chosen), (lease.owner, lease.until, now, *ids, self.app, now)
            ).fetchall()
        return sorted(map(_row, found), key=lambda row: (row.priority, row.due, row.id))

    def due(self, account: str) -> list[tuple[int, float]]:
        first = (
            "SELECT due FROM mail_queue WHERE app = ? AND account = ? AND priority = ?"
            " AND state = 'waiting' ORDER BY due LIMIT 1"
        )
        found = []
        with self.file.read() as connection:
            for priority in range(len(PRIORITIES)):
                row = connection.execute(first, (self.app, account, priority)).fetchone()
                found += [(priority, row[0])] if row else []
        return found

    def content(self, row_id: int) -> bytes | None:
        with self.file.read() as connection:
            found = connection.execute(
                "SELECT octets FROM mail_queue_content WHERE id = ?", (row_id,)
            ).fetchone()
        return None if found is None else bytes(found[0])

    def new_owner(self) -> str:
        return f"{self._boot}.{os.urandom(12).hex()}"

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
        return self._rewrite([row], mine, (owner,), drop, at_once=False) == 1

    def release(self, ids: Collection[int], owner: str) -> None:
        self._change(
            "UPDATE mail_queue SET state = 'waiting', attempts = attempts - 1, lease_owner = NULL,"
            f" lease_until = NULL WHERE id IN ({', '.join('?' * len(ids))})"
            " AND state = 'claimed' AND lease_owner = ?",
            (*ids, owner),
            at_once=False,
        )

    def lost(self, now: float, longest: float) -> list[Row]:
        with self.file.read() as connection:
            found = connection.execute(
                f"SELECT {_NAMES} FROM mail_queue WHERE state = 'claimed' AND app = ?"
                " AND (lease_until < ? OR lease_until > ?)",
                (self.app, now, now + longest),
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

    def rewrite(self, rows: Sequence[Row], was: Collection[RowState], *, drop: bool = False) -> int:
        states = [str(state) for state in was]
        return self._rewrite(rows, f"state IN ({', '.join('?' * len(states))})", states, drop)

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

    def _rewrite(
        self,
        rows: Sequence[Row],
        condition: str,
        values: Sequence[t.Any],
        drop: bool,
        *,
        at_once: bool = True,
    ) -> int:
        written = 0
        with self.file.write(at_once=at_once) as connection:
            for row in rows:
                now = [getattr(row, name) for name in CHANGING]
                changed = connection.execute(f"{_REWRITE} AND {condition}", (*now, row.id, *values))
                written += changed.rowcount
                if drop and changed.rowcount:
                    connection.execute("DELETE FROM mail_queue_content WHERE id = ?", (row.id,))
        return written

    def _where(self, wanted: Filter) -> tuple[str, list[t.Any]]:
        parts = ["app = ?"]
        values: list[t.Any] = [self.app]
        if wanted.ids:
            parts.append(f"id IN ({', '.join('?' * len(wanted.ids))})")
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


def _values(row: Row) -> tuple[t.Any, ...]:
    return tuple(getattr(row, name) for name in COLUMNS)


def _row(values: Sequence[t.Any]) -> Row:
    found = dict(zip(COLUMNS, values, strict=True))
    return Row(**{**found, "state": RowState(found["state"])})
