"""Events and suppressed addresses in an SQLite file."""

from __future__ import annotations

import sqlite3
import time
import typing as t
from collections.abc import Collection
from collections.abc import Sequence

from ...events.suppression import COLUMNS
from ...events.suppression import key_of
from ...events.suppression import read_row
from ...events.suppression import Suppression
from ...row import Row
from ..history import AT_ONCE
from ..history import MOST_EVENTS
from ..history import MOST_UNVERIFIED
from ..history import NewEvent
from ..history import SEARCHED
from ..history import StoredEvent
from .file import SqliteFile
from .insert import NAMES
from .insert import row_of

_COLUMNS = ", ".join(COLUMNS)


class SqliteHistory:
    """The events and the suppressed addresses of one app in a file.

    :param app: The name of the app.
    """

    ready = True

    def __init__(self, file: SqliteFile, app: str) -> None:
        self._file = file
        self._app = app

    def now(self) -> float:
        return time.time()

    def record(self, events: Sequence[NewEvent], now: float, until: float) -> list[int]:
        with self._file.write() as connection:
            numbers = [self._record(connection, event, now, until) for event in events]
            self._keep_the_newest(connection, max(numbers, default=0))
        return numbers

    def _record(
        self, connection: sqlite3.Connection, event: NewEvent, now: float, until: float
    ) -> int:
        known = event.token and not self._insert(connection, event.of_token(), now, 0)
        number = 0 if known else self._insert(connection, event, now, until)
        if number and event.ends:
            connection.execute(
                "UPDATE mail_queue_event SET digest = ? WHERE digest = ?",
                (f"ended by {number}", event.ends),
            )
        if (number or event.repeats) and event.suppression:
            self._suppress(connection, event.suppression, number or None)
        if (number or event.repeats) and event.released:
            self._release(connection, *event.released)
        return number

    def _insert(
        self, connection: sqlite3.Connection, event: NewEvent, now: float, untold: float
    ) -> int:
        """Insert the row of an event. Return its number, or 0 if there is one with its digest."""
        found = connection.execute(
            "INSERT INTO mail_queue_event (app, digest, message, verified, recorded, untold, facts)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING RETURNING id",
            (self._app, event.digest, event.message, event.verified, now, untold, event.facts),
        ).fetchall()
        return found[0][0] if found else 0

    def _keep_the_newest(self, connection: sqlite3.Connection, newest: int) -> None:
        # They are counted, because forged events and those of other apps have numbers in between.
        # The first number says at once that there are not too many.
        of_kind = "FROM mail_queue_event WHERE app = ? AND verified = ?"
        for verified, most in ((0, MOST_UNVERIFIED), (1, MOST_EVENTS)):
            kind = (self._app, verified)
            first = connection.execute(f"SELECT min(id) {of_kind}", kind).fetchone()[0]
            if newest and first is not None and first <= newest - most:
                connection.execute(
                    f"DELETE {of_kind} AND id <= (SELECT id {of_kind} ORDER BY id DESC"
                    " LIMIT 1 OFFSET ?)",
                    (*kind, *kind, most),
                )

    def told(self, number: int) -> None:
        with self._file.write(durable=False) as connection:
            connection.execute("UPDATE mail_queue_event SET untold = 0 WHERE id = ?", (number,))

    def take_untold(self, now: float, until: float, longest: float) -> list[StoredEvent]:
        wanted = (
            "app = ? AND untold <> 0 AND NOT untold BETWEEN ? AND ?",
            (self._app, now, now + longest),
        )
        with self._file.read() as connection:
            sql = f"SELECT 1 FROM mail_queue_event WHERE {wanted[0]} LIMIT 1"
            if not connection.execute(sql, wanted[1]).fetchall():
                return []
        with self._file.write() as connection:
            found = connection.execute(
                f"SELECT id, recorded, facts FROM mail_queue_event WHERE {wanted[0]}"
                " ORDER BY id LIMIT 100",
                wanted[1],
            ).fetchall()
            connection.executemany(
                "UPDATE mail_queue_event SET untold = ? WHERE id = ?",
                [(until, number) for number, _, _ in found],
            )
        return [StoredEvent(*one) for one in found]

    def events(self, message: str) -> list[StoredEvent]:
        found = self._read(
            "SELECT id, recorded, facts FROM mail_queue_event"
            " WHERE message = ? AND message <> '' ORDER BY id LIMIT 1000",
            message,
        )
        return [StoredEvent(*one) for one in found]

    def find_row(self, message_id: str, envelope_id: str) -> Row | None:
        part = message_id or f"<{envelope_id}@"
        name = "message_id" if message_id else f"substr(message_id, 1, {len(part)})"
        found = self._read(
            f"SELECT {NAMES} FROM mail_queue"
            f" WHERE id > (SELECT max(id) FROM mail_queue) - {SEARCHED}"
            f" AND app = ? AND {name} = ? ORDER BY id DESC LIMIT 1",
            *(self._app, part),
        )
        return row_of(found[0]) if found else None

    def purge_events(self, before: float) -> int:
        return self._change(
            "DELETE FROM mail_queue_event WHERE app = ? AND untold = 0 AND recorded < ?",
            self._app,
            before,
        )

    # Suppressed addresses

    def suppress(self, found: Sequence[Suppression]) -> int:
        with self._file.write() as connection:
            return sum(self._suppress(connection, one, one.event) for one in found)

    def _suppress(self, connection: sqlite3.Connection, one: Suppression, event: int | None) -> int:
        return connection.execute(
            "INSERT INTO mail_queue_suppressed (app, address_key, list_name, address, reason,"
            " since, event) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                *(self._app, key_of(one.address), one.list_name, str.__str__(one.address)),
                *(one.reason, one.since.timestamp(), event),
            ),
        ).rowcount

    def release(self, key: str, list_name: str | None) -> int:
        if not self._file.begun:
            return 0
        with self._file.write() as connection:
            return self._release(connection, key, list_name)

    def _release(self, connection: sqlite3.Connection, key: str, list_name: str | None) -> int:
        of_list = "" if list_name is None else " AND list_name = ?"
        return connection.execute(
            f"DELETE FROM mail_queue_suppressed WHERE app = ? AND address_key = ?{of_list}",
            (self._app, key, *([] if list_name is None else [list_name])),
        ).rowcount

    def suppressed(self, keys: Collection[str]) -> list[Suppression]:
        rest, found = [*keys], list[t.Any]()
        for first in range(0, len(rest), AT_ONCE):
            some = rest[first : first + AT_ONCE]
            found += self._read(
                f"SELECT {_COLUMNS} FROM mail_queue_suppressed WHERE app = ?"
                f" AND address_key IN ({', '.join('?' * len(some))})",
                *(self._app, *some),
            )
        return [*map(read_row, found)]

    def page(
        self, after: tuple[str, str], limit: int, list_name: str | None = None
    ) -> list[Suppression]:
        of_list = "" if list_name is None else " AND list_name = ?"
        found = self._read(
            f"SELECT {_COLUMNS} FROM mail_queue_suppressed WHERE app = ?"
            f" AND (address_key, list_name) > (?, ?){of_list}"
            " ORDER BY address_key, list_name LIMIT ?",
            *(self._app, *after, *([] if list_name is None else [list_name]), limit),
        )
        return [*map(read_row, found)]

    def number_suppressed(self) -> int:
        found = self._read("SELECT count(*) FROM mail_queue_suppressed WHERE app = ?", self._app)
        return int(found[0][0]) if found else 0

    def _read(self, statement: str, *values: t.Any) -> list[t.Any]:
        """Return the rows of a SELECT. A file that does not exist is not created for it: it would
        belong to whoever runs a command."""
        if not self._file.begun:
            return []
        with self._file.read() as connection:
            return connection.execute(statement, values).fetchall()

    def _change(self, statement: str, *values: t.Any) -> int:
        with self._file.write(durable=False) as connection:
            return connection.execute(statement, values).rowcount

    def __repr__(self) -> str:
        return f"<SqliteHistory {self._file.path}>"
