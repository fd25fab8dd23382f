"""Regular expressions that are compiled when they are first used.

To compile one takes 0.1 to 0.3 ms. Those that a short message to one recipient does not need are
made here, so that not every start of an app waits for all of them.
"""

from __future__ import annotations

import re
import typing as t


def late_pattern(pattern: t.AnyStr, flags: int = 0) -> re.Pattern[t.AnyStr]:
    """Return what ``re.compile(pattern, flags)`` returns, or an object with the same methods.

    .. code-block:: python

        _DIGITS = late_pattern("[0-9]+")
    """
    return t.cast("re.Pattern[t.AnyStr]", _LatePattern(pattern, flags))


class _LatePattern:
    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self.pattern = pattern
        self.flags = flags

    def __getattr__(self, name: str) -> t.Any:
        # Stored, so the next call takes no longer than that of a compiled pattern.
        found = vars(self)[name] = getattr(re.compile(self.pattern, self.flags), name)
        return found
