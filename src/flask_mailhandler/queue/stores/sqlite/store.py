"""The default store: rows in an SQLite file, with nothing to install or start."""

from __future__ import annotations

import operator
import os
import sqlite3
import time
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence

from ....errors import ConfigurationError
from ...lease import Lease
from ...newer import read_word
from ...process import boot_id
from ...process import process_mark
from ...row import CHANGING
from ...row import Row
from ...row import RowState
from ...row import UNFINISHED
from ...stored_message import tag_text
from ...ticket import Ticket
from ..base import Filter
from ..base import Joined
from .account_state import SqliteAccounts
from .claim import Due
from .file import SqliteFile
from .history import SqliteHistory
from .insert import insert
from .insert import NAMES
from .insert import row_of

if t.TYPE_CHECKING:
    from ..health_facts import HealthFacts
    from ..search import Searcher

# The conditions of the indexes, with the same words as there.
_INDEXES = {
    "state = 'waiting'": {RowState.WAITING},
    "state = 'claimed'": {RowState.CLAIMED},
    "state NOT IN ('waiting', 'claimed')": {*RowState} - {RowState.WAITING, RowState.CLAIMED},
}
_WRITE = f"UPDATE mail_queue SET {', '.join(f'{name} = ?' for name in CHANGING)} WHERE id = ?"


