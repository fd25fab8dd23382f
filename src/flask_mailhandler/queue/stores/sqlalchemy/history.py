"""Events in a database."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence

import sqlalchemy as sa

from ...row import Row
from ..history import MOST_EVENTS
from ..history import MOST_UNVERIFIED
from ..history import NewEvent
from ..history import SEARCHED
from ..history import StoredEvent
from .insert import row_of
from .repeat import repeated
from .suppressed import SqlalchemySuppressed


class SqlalchemyHistory(SqlalchemySuppressed):
    """The events and the suppressed addresses of one app in a database.

    :param app: The name of the app.
    """

    def now(self) -> float:
        return self.database.clock.now()

    @repeated
    def record(self, events: Sequence[NewEvent], now: float, until: float) -> list[int]:
        with self._write() as connection:
            # In one order, so that two processes with the same events cannot deadlock. Events that
            # end each other stay in theirs.
            order = sorted(range(len(events)), key=lambda index: _place(events[index]))
            numbers = dict.fromkeys(range(len(events)), 0)
            for index in order:
                numbers[index] = self._record(connection, events[index], now, until)
            if newest := max(numbers.values(), default=0):
                self._keep_the_newest(connection, newest)
        return [*numbers.values()]

    def _record(self, connection: sa.Connection, event: NewEvent, now: float, until: float) -> int:
        known = event.token and not self._insert(connection, event.of_token(), now, 0)
        number = 0 if known else self._insert(connection, event, now, until)
        if number and event.ends:
            ended = sa.update(self._events).where(self._events.c.digest == event.ends)
            connection.execute(ended.values(digest=f"ended by {number}"))
        if (number or event.repeats) and event.suppression:
            self._suppress(connection, [event.suppression], number or None)
        if (number or event.repeats) and event.released:
            self._release(connection, *event.released)
        return number

    def _insert(self, connection: sa.Connection, event: NewEvent, now: float, untold: float) -> int:
        """Insert the row of an event. Return its number, or 0 if there is one with its digest."""
        new = {
            "app": self.app,
            "digest": event.digest,
            "message": event.message,
            "verified": int(event.verified),
            "recorded": now,
            "untold": untold,
            "facts": event.facts,
        }
        inserted = self.database.kind.insert_missing(connection, self._events, [new])
        return inserted[0][0] if inserted else 0

    def _keep_the_newest(self, connection: sa.Connection, newest: int) -> None:
        # They are counted, because forged events and those of other apps have numbers in between.
        # The first number says at once that there are not too many.
        columns = self._events.c
        for verified, most in ((0, MOST_UNVERIFIED), (1, MOST_EVENTS)):
            kind = (columns.app == self.app) & (columns.verified == verified)
            first = connection.execute(sa.select(sa.func.min(columns.id)).where(kind)).scalar()
            if first is not None and first <= newest - most:
                last = sa.select(columns.id).where(kind).order_by(columns.id.desc())
                oldest = connection.execute(last.limit(1).offset(most)).scalar() or 0
                old = sa.delete(self._events).where(kind, columns.id <= oldest)
                connection.execute(old)

    @repeated
    def told(self, number: int) -> None:
        told = sa.update(self._events).where(self._events.c.id == number).values(untold=0.0)
        with self._write(durable=False) as connection:
            connection.execute(told)

    @repeated
    def take_untold(self, now: float, until: float, longest: float) -> list[StoredEvent]:
        columns = self._events.c
        free = sa.not_(columns.untold.between(now, now + longest))
        mine = (columns.app == self.app) & (columns.untold != sa.literal_column("0")) & free
        stored = sa.select(columns.id, columns.recorded, columns.facts).where(mine)
        stored = stored.order_by(columns.id).limit(100)
        with self._read() as connection:
            if connection.execute(stored.limit(1)).first() is None:
                return []
        with self._write() as connection:
            locked = stored.with_for_update(skip_locked=True)
            found = [StoredEvent(*one) for one in connection.execute(locked)]
            numbers = [one.number for one in found]
            claim = sa.update(self._events).where(columns.id.in_(numbers)).values(untold=until)
            connection.execute(claim)
        return found

    def events(self, message: str) -> list[StoredEvent]:
        columns = self._events.c
        found = sa.select(columns.id, columns.recorded, columns.facts)
        found = found.where(columns.message == message, columns.message != sa.literal_column("''"))
        with self._read() as connection:
            found = found.order_by(columns.id).limit(1000)
            return [StoredEvent(*one) for one in connection.execute(found)]

    def find_row(self, message_id: str, envelope_id: str) -> Row | None:
        rows = self.database.rows
        part = message_id or f"<{envelope_id}@"
        name: sa.ColumnElement[t.Any] = rows.c.message_id
        if not message_id:
            name = sa.func.substr(name, 1, len(part))
        newest = sa.select(sa.func.max(rows.c.id)).scalar_subquery()
        found = sa.select(rows).where(rows.c.id > newest - SEARCHED)
        found = found.where(rows.c.app == self.app, name == part).order_by(rows.c.id.desc())
        with self.database.single() as connection:
            row = connection.execute(found.limit(1)).first()
        return None if row is None else row_of(row)

    @repeated
    def purge_events(self, before: float) -> int:
        columns = self._events.c
        old = sa.delete(self._events).where(columns.app == self.app, columns.recorded < before)
        old = old.where(columns.untold == sa.literal_column("0"))
        with self._write(durable=False) as connection:
            return connection.execute(old).rowcount


def _place(event: NewEvent) -> str:
    return min(event.digest, event.ends or event.digest)
