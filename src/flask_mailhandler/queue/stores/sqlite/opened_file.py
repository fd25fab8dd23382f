"""Whether the file at a path is still the one that was opened."""

from __future__ import annotations

import os
import time

from ....log import logger

_REST = 1.0


class OpenedFile:
    """The path of a file that a connection of SQLite has open.

    A file that was deleted or replaced stays open. Its mail would be gone with the process, and
    SQLite would mix its WAL with that of the new file
    (https://www.sqlite.org/howtocorrupt.html, section 2.4).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: tuple[int, int] | None = None
        self._next = 0.0

    def remember(self) -> None:
        """Remember the file that is there now, because it was opened."""
        self._opened = self._found()

    def has_another(self, *, now: bool = True) -> bool:
        """Whether the open file is not there any more.

        :param now: Whether to look in any case. To look takes some microseconds, so otherwise one
            look is enough for a second.
        """
        if self._opened is None or (not now and time.monotonic() < self._next):
            return False
        self._next = time.monotonic() + _REST
        return self._found() != self._opened

    def leave(self) -> None:
        """Log that the open file is not used any more."""
        self._opened = None
        logger.error(
            "The queue's file %s was deleted or replaced while this process used it. It uses the"
            " file that is there now. Mail that was only in the other one is lost.",
            self._path,
        )

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # the process may not look there any more, and may still write
            return self._opened
        return found.st_dev, found.st_ino

    def __repr__(self) -> str:
        return f"<OpenedFile {self._path}>"
