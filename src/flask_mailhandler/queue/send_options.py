"""The arguments of ``send_later``, checked: delay=, at=, expires=, key= and priority=."""

from __future__ import annotations

import dataclasses
import datetime
import re
import typing as t
from collections.abc import Mapping

from ..errors import MessageError
from ..text.checks import check_text
from ..text.checks import shorten
from .row import PRIORITIES

# In the year 9892. The Date header must be able to name the time in every time zone.
_LAST = 250_000_000_000.0
_LONGEST_KEY = 200
_UNITS = ("seconds", "minutes", "hours", "days", "weeks")
# "5", "5min" and "2 hours", as keys and people write them.
_SPAN = re.compile(
    r"\s*([0-9]{1,9})\s*(|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|w|weeks?)\s*\Z", re.I
)

Span: t.TypeAlias = "float | datetime.timedelta"
"""Seconds, or a ``timedelta``."""


@dataclasses.dataclass(frozen=True, slots=True)
class When:
    """The times of a message, in seconds since 1970."""

    created: float
    due: float
    expires: float

    @property
    def date(self) -> datetime.datetime | None:
        """The Date of the message: its due time, in this machine's time zone.

        None if the message is due now, because it has that Date anyway.
        """
        if self.due == self.created:
            return None
        return datetime.datetime.fromtimestamp(int(self.due), datetime.UTC).astimezone()


@dataclasses.dataclass(frozen=True, slots=True)
class SendOptions:
    """How to send a message later, checked."""

    when: When
    key: str | None
    priority: int
    account: str
    origin: str
    trace: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """The span that queues the message, as W3C Trace Context writes it. Empty if there is none, or
    MAIL_TELEMETRY is off."""

    @classmethod
    def of(
        cls,
        *,
        delay: Span | None,
        at: datetime.datetime | None,
        expires: Span | datetime.datetime | None,
        key: str | None,
        priority: str,
        account: str,
        max_age: float,
        now: float,
        origin: str,
        trace: Mapping[str, str],
    ) -> SendOptions:
        """Read the arguments of ``send_later``.

        :raises MessageError: naming the argument that is wrong.
        """
        times = when(delay, at, expires, max_age, now)
        return cls(times, _key(key), priority_number(priority), account, origin, trace)

    def with_key(self, key: object) -> SendOptions:
        """Return the same options with another key.

        :raises MessageError: if the key is not valid.
        """
        return dataclasses.replace(self, key=_key(key))


def when(
    delay: Span | None,
    at: datetime.datetime | None,
    expires: Span | datetime.datetime | None,
    max_age: float,
    now: float,
) -> When:
    """Read the times of a message.

    :param max_age: Seconds after the due time at which a message expires at the latest.
    :param now: The time by the store's clock.
    :raises TypeError: if both *delay* and *at* are given.
    :raises MessageError: for a value that is not a time, a naive datetime, or a message that
        expires before it is due.
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
                "expires= is over before the message is due: write a later time, or more seconds,"
                " which count from now."
            )
        last = min(last, given)
    return When(now, due, last)


def _moment(value: object, name: str) -> float:
    if not isinstance(value, datetime.datetime):
        hint = "write datetime.now(UTC) + timedelta(hours=1), or delay= with seconds"
        if isinstance(value, datetime.timedelta):
            hint = "write delay="
        elif isinstance(value, str):
            hint = "write datetime.fromisoformat(...), with a time zone"
        raise MessageError(f"{name} takes a datetime, not {shorten(value)}: {hint}.")
    if value.utcoffset() is None:
        raise MessageError(
            f"{name} has no time zone: write datetime.now(UTC) + timedelta(...), or"
            " value.astimezone() if it is the time of this machine."
        )
    try:
        moment = value.timestamp()
    except (ValueError, OverflowError):  # in the year 1 or 9999, depending on the time zone
        moment = float("inf")
    if not abs(moment) < _LAST:
        raise MessageError(
            f"{name} is {value}, which is out of range: write a time in the near future."
        )
    return moment


def _seconds(value: object, name: str) -> float:
    if isinstance(value, datetime.timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e10:
        raise MessageError(
            f"{name} takes a number of seconds, 0 or more, or a timedelta, not {shorten(value)}."
            f"{_instead(value, name)}"
        )
    return float(value)


def _instead(value: object, name: str) -> str:
    """Say what to write instead of a value that is not a span."""
    if isinstance(value, datetime.datetime):
        return " Write at= for a datetime."
    found = _SPAN.match(value) if isinstance(value, str) else None
    if not found:
        return ""
    word = found[2].lower()
    unit = next((unit for unit in _UNITS if word and unit.startswith(word)), "seconds")
    unit = "minutes" if word == "m" else unit
    return f" Write {name}timedelta({unit}={int(found[1])})."


def priority_number(priority: str) -> int:
    """Return the number of a priority.

    :raises MessageError: for an unknown priority.
    """
    if priority not in PRIORITIES:
        words = ", ".join(map(repr, PRIORITIES))
        raise MessageError(f"priority= is one of {words}, not {shorten(priority)}.")
    return PRIORITIES.index(priority)


def _key(key: object) -> str | None:
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= _LONGEST_KEY:
        raise MessageError(
            f"key= takes a text of 1 to {_LONGEST_KEY} characters, such as 'order:17', not"
            f" {shorten(key)}."
        )
    return check_text(key, "key=")
