"""Claim rows: which are due, and how one worker gets a row that two want.

The UPDATE that claims rows is one transaction, and SQLite lets one process write at a time. So the
second worker finds the rows claimed.
"""

from __future__ import annotations

from ...lease import Lease
from ...row import PRIORITIES
from ...row import Row
from .file import SqliteFile
from .insert import NAMES
from .insert import row_of

_CLAIM = (
    "UPDATE mail_queue SET state = 'claimed', attempts = attempts + 1, ended = NULL,"
    " lease_owner = ?, lease_until = ?, changed = ? WHERE state = 'waiting' AND id IN ({})"
    f" RETURNING {NAMES}"
)
# In the words of its index.
_QUEUED_THERE = " AND origin = ? AND origin <> ''"


class Due:
    """The due rows of one app.

    :param app: The name of the app.
    """

    def __init__(self, file: SqliteFile, app: str) -> None:
        self._file = file
        self._app = app

    def claim(self, account: str, lease: Lease, now: float, limit: int, origin: str) -> list[Row]:
        """See :meth:`.Store.claim`."""
        # Only a worker that finds a row takes the lock for writing.
        for priority in [found for found, due in self.first(account, origin) if due <= now]:
            where, values = self._waiting(account, priority, origin)
            first = f"SELECT id FROM mail_queue WHERE {where} AND due <= ? ORDER BY due LIMIT ?"
            with self._file.write() as connection:
                found = connection.execute(
                    _CLAIM.format(first), (lease.owner, lease.until, now, *values, now, limit)
                ).fetchall()
            if found:
                return sorted(map(row_of, found), key=lambda row: (row.due, row.id))
        return []

    def first(self, account: str, origin: str) -> list[tuple[int, float]]:
        """See :meth:`.Store.due`."""
        found = []
        with self._file.read() as connection:
            for priority in range(len(PRIORITIES)):
                where, values = self._waiting(account, priority, origin)
                first = f"SELECT due FROM mail_queue WHERE {where} ORDER BY due LIMIT 1"
                found += [(priority, due) for (due,) in connection.execute(first, values)]
        return found

    def _waiting(
        self, account: str, priority: int, origin: str
    ) -> tuple[str, tuple[str | int, ...]]:
        where = "app = ? AND account = ? AND priority = ? AND state = 'waiting'"
        values = (self._app, account, priority)
        return (where + _QUEUED_THERE, (*values, origin)) if origin else (where, values)

    def __repr__(self) -> str:
        return f"<Due {self._file.path}>"