class SqliteStore(SqliteAccounts):
    """The rows of one app in a file.

    :param path: The path of the file.
    :param app: The name of the app.
    :param made: Called with the path when the file is created.
    """

    def __init__(self, path: str, app: str, made: Callable[[str], None] | None = None) -> None:
        super().__init__(SqliteFile(path, made), app)
        self._due = Due(self.file, app)
        self._boot = boot_id()
        self.history: SqliteHistory = SqliteHistory(self.file, app)

    @property
    def search(self) -> Searcher:
        from ..row_search import RowSearch  # for pages and commands

        return RowSearch(self.app, self._searched, row_of)

    def _searched(self, statement: str, values: Mapping[str, t.Any]) -> list[t.Any]:
        with self.file.read() as connection:
            return connection.execute(statement, values).fetchall()

    @property
    def begun(self) -> bool:
        return self.file.begun

    def check(self, row: Row) -> None:
        pass  # a file holds more than MAIL_QUEUE_MAX_SIZE

    def add(self, rows: Sequence[tuple[Row, bytes]]) -> list[Ticket]:
        with self.file.write() as connection:
            return [insert(connection, row, content) for row, content in rows]

    def join(self, session: t.Any) -> Joined:
        raise ConfigurationError(
            "session= writes the row in your transaction, so the queue must be in your database:"
            " set MAIL_QUEUE = 'sqlalchemy'."
        )

    def now(self) -> float:
        return time.time()  # every process that reaches the file has this clock

    def claim(
        self, account: str, lease: Lease, now: float, limit: int, origin: str = ""
    ) -> list[Row]:
        return self._due.claim(account, lease, now, limit, origin)

    def due(self, account: str, origin: str = "") -> list[tuple[int, float]]:
        return self._due.first(account, origin)

    def content(self, row_id: int) -> bytes | None:
        with self.file.read() as connection:
            found = connection.execute(
                "SELECT octets FROM mail_queue_content WHERE id = ?", (row_id,)
            ).fetchall()
        return bytes(found[0][0]) if found else None

    def new_owner(self) -> str:
        return f"{self._boot}.{process_mark()}.{os.urandom(12).hex()}"

    def remembers(self, owner: str) -> bool:
        # Without a boot id, every announcement is written to the disk at once.
        return owner.partition(".")[0] == self._boot

    def renew(self, lease: Lease) -> None:
        self._change(
            "UPDATE mail_queue SET lease_until = ? WHERE state = 'claimed' AND lease_owner = ?",
            (lease.until, lease.owner),
            durable=False,
        )

    def announce(self, row_id: int, owner: str, ended: str) -> bool:
        with self.file.write(durable=not self._boot) as connection:
            return _announce(connection, row_id, owner, ended)

    def settle(self, row: Row, owner: str, *, drop: bool = False) -> bool:
        with self.file.write(durable=False) as connection:
            return _settle(connection, row, owner, drop)

    def settle_and_announce(
        self, row: Row, following: int, owner: str, ended: str, *, drop: bool = False
    ) -> tuple[bool, bool]:
        with self.file.write(durable=not self._boot) as connection:
            settled = _settle(connection, row, owner, drop)
            return settled, _announce(connection, following, owner, ended)

    def release(self, ids: Collection[int], owner: str) -> None:
        self._change(
            "UPDATE mail_queue SET state = 'waiting', attempts = attempts - 1, lease_owner = NULL,"
            f" lease_until = NULL WHERE id IN ({_marks(ids)})"
            " AND state = 'claimed' AND lease_owner = ? AND ended IS NULL",
            (*ids, owner),
            durable=False,
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
                f"SELECT {NAMES} FROM mail_queue WHERE state = 'claimed' AND app = ?"
                f" AND (lease_until < ? OR lease_until > ? OR lease_owner IN ({_marks(dead)}))",
                (self.app, now, now + longest, *dead),
            ).fetchall()
        return [*map(row_of, found)]

    def pull(self, now: float, longest: float) -> int:
        # The clocks of several machines may differ by a minute.
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
        order = "changed" if wanted.states else "id"  # both have an index
        with self.file.read() as connection:
            found = connection.execute(
                f"SELECT {NAMES} FROM mail_queue WHERE {where} ORDER BY {order} DESC LIMIT ?",
                (*values, limit),
            ).fetchall()
        return [*map(row_of, found)]

    def counts(self, account: str | None = None, tag: str | None = None) -> dict[RowState, int]:
        where, values = self._where(Filter(account=account, tag=tag))
        found: dict[RowState, int] = {}
        with self.file.read() as connection:
            # One query for each index.
            for states in _INDEXES:
                numbers = connection.execute(
                    f"SELECT state, count(*) FROM mail_queue WHERE {where} AND {states}"
                    " GROUP BY state",
                    values,
                )
                found |= {read_word(RowState, state): number for state, number in numbers}
        return found

    def health_facts(self, accounts: Sequence[str], recent: float) -> HealthFacts | None:
        from .health_facts import read

        return read(self.file, self.app, accounts, recent)

    def unfinished(self) -> dict[tuple[str, RowState], int]:
        found: dict[tuple[str, RowState], int] = {}
        with self.file.read() as connection:
            for state in UNFINISHED:
                where, values = self._where(Filter([state]))
                numbers = connection.execute(
                    f"SELECT account, count(*) FROM mail_queue WHERE {where} GROUP BY account",
                    values,
                )
                found |= {(account, state): number for account, number in numbers}
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
                f"SELECT {NAMES} FROM mail_queue WHERE {where} ORDER BY id", values
            ).fetchall()
            changed = [row for row in map(change, map(row_of, found)) if row is not None]
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

    def _change(self, statement: str, values: Sequence[t.Any], *, durable: bool = True) -> int:
        with self.file.write(durable=durable) as connection:
            return connection.execute(statement, values).rowcount

    def _where(self, wanted: Filter) -> tuple[str, list[t.Any]]:
        parts = ["app = ?"]
        values: list[t.Any] = [self.app]
        if wanted.ids:
            parts.append(f"id IN ({_marks(wanted.ids)})")
            values += wanted.ids
        if wanted.states:
            # Literals and not parameters, because the indexes are partial.
            names = ", ".join(f"'{RowState(str(state))}'" for state in wanted.states)
            parts.append(f"state IN ({names})")
            parts += [index for index, states in _INDEXES.items() if {*wanted.states} <= states]
        text = None if wanted.tag is None else tag_text(wanted.tag)
        for part, value in (
            ("account = ?", wanted.account),
            ("changed < ?", wanted.before),
            ("instr(options, ?) > 0", text),
        ):
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


def _announce(connection: sqlite3.Connection, row_id: int, owner: str, ended: str) -> bool:
    changed = connection.execute(
        "UPDATE mail_queue SET ended = ? WHERE id = ? AND state = 'claimed' AND lease_owner = ?",
        (ended, row_id, owner),
    )
    return changed.rowcount == 1


def _settle(connection: sqlite3.Connection, row: Row, owner: str, drop: bool) -> bool:
    mine = "state IN ('claimed', 'held') AND lease_owner = ?"
    written = connection.execute(f"{_WRITE} AND {mine}", (*_changing(row), owner)).rowcount
    if drop and written:
        connection.execute("DELETE FROM mail_queue_content WHERE id = ?", (row.id,))
    return written == 1


_changing: Callable[[Row], tuple[t.Any, ...]] = operator.attrgetter(*CHANGING, "id")
