"""A file that is not on the disk, for the events of a test."""

from __future__ import annotations

import sqlite3
import weakref

from .file import LOCK_TIMEOUT
from .file import SqliteFile


class MemoryFile(SqliteFile):
    """The tables in memory. They are gone when the process forks, or when nothing holds them."""

    def __init__(self) -> None:
        super().__init__(":memory:")

    @property
    def begun(self) -> bool:
        return True

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=LOCK_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        weakref.finalize(self, connection.close)  # Python 3.13 warns of one that was not closed
        self._make(connection)
        return connection
