"""Insert rows and their contents. A key= that is there already inserts nothing."""

from __future__ import annotations

import operator
import sqlite3
import typing as t
from collections.abc import Sequence

from ...newer import read_word
from ...row import COLUMNS
from ...row import Row
from ...row import RowState
from ...ticket import Ticket

NAMES = ", ".join(COLUMNS)
"""The columns, in the order that :func:`row_of` reads them."""
_GIVEN = ", ".join(COLUMNS[1:])
_INSERT = f"INSERT INTO mail_queue ({_GIVEN}) VALUES ({', '.join('?' * len(COLUMNS[1:]))})"
_INSERT_FIRST = (
    f"{_INSERT} ON CONFLICT (app, account, key) WHERE key IS NOT NULL DO NOTHING RETURNING id"
)
_FIRST = "SELECT id, message_id FROM mail_queue WHERE app = ? AND account = ? AND key = ?"


def insert(connection: sqlite3.Connection, row: Row, content: bytes) -> Ticket:
    """Insert a row. If its key is there already, return the first ticket with ``created=False``."""
    number: int | None
    if row.key is None:  # RETURNING takes 15 microseconds
        number = connection.execute(_INSERT, _values(row)).lastrowid
    else:
        # RETURNING, because the last row id is another row's if nothing was inserted. fetchall,
        # because only CPython ends a statement that was not read to its end.
        new = connection.execute(_INSERT_FIRST, _values(row)).fetchall()
        if not new:
            (found,) = connection.execute(_FIRST, (row.app, row.account, row.key)).fetchall()
            return Ticket(found[0], found[1], created=False)
        ((number,),) = new
    assert number is not None
    connection.execute("INSERT INTO mail_queue_content VALUES (?, ?)", (number, content))
    return Ticket(number, row.message_id)


_values: t.Callable[[Row], tuple[t.Any, ...]] = operator.attrgetter(*COLUMNS[1:])


def row_of(values: Sequence[t.Any]) -> Row:
    """Return a row as it was read."""
    found = dict(zip(COLUMNS, values, strict=True))
    return Row(**{**found, "state": read_word(RowState, found["state"])})
