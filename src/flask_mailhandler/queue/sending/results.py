"""The results of one claim, and the announcements between them.

::

    write ───────────────────────────▶ settle             at once
    keep ─┬─ announce ───────────────▶ settle_and_announce, one round trip to the database
          └─ write_kept, at a wait ──▶ settle
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable

from ...log import logger
from ...report import Report
from ..row import Row
from ..row import RowState
from .store_retry import retrying

if t.TYPE_CHECKING:
    from ..stores.base import Store

Told: t.TypeAlias = "Callable[[Row, Report | None], None]"
"""Called with a row after an attempt, and with the attempt's report if there is one."""


class Results:
    """Stores the results of one claim's rows.

    :param owner: The claim that the rows belong to.
    :param told: Called after each row is written.
    """

    def __init__(self, store: Store, owner: str, told: Told) -> None:
        self._store = store
        self._owner = owner
        self._told = told
        self._kept: tuple[Row, Report] | None = None

    def write(self, row: Row, report: Report | None = None) -> None:
        """Store a result, after the one that is kept.

        :raises QueueError: if the store was away for too long.
        """
        self.write_kept()
        written = retrying(
            lambda: self._store.settle(row, self._owner, drop=row.state is RowState.SENT),
            lambda: self._is_written(row),
        )
        # A kept result may have been written when the reply to the announcement was lost.
        self._tell(row, report, written=written or bool(self._is_written(row)))

    def keep(self, row: Row, report: Report) -> None:
        """Store a result with the next announcement, or before it when another method is called."""
        self.write_kept()
        self._kept = row, report

    def write_kept(self) -> None:
        """Store the result that is kept, if there is one."""
        if self._kept is not None:
            (row, report), self._kept = self._kept, None
            self.write(row, report)

    def announce(self, row_id: int, ended: str) -> bool:
        """Announce the end of data of a row: see :meth:`.Store.announce`.

        :raises QueueError: if the store cannot be used. A kept result stays kept then.
        """
        if self._kept is None:
            return self._store.announce(row_id, self._owner, ended)
        row, report = self._kept
        written, announced = self._store.settle_and_announce(
            row, row_id, self._owner, ended, drop=row.state is RowState.SENT
        )
        self._kept = None
        self._tell(row, report, written=written)
        return announced

    def _is_written(self, row: Row) -> bool | None:
        """Return True if the row was written; None if not."""
        found = self._store.get(row.id)
        # No other worker can have written it at the same microsecond.
        same = found is not None and (found.state, found.changed) == (row.state, row.changed)
        return same or None

    def _tell(self, row: Row, report: Report | None, *, written: bool) -> None:
        if written:
            self._told(row, report)
            return
        logger.warning(
            "Row %d was taken over by another worker; the result of this one is not stored.", row.id
        )

    def __repr__(self) -> str:
        return f"<Results of {self._owner}, {'one' if self._kept else 'none'} kept>"
