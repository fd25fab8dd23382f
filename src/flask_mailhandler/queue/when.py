"""When a message is sent, and until when: what a caller may write."""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ..errors import MessageError
from ..text.checks import shorten
from .row import PRIORITIES

_LAST = 250_000_000_000.0
# In the year 9892: a date must stand in a header in every time zone.

Span: t.TypeAlias = "float | datetime.timedelta"
"""Seconds, or a ``timedelta``."""


@dataclasses.dataclass(frozen=True, slots=True)
class When:
    """Times in seconds since 1970."""

    created: float
    due: float
    expires: float

    @property
    def date(self) -> datetime.datetime | None:
        """The Date of the message: its due time, in the zone of this machine. None if that is
        now, which is the Date that it has."""
        if self.due == self.created:
            return None
        return datetime.datetime.fromtimestamp(int(self.due), datetime.UTC).astimezone()


def when(
    delay: Span | None,
    at: datetime.datetime | None,
    expires: Span | datetime.datetime | None,
    max_age: float,
    now: float,
) -> When:
    """Read what a caller has written.

    :param max_age: Seconds from the due time on after which a message is given up anyway.
    :param now: The time by the clock of the store.
    :raises TypeError: if both *delay* and *at* are given.
    :raises MessageError: for a time that is none, is naive, or is over before it begins.
    """
    if delay is not None and at is not None:
        raise TypeError("delay= and at= both say when the message is sent: give one of them.")
    due = now
    if at is not None:
        due = max(now, _moment(at, "at="))
    elif delay is not None:
        due = now + _seconds(delay, "delay=")
    last = due + max_age
    if expires is not None:
        absolute = isinstance(expires, datetime.datetime)
        given = _moment(expires, "expires=") if absolute else now + _seconds(expires, "expires=")
        if given <= due:
            raise MessageError(
                "expires= is over before the message is due: write a later time, or seconds from"
                " now on."
            )
        last = min(last, given)
    return When(now, due, last)


def _moment(value: object, name: str) -> float:
    if not isinstance(value, datetime.datetime):
        raise MessageError(f"{name} takes a datetime, not {shorten(value)}.")
    if value.utcoffset() is None:
        raise MessageError(
            f"{name} has no time zone: write datetime.now(UTC) + timedelta(...), or"
            " value.astimezone() if it is the time of this machine."
        )
    try:
        moment = value.timestamp()
    except (ValueError, OverflowError):  # in the year 1 or 9999, by its zone
        moment = float("inf")
    if not abs(moment) < _LAST:
        raise MessageError(
            f"{name} is {value}, which is no time for mail: write one that will come."
        )
    return moment


def _seconds(value: object, name: str) -> float:
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e10:
        raise MessageError(
            f"{name} takes a number of seconds, 0 or more, or a timedelta, not {shorten(value)}."
        )
    return float(value)


def priority_number(priority: str) -> int:
    """The number of a priority's word.

    :raises MessageError: for any other word.
    """
    if priority not in PRIORITIES:
        words = ", ".join(map(repr, PRIORITIES))
        raise MessageError(f"priority= is one of {words}, not {shorten(priority)}.")
    return PRIORITIES.index(priority)
