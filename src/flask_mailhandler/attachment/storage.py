"""Files of a storage, such as fsspec's: read while a message is sent, or now."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import inspect
import os
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from ..errors import MessageError
from ..text.checks import shorten
from .file import PIECE
from .file import Streamed

MOST_READ_NOW = 25 << 20
"""The most octets that are read into a message at once. Few servers accept a larger message."""


class Stored(Streamed):
    """A file of a storage that can be opened again. Each read gives the same octets."""

    __slots__ = ("_digest", "_opened", "name", "size")

    def __init__(self, opened: Callable[[], t.Any], size: int, name: str | None) -> None:
        self._opened = opened
        self._digest: bytes | None = None
        self.size: int = size
        self.name: str | None = name

    def read(self, piece: int = PIECE) -> Iterator[bytes]:
        """Yield the file's octets in pieces of *piece* octets; the last one may be shorter.

        :raises MessageError: if it cannot be read, has another size than when it was attached, or
            has other octets than the last time that it was read.
        """
        digest = hashlib.blake2b()
        left = self.size
        with opened(self._opened, self.name) as file:
            while data := _filled(file, piece, self.name):
                left -= len(data)
                if left < 0:
                    break
                digest.update(data)
                yield data
        if left or self._digest not in (None, digest.digest()):
            raise MessageError(
                f"The attachment {_shown(self.name)} has changed in its storage since it was"
                " attached. Attach the changed file, or attach its octets."
            )
        self._digest = digest.digest()


def octets_or_stored(file: object) -> tuple[str | None, bytes | Stored]:
    """Return the name of a file, and the file or its octets.

    :raises MessageError: if it is not a file, cannot be read, or is too large to be read now.
    """
    name = _name(file)
    if not (callable(getattr(file, "open", None)) or callable(getattr(file, "read", None))):
        raise MessageError(
            f"from_storage takes a file with open() or read(), not {shorten(file)}. For a path,"
            " write Attachment.from_path(path); for octets or text, Attachment(data,"
            " filename=...)."
        )
    if not callable(getattr(file, "open", None)):
        return name, _read_now(lambda: contextlib.nullcontext(file), name)
    opening, size = _opening(file, name)
    if size is None:
        return name, _read_now(lambda: opened(opening, name), name)
    return name, Stored(opening, size, name)


def _opening(file: t.Any, name: str | None) -> tuple[Callable[[], t.Any], int | None]:
    """Return a function that opens a file, and its size if the storage knows it."""
    with _errors(name):
        # An OpenFile of fsspec can be open only once at a time; its file system has no such limit.
        if hasattr(file, "fs") and hasattr(file, "path"):
            if getattr(file, "compression", None):  # the size is that of the compressed octets
                return file.open, None
            opening = functools.partial(_open_in, file.fs, file.path)
            return opening, _whole(file.fs.size(file.path))
        size = _whole(getattr(file, "size", None))
        if size is None and callable(getattr(file, "stat", None)):
            size = _whole(getattr(file.stat(), "st_size", None))
        return _binary(file.open), size


def _open_in(system: t.Any, path: str) -> t.Any:
    return system.open(path, "rb")


def _binary(open_: Callable[..., t.Any]) -> Callable[[], t.Any]:
    """Open in binary mode, if ``open()`` takes a mode."""
    try:
        inspect.signature(open_).bind("rb")
    except (TypeError, ValueError):
        return open_
    return functools.partial(open_, "rb")


def _whole(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


@contextlib.contextmanager
def opened(opening: Callable[[], t.Any], name: str | None) -> Iterator[t.Any]:
    with _errors(name):
        file = opening()
    try:
        yield file
    finally:
        if callable(close := getattr(file, "close", None)):
            close()


@contextlib.contextmanager
def _errors(name: str | None) -> Iterator[None]:
    """Name the attachment. Each storage library has its own errors."""
    try:
        yield
    except MessageError:
        raise
    except Exception as error:
        raise MessageError(f"The attachment {_shown(name)} cannot be read: {error!r}.") from error


def _filled(file: t.Any, piece: int, name: str | None) -> bytes:
    """Read *piece* octets, or those that are left. A file may return fewer at a time."""
    found: list[bytes] = []
    while piece:
        with _errors(name):
            data = file.read(piece)
        if isinstance(data, str):
            raise MessageError(
                f"The attachment {_shown(name)} is open as text. Open it in binary mode, 'rb'."
            )
        if not data:
            break
        found.append(data)
        piece -= len(data)
    return b"".join(found)


def _read_now(
    opening: Callable[[], contextlib.AbstractContextManager[t.Any]], name: str | None
) -> bytes:
    with opening() as file:
        with _errors(name):
            # A check of an upload, or a write into it, leaves the position at its end.
            if callable(seekable := getattr(file, "seekable", None)) and seekable():
                file.seek(0)
        octets = _filled(file, MOST_READ_NOW + 1, name)
    if len(octets) > MOST_READ_NOW:
        raise MessageError(
            f"The attachment {_shown(name)} has more than {MOST_READ_NOW >> 20} MiB, and would be"
            " read at once: it has no open(), or its size is unknown. Attach a file with open()"
            " and a size, or write Attachment.from_path(path)."
        )
    return octets


def _name(file: object) -> str | None:
    # The name of an upload is that of its form field, and its filename is that of its file.
    for attribute in ("filename", "name", "path"):
        found = getattr(file, attribute, None)
        if found and isinstance(found, str | os.PathLike):
            return str(os.fspath(found))
    return None


def _shown(name: str | None) -> str:
    return repr(name) if name else "of the storage"
