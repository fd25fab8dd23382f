"""What PostgreSQL does in one statement, which is one round trip and a transaction of its own."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from ...row import COLUMNS


def insertion(rows: sa.Table, contents: sa.Table) -> sa.Executable:
    """Insert a row and its octets, and return its number; nothing if there is a row of its key.

    Its values are those of the columns, and ``octets``.
    """
    new = (
        postgresql.insert(rows)
        .values(_named(COLUMNS[1:]))
        .on_conflict_do_nothing(
            index_elements=["app", "account", "key"], index_where=sa.text("key IS NOT NULL")
        )
        .returning(rows.c.id)
        .cte("new")
    )
    octets = sa.bindparam("octets", type_=sa.LargeBinary)
    kept = sa.insert(contents).from_select(["id", "octets"], sa.select(new.c.id, octets))
    return sa.select(new.c.id).add_cte(kept.cte("kept"))


def settlement(settle: sa.Update, contents: sa.Table, names: t.Iterable[str]) -> sa.Executable:
    """Carry out an UPDATE of one row, delete its octets where ``drop`` is true, and return its
    number; nothing if it was not updated. It may be written to the disk a moment later.

    :param names: The columns whose values are given.
    """
    number: sa.ColumnElement[int] = settle.table.c.id
    done = settle.values(_named(names)).returning(number).cte("done")
    drop = sa.bindparam("drop", type_=sa.Boolean)
    gone = sa.delete(contents).where(drop, contents.c.id.in_(sa.select(done.c.id)))
    return sa.select(done.c.id, later()).add_cte(gone.cte("gone"))


def later() -> sa.ColumnElement[str]:
    """A column that lets the statement be written to the disk a moment later."""
    return sa.func.set_config("synchronous_commit", "off", True)


LIFE = sa.text("SELECT extract(epoch FROM stats_reset) FROM pg_stat_bgwriter")
"""Which life of the server it is. Statistics are kept over an orderly restart, and reset where it
was none, or another server has taken over
(https://www.postgresql.org/docs/current/monitoring-stats.html)."""


def _named(names: t.Iterable[str]) -> dict[str, sa.BindParameter[t.Any]]:
    return {name: sa.bindparam(name) for name in names}
