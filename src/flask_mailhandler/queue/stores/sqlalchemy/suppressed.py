"""Suppressed addresses in a database."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence

import sqlalchemy as sa

from ....errors import QueueError
from ...events.suppression import COLUMNS
from ...events.suppression import key_of
from ...events.suppression import read_row
from ...events.suppression import Suppression
from ..history import AT_ONCE
from .database import Database
from .insert import clean
from .repeat import repeated
from .schema import MISSING


class SqlalchemySuppressed:
    """The suppressed addresses of one app in a database.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        self.database: Database = database
        self.app: str = app
        self._events: sa.Table = database.events
        self._table: sa.Table = database.suppressed
        self._found = not database.kind.on_server  # in SQLite they are made

    @property
    def ready(self) -> bool:
        if not self._found:
            with self.database.single() as connection:
                found = sa.inspect(connection)
                tables = (self._events, self._table)
                self._found = all(found.has_table(one.name, schema=one.schema) for one in tables)
        return self._found

    def _check(self) -> None:
        if not self.ready:
            raise QueueError(MISSING.format(self.database.name))

    @contextlib.contextmanager
    def _write(self, *, durable: bool = True) -> Iterator[sa.Connection]:
        self._check()
        with self.database.write(durable=durable) as connection:
            self.database.limit_lock_wait(connection)
            yield connection

    @contextlib.contextmanager
    def _read(self) -> Iterator[sa.Connection]:
        self._check()
        with self.database.single() as connection:
            yield connection

    @repeated
    def suppress(self, found: Sequence[Suppression]) -> int:
        with self._write() as connection:
            return self._suppress(connection, found)

    def _suppress(
        self, connection: sa.Connection, found: Sequence[Suppression], event: int | None = None
    ) -> int:
        """Insert entries. Return how many were not there."""
        # In one order, so that two transactions that do this cannot deadlock.
        values = sorted(
            (
                {
                    "app": self.app,
                    "address_key": key_of(one.address),
                    "list_name": one.list_name,
                    "address": str.__str__(one.address),
                    "reason": clean(one.reason),
                    "since": one.since.timestamp(),
                    "event": event or one.event,
                }
                for one in found
            ),
            key=lambda item: (item["address_key"], item["list_name"]),
        )
        number = 0
        for first in range(0, len(values), AT_ONCE):
            some = values[first : first + AT_ONCE]
            number += len(self.database.kind.insert_missing(connection, self._table, some))
        return number

    @repeated
    def release(self, key: str, list_name: str | None) -> int:
        with self._write() as connection:
            return self._release(connection, key, list_name)

    def _release(self, connection: sa.Connection, key: str, list_name: str | None) -> int:
        columns = self._table.c
        gone = sa.delete(self._table).where(columns.app == self.app, columns.address_key == key)
        if list_name is not None:
            gone = gone.where(columns.list_name == list_name)
        return connection.execute(gone).rowcount

    def suppressed(self, keys: Collection[str]) -> list[Suppression]:
        columns = self._table.c
        rest, found = [*keys], list[Suppression]()
        with self._read() as connection:
            for first in range(0, len(rest), AT_ONCE):
                some = columns.address_key.in_(rest[first : first + AT_ONCE])
                entries = self._entries().where(some)
                found += map(read_row, connection.execute(entries))
        return found

    def page(
        self, after: tuple[str, str], limit: int, list_name: str | None = None
    ) -> list[Suppression]:
        columns = self._table.c
        order = columns.address_key, columns.list_name
        # The first condition is for MySQL, which finds no place in an index by the second.
        entries = self._entries().where(columns.address_key >= after[0])
        entries = entries.where(sa.tuple_(*order) > sa.tuple_(*after))
        if list_name is not None:
            entries = entries.where(columns.list_name == list_name)
        with self._read() as connection:
            found = connection.execute(entries.order_by(*order).limit(limit))
            return [*map(read_row, found)]

    def number_suppressed(self) -> int:
        number = sa.select(sa.func.count()).where(self._table.c.app == self.app)
        with self._read() as connection:
            return connection.execute(number).scalar_one()

    def _entries(self) -> sa.Select[t.Any]:
        columns = self._table.c
        return sa.select(*[columns[name] for name in COLUMNS]).where(columns.app == self.app)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.database.name}>"
