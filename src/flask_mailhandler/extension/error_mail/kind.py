"""The kind of an error: what errors have in common that one mail is enough for.

An exception: its type, and the innermost line of the app's own code in the traceback. Flask logs
the exceptions of all views from one line of its own code, and a library raises for many callers.
Another record: the logger, the line that logs, and the template of the message, with each number as
a zero, because an f-string has its values in it.

This is done for each error, in the request, so it reads no source and formats nothing.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import sysconfig
import typing as t
from types import TracebackType

Place: t.TypeAlias = tuple[str, int, str]
"""A file, a line, and a function."""


class Key(t.NamedTuple):
    """What errors of one kind have in common: two texts, and a place."""

    source: str
    words: str
    place: Place


_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
_STDLIB = sysconfig.get_path("stdlib") + os.sep
_TEMPLATE = 200


def key_of(record: logging.LogRecord, root: str) -> Key:
    """Return what the records of one kind, and no others, have in common.

    :param root: The folder of the app.
    """
    error = error_of(record)
    if error is None:
        template = record.msg if isinstance(record.msg, str) else type(record.msg).__qualname__
        words = re.sub(r"[0-9]+", "0", template[:_TEMPLATE])
        return Key(record.name, words, _line_of(record))
    kind = type(error)
    return Key(
        kind.__module__, f"raised {kind.__qualname__}", place_of(error, root) or _line_of(record)
    )


def _line_of(record: logging.LogRecord) -> Place:
    return record.pathname, record.lineno, record.funcName or ""


def error_of(record: logging.LogRecord) -> BaseException | None:
    """Return the exception of a record, or None."""
    found = record.exc_info
    error = found[1] if isinstance(found, tuple) and len(found) > 1 else None
    return error if isinstance(error, BaseException) else None


def place_of(error: BaseException, root: str) -> Place | None:
    """Return the innermost line of the app's own code in a traceback; without one, the innermost
    line. None for an exception that was never raised."""
    own: TracebackType | None = None
    last = step = error.__traceback__
    # Which line of a recursion is the one too many, is chance. Where it began is not.
    outermost = isinstance(error, RecursionError)
    while step is not None:
        last = step
        if is_own(step.tb_frame.f_code.co_filename, root):
            own = step
            if outermost:
                break
        step = step.tb_next
    found = own or last
    if found is None:
        return None
    code = found.tb_frame.f_code
    return code.co_filename, found.tb_lineno or 0, code.co_name


@functools.lru_cache(4096)
def is_own(filename: str, root: str) -> bool:
    """Whether a file belongs to the app, and not to a library.

    :param root: The folder of the app, which may be installed next to the libraries.
    """
    if filename.startswith(("<", _PACKAGE)):
        return False
    if not _is_library(filename):
        return True
    within = f"{root}{os.sep}"
    # The root of an app of one module, if it is installed, is the folder of all libraries.
    single = root.endswith(("site-packages", "dist-packages"))
    return filename.startswith(within) and _is_library(within) and not single


def _is_library(path: str) -> bool:
    return path.startswith(_STDLIB) or "site-packages" in path or "dist-packages" in path
