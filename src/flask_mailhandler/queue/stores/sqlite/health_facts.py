"""What an SQLite file tells a health check."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path

from ...row import PRIORITIES
from ...row import RowState
from ..health_facts import AccountFacts
from ..health_facts import AHEAD
from ..health_facts import Claimed
from ..health_facts import HealthFacts
from ..health_facts import MOST
from ..health_facts import MOST_ACCOUNTS
from ..health_facts import SETTLED
from .file import LOCK_TIMEOUT
from .file import SqliteFile
from .row_tables import check_version
from .row_tables import version_of

_ACCOUNT = (
    "SELECT paused_until, pauses, why, rate, rung_until FROM mail_queue_account"
    " WHERE app = ? AND account = ?"
)
# These conditions have the words of the indexes. The states are literals, because those are
# partial.
_FIRST = (
    "SELECT due FROM mail_queue WHERE app = ? AND account = ? AND priority = ?"
    " AND state = 'waiting' ORDER BY due LIMIT 1"
)
_NEXT_ACCOUNT = (
    "SELECT account FROM mail_queue WHERE app = ? AND account > ? AND state = 'waiting'"
    " ORDER BY account LIMIT 1"
)
_CLAIMED = (
    "SELECT lease_owner, count(*), max(lease_until) FROM (SELECT lease_owner, lease_until"
    f" FROM mail_queue WHERE state = 'claimed' AND app = ? LIMIT {10 * MOST})"
    " GROUP BY lease_owner"
)
_IN_STATE = "FROM mail_queue WHERE app = ? AND state = '{}' AND state NOT IN ('waiting', 'claimed')"
_LAST = "SELECT changed {} AND changed <= ? ORDER BY changed DESC LIMIT 1"
_RECENT = f"SELECT count(*) FROM (SELECT 1 {{}} AND changed > ? LIMIT {MOST})"


def read(file: SqliteFile, app: str, accounts: Sequence[str], recent: float) -> HealthFacts | None:
    """Return what the file says; None if it is not there, or has no tables yet.

    :param accounts: The accounts of the app.
    :param recent: How many seconds count as recent.
    :raises QueueError: if the file cannot be used.
    """
    with _reading(file) as connection:
        if connection is None:
            return None
        now = time.time()
        states = {state: _IN_STATE.format(state.value) for state in SETTLED}
        changed, numbers = dict[RowState, float](), dict[RowState, int]()
        for state, rows in states.items():
            for (last,) in connection.execute(_LAST.format(rows), (app, now + AHEAD)):
                changed[state] = last
            found = connection.execute(_RECENT.format(rows), (app, now - recent)).fetchone()
            numbers[state] = found[0]
        return HealthFacts(
            now=now,
            accounts=[_account(connection, app, name) for name in accounts],
            strangers=[
                name for name in _with_waiting_mail(connection, app) if name not in accounts
            ],
            claimed=[
                Claimed(owner=str(owner or ""), number=number, until=until or 0.0)
                for owner, number, until in connection.execute(_CLAIMED, (app,))
            ],
            changed=changed,
            recent=numbers,
        )


@contextlib.contextmanager
def _reading(file: SqliteFile) -> Iterator[sqlite3.Connection | None]:
    """Lend a connection that only reads; None if the file is not there, or has no tables yet."""
    with file.alone() as connection, contextlib.ExitStack() as closing:
        if connection is None:
            if not os.path.exists(file.path):
                yield None
                return
            place = f"{Path(file.path).absolute().as_uri()}?mode=rw"  # which does not create it
            opened = sqlite3.connect(place, uri=True, timeout=LOCK_TIMEOUT)
            connection = closing.enter_context(contextlib.closing(opened))
            connection.execute("PRAGMA query_only = ON")
        version = version_of(connection)
        if version:
            check_version(version, file.path)
        yield connection if version else None


def _account(connection: sqlite3.Connection, app: str, name: str) -> AccountFacts:
    due = {
        priority: first
        for priority in range(len(PRIORITIES))
        for (first,) in connection.execute(_FIRST, (app, name, priority))
    }
    stored = connection.execute(_ACCOUNT, (app, name)).fetchone()
    names = ("paused_until", "pauses", "why", "rate", "rung_until")
    return AccountFacts(name=name, due=due, **dict(zip(names, stored or (), strict=bool(stored))))


def _with_waiting_mail(connection: sqlite3.Connection, app: str) -> Iterator[str]:
    """Yield the accounts that have waiting rows, one look into the index for each."""
    name = ""
    for _ in range(MOST_ACCOUNTS):
        found = connection.execute(_NEXT_ACCOUNT, (app, name)).fetchone()
        if found is None:
            return
        yield (name := found[0])
