"""Where the events of an app are stored, if anywhere."""

from __future__ import annotations

import typing as t

from ..build import queue_of

if t.TYPE_CHECKING:
    from ...app.registration import Registration
    from ..stores.history import History

_NAME = "history"


def history_of(mine: Registration) -> History | None:
    """Return the events and the suppressed addresses of an app.

    None if the app has no queue: MAIL_QUEUE is not set, and no mail was ever queued. In a test they
    are in memory, and each capture has its own.
    """
    named = bool(mine.app.config.get("MAIL_QUEUE"))
    if not mine.sends_at_once:
        store = queue_of(mine).store
        return store.history if named or store.begun else None
    if not named:
        return None
    scope = mine.scope
    found: History | None = scope.get(_NAME)
    return found or scope.setdefault(_NAME, _in_memory(mine.app.name))


def _in_memory(app: str) -> History:
    from ..stores.sqlite.history import SqliteHistory  # loaded in tests only
    from ..stores.sqlite.memory import MemoryFile

    return SqliteHistory(MemoryFile(), app)
