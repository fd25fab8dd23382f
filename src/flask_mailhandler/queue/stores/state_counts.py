"""Count the rows in each state, each up to a number, in a time that does not grow with the queue.

::

    a state of this release    a range of the index on (app, state, changed), or of its own index
    a state of a newer one     the ranges of that index between two states of this release

The SQL is the same for every database. States are literals and not parameters, because the indexes
are partial.
"""

from __future__ import annotations

import collections
import itertools
import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from ..newer import read_word
from ..row import RowState

Run: t.TypeAlias = Callable[[str, Mapping[str, t.Any]], Sequence[Sequence[t.Any]]]
"""Runs a statement that reads, with its parameters by name."""

_OPEN = (RowState.WAITING, RowState.CLAIMED)
_CLOSED = "state NOT IN ('waiting', 'claimed')"


def count_states(run: Run, table: str, app: str, up_to: int) -> dict[RowState, int]:
    """See :meth:`.Searcher.counts`.

    :param table: The name of the table, as it is written in a statement.
    """
    rows = f"FROM {table} WHERE app = :app AND"
    parts = [
        f"SELECT '{state}' AS state, count(*) AS number FROM (SELECT 1 AS one"
        f" {rows} {condition(state)} LIMIT {up_to}) AS {state}_rows"
        for state in RowState
    ]
    # Row by row, because grouping them would sort them. Most often there are none.
    parts += [
        f"SELECT state, 1 AS number FROM (SELECT state {rows} {_CLOSED} AND {between}"
        f" LIMIT {up_to}) AS between_{number}"
        for number, between in enumerate(_ranges())
    ]
    found: collections.Counter[RowState] = collections.Counter()
    for state, number in run(" UNION ALL ".join(parts), {"app": app}):
        found[read_word(RowState, state)] += number
    return dict(+found)


def condition(state: RowState) -> str:
    """Return the condition for a state, with the words of its index."""
    finished = "" if state in _OPEN else f" AND {_CLOSED}"
    return f"state = '{state}'{finished}"


def _ranges() -> list[str]:
    """Return the conditions for all states that this release does not know."""
    known = sorted(RowState)
    between = [f"state > '{a}' AND state < '{b}'" for a, b in itertools.pairwise(known)]
    return [f"state < '{known[0]}'", *between, f"state > '{known[-1]}'"]
