"""Ranges of times in the search field: a day, or two times with two dots between them.

::

    range = time / [time] ".." [time]
    time  = date / date "T" hour ":" minute [":" second] [zone]

A time without a zone is in the zone of this machine, as the lists show it.
"""

from __future__ import annotations

import datetime
import re

from ...queue.stores.search import Between
from ...queue.stores.search import EVER

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:(?P<time>T\d\d:\d\d)(?P<second>:\d\d)?(?P<zone>Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


def read_range(text: str, name: str) -> Between:
    """Return the times of a range. Its end belongs to it: the whole day, minute or second.

    :param name: The name of the term, for the error.
    :raises ValueError: if it is not a range. The error says what to write.
    """
    first, dots, last = text.partition("..")
    if not dots:
        last = first
    try:
        start = _moment(first).timestamp() if first else EVER.start
        end = _end(last).timestamp() if last else EVER.end
        if not (first or last) or start >= end:
            raise ValueError(text)
    except (ValueError, OverflowError, OSError):  # OSError: before 1970, on some systems
        raise ValueError(
            f"{name} must be a day, or a range such as 2026-11-01..2026-11-30,"
            f" 2026-11-30T10:00.. or ..2026-11-30, not {text[:80]!r}."
        ) from None
    return Between(start, end)


def _moment(text: str) -> datetime.datetime:
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.datetime.fromisoformat(text).astimezone()


def _end(text: str) -> datetime.datetime:
    """Return the end of a day, a minute or a second."""
    begin, found = _moment(text), _TIME.fullmatch(text)
    assert found is not None
    if found["time"]:
        length = datetime.timedelta(seconds=1) if found["second"] else datetime.timedelta(minutes=1)
        return begin + length
    # Not after 24 hours: summer time may begin or end on this day.
    next_day = begin.replace(tzinfo=None) + datetime.timedelta(days=1)
    return next_day.astimezone()
