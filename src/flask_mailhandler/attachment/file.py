"""Files that are read while a message is sent."""

from __future__ import annotations

import abc
import os
import stat
import typing as t
from collections.abc import Iterator

from ..errors import MessageError
from ..frozen import Frozen
from ..text.checks import shorten

PIECE = 1 << 16


class Streamed(abc.ABC):
    """A file that is read while a message is sent, and read again for a retry."""

    __slots__ = ()
    size: int
    """The number of octets."""

    @abc.abstractmethod
    def read(self, piece: int = PIECE) -> Iterator[bytes]:
        """Yield the file's octets in pieces of *piece* octets; the last one may be shorter.

        :raises MessageError: if the octets are not those that were attached.
        """


class File(Frozen, Streamed):
    """A regular file, pinned.

    Reading it gives exactly the octets that it had when it was pinned, or raises an error.
    """

    path: str
    size: int
    inode: int
    mtime_ns: int
    __slots__ = ("inode", "mtime_ns", "path", "size")

    @classmethod
    def pin(cls, path: str | os.PathLike[str]) -> t.Self:
        """Note the file's size, inode and time of change, without reading it.

        :raises MessageError: if it does not exist or is not a regular file.
        """
        name = os.fspath(path)
        try:
            found = os.stat(name)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            hint = ""
            if isinstance(error, FileNotFoundError) and not os.path.isabs(name):
                hint = f" A relative path starts at {os.getcwd()}: write one from app.root_path."
            raise MessageError(
                f"The attachment {shorten(name)} cannot be read: {why}.{hint}"
            ) from None
        if not stat.S_ISREG(found.st_mode):
            raise MessageError(f"The attachment {shorten(name)} is not a regular file.")
        return cls(name, found.st_size, found.st_ino, found.st_mtime_ns)

    def read(self, piece: int = PIECE) -> Iterator[bytes]:
        """Yield the file's octets in pieces of *piece* octets; the last one may be shorter.

        :raises MessageError: if the file is not the pinned one, or changes while it is read.
        """
        try:
            yield from self._pieces(piece)
        except OSError as error:
            raise MessageError(f"The attachment {self.path!r} cannot be read: {error}.") from None

    def _pieces(self, piece: int) -> Iterator[bytes]:
        # Opening must not block if the path is a FIFO by now: _check refuses that.
        handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            self._check(handle)
            left = self.size
            while left and (data := file.read(min(piece, left))):
                left -= len(data)
                yield data
            self._check(handle)
            if left:
                raise MessageError(f"The attachment {self.path!r} shrank while it was read.")

    def _check(self, handle: int) -> None:
        found = os.fstat(handle)
        if (found.st_size, found.st_ino, found.st_mtime_ns) != (
            self.size,
            self.inode,
            self.mtime_ns,
        ):
            raise MessageError(
                f"The attachment {self.path!r} has changed since it was attached."
                " Attach the changed file, or attach its octets."
            )
