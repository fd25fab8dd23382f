"""The rows of a database as lists for people, and purging."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

import sqlalchemy as sa

from ...newer import read_word
from ...row import Row
from ...row import RowState
from ...row import UNFINISHED
from ...stored_message import tag_text
from ..base import Filter
from .account_state import SqlalchemyAccounts
from .database import Database
from .insert import row_of
from .repeat import repeated

if t.TYPE_CHECKING:
    from ..search import Searcher

_OPEN = (RowState.WAITING, RowState.CLAIMED)


class SqlalchemyListing(SqlalchemyAccounts):
    """The rows of one app in a database, as lists.

    :param app: The name of the app.
    """

    def __init__(self, database: Database, app: str) -> None:
        super().__init__(database, app)
        self._rows = database.rows
        # The conditions of the indexes, with the same words as there.
        state = self._rows.c.state
        self._waiting: sa.ColumnElement[bool] = state == literal(RowState.WAITING)
        self._claimed: sa.ColumnElement[bool] = state == literal(RowState.CLAIMED)
        self._finished: sa.ColumnElement[bool] = state.not_in([literal(one) for one in _OPEN])

    @property
    def search(self) -> Searcher:
        from ..row_search import RowSearch  # for pages and commands

        quoted = self.database.engine.dialect.identifier_preparer
        return RowSearch(
            self.app,
            self._searched,
            row_of,
            table=quoted.format_table(self._rows),
            columns=[quoted.format_column(column) for column in self._rows.c],
            position=self.database.kind.position("", "").name,
        )

    def _searched(self, statement: str, values: Mapping[str, t.Any]) -> t.Sequence[t.Any]:
        with self.database.single() as connection:
            return connection.execute(sa.text(statement), values).all()

    def get(self, row_id: int) -> Row | None:
        return next(iter(self.rows(Filter(ids=[row_id]), 1)), None)

    def accounts(self) -> set[str]:
        account = self._rows.c.account
        found = sa.select(account).distinct().where(self._mine_all(), self._waiting)
        with self.database.single() as connection:
            return {*connection.execute(found).scalars()}

    def rows(self, wanted: Filter, limit: int) -> list[Row]:
        columns = self._rows.c
        order = columns.changed if wanted.states else columns.id  # both have an index
        found = sa.select(self._rows).where(*self._where(wanted))
        return self._read(found.order_by(order.desc()).limit(limit))

    def counts(self, account: str | None = None, tag: str | None = None) -> dict[RowState, int]:
        state = self._rows.c.state
        where = self._where(Filter(account=account, tag=tag))
        # One query for each index.
        parts = [
            sa.select(state, sa.func.count()).where(*where, index).group_by(state)
            for index in (self._waiting, self._claimed, self._finished)
        ]
        with self.database.single() as connection:
            found = connection.execute(sa.union_all(*parts)).all()
        return {read_word(RowState, state): number for state, number in found}

    def unfinished(self) -> dict[tuple[str, RowState], int]:
        columns = self._rows.c
        # One query for each index.
        parts = [
            sa.select(columns.account, columns.state, sa.func.count())
            .where(*self._where(Filter([state])))
            .group_by(columns.account, columns.state)
            for state in UNFINISHED
        ]
        with self.database.single() as connection:
            found = connection.execute(sa.union_all(*parts)).all()
        return {(account, RowState(state)): number for account, state, number in found}

    @repeated
    def purge(self, wanted: Filter, limit: int) -> int:
        columns, contents = self._rows.c, self.database.contents
        old = sa.select(columns.id).where(*self._where(wanted), self._finished)
        old = old.order_by(columns.changed).limit(limit).with_for_update(skip_locked=True)
        with self.database.write() as connection:
            ids = [*connection.execute(old).scalars()]
            connection.execute(sa.delete(self._rows).where(columns.id.in_(ids)))
            connection.execute(sa.delete(contents).where(contents.c.id.in_(ids)))
        return len(ids)

    def _read(self, statement: sa.Select[t.Any]) -> list[Row]:
        with self.database.single() as connection:
            return [*map(row_of, connection.execute(statement))]

    def _mine_all(self) -> sa.ColumnElement[bool]:
        return self._rows.c.app == self.app

    def _where(self, wanted: Filter) -> list[sa.ColumnElement[bool]]:
        columns = self._rows.c
        parts = [self._mine_all()]
        if wanted.ids:
            parts.append(columns.id.in_(wanted.ids))
        if states := {*wanted.states}:
            known = [literal(RowState(str(state))) for state in wanted.states]
            parts.append(columns.state.in_(known))
            parts += [self._waiting] if states == {RowState.WAITING} else []
            parts += [self._claimed] if states == {RowState.CLAIMED} else []
            parts += [self._finished] if states.isdisjoint(_OPEN) else []
        if wanted.account is not None:
            parts.append(columns.account == wanted.account)
        if wanted.before is not None:
            parts.append(columns.changed < wanted.before)
        if wanted.tag is not None:
            place = self.database.kind.position(columns.options, tag_text(wanted.tag))
            parts.append(place > 0)
        return parts


def searched(database: Database, state: RowState) -> list[sa.ColumnElement[bool]]:
    """Return the condition for a state whose partial index has the state among its first columns.

    PostgreSQL does not search for what the condition of the index says. So it reads all entries
    that follow the columns before the state: all waiting rows of an account, to find that none has
    the priority "high". A condition in other words is searched for.
    """
    column = database.rows.c.state
    equal = column == literal(state)
    return [equal, column.like(literal(state))] if database.kind.repeats_state else [equal]


def literal(state: RowState) -> sa.ColumnElement[str]:
    """Return a state as a literal and not as a parameter, because the indexes are partial."""
    return sa.literal_column(f"'{state.value}'")
