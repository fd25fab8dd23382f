"""Statements of PostgreSQL that do in one round trip what SQLite does in a transaction."""

from __future__ import annotations

import typing as t

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert

from ...row import COLUMNS


def insertion(rows: sa.Table, contents: sa.Table) -> sa.Executable:
    """Return a statement that inserts a row and its octets, and returns the number.

    It returns no row if the key is there already.

    Its parameters are the columns and ``octets``.
    """
    new = (
        insert(rows)
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


def settlement(
    settle: sa.Update, this: sa.BindParameter[int], contents: sa.Table, names: t.Iterable[str]
) -> sa.Executable:
    """Return a statement that updates one row, and returns its number.

    It deletes the row's octets if ``drop`` is true, and returns no row if none was updated. It may
    be written to the disk a moment later.

    :param this: The number of the row, as in *settle*.
    :param names: The columns to set, which are parameters.
    """
    done, gone = _settled(settle, this, contents, names)
    return sa.select(done.c.id, later()).add_cte(gone)


def _settled(
    settle: sa.Update, this: sa.BindParameter[int], contents: sa.Table, names: t.Iterable[str]
) -> tuple[sa.CTE, sa.CTE]:
    """Return the parts of a statement that update the row and delete its octets."""
    number: sa.ColumnElement[int] = settle.table.c.id
    done = settle.values(_named(names)).returning(number).cte("done")
    drop = sa.bindparam("drop", type_=sa.Boolean)
    # Planned 100 microseconds faster than a join with the updated row.
    gone = sa.delete(contents).where(drop, contents.c.id == this, sa.select(done).exists())
    return done, gone.cte("gone")


def settlement_and_announcement(
    settle: sa.Update,
    announce: sa.Update,
    this: sa.BindParameter[int],
    contents: sa.Table,
    names: t.Iterable[str],
) -> sa.Executable:
    """Return a statement that does what :func:`settlement` does, and announces another row.

    It returns the numbers of both, or None for a row that was not updated.
    """
    number: sa.ColumnElement[int] = announce.table.c.id
    told = announce.returning(number).cte("told")
    done, gone = _settled(settle, this, contents, names)
    numbers = (sa.select(one.c.id).scalar_subquery() for one in (done, told))
    return sa.select(*numbers, later()).add_cte(gone)


def later() -> sa.ColumnElement[str]:
    """Return a column that lets the statement be written to the disk a moment later."""
    # As a literal: three parameters less for the driver.
    return sa.literal_column("set_config('synchronous_commit', 'off', true)")


def limit_lock_wait(connection: sa.Connection, seconds: float) -> None:
    """Limit the wait for a lock in this transaction, unless there is a limit already."""
    connection.execute(_LIMIT_LOCK_WAIT, {"limit": f"{seconds:g}s"})


_LIMIT_LOCK_WAIT = sa.text(
    "SELECT set_config('lock_timeout', :limit, true) WHERE current_setting('lock_timeout') = '0'"
)
NOW = sa.text("SELECT extract(epoch FROM clock_timestamp())")
"""The time of the server."""
RUN: sa.Select[t.Any] = sa.select(sa.literal_column("extract(epoch FROM stats_reset)")).select_from(
    sa.table("pg_stat_bgwriter")
)
"""A name for this run of the server. PostgreSQL keeps its statistics over an orderly restart, and
resets them after a crash or a failover to another server
(https://www.postgresql.org/docs/current/monitoring-stats.html)."""


def _named(names: t.Iterable[str]) -> dict[str, sa.BindParameter[t.Any]]:
    return {name: sa.bindparam(name) for name in names}
