"""The options of a health check, and its bounds."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Collection

from ...app.queue_keys import duration
from ...errors import ConfigurationError
from ...text.checks import shorten


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is too old, too many, or too far apart. Times are in seconds."""

    max_age: float = 300.0
    max_silence: float = 120.0
    max_clock: float = 60.0
    recent: float = 3600.0
    max_failed: int = 10


class BoundOptions(t.TypedDict, total=False):
    """The bounds that a caller may give."""

    max_age: float
    """How many seconds the oldest due message may be overdue. By default 300."""
    max_silence: float
    """How many seconds due mail may wait while no worker shows that it is alive. By default 120."""
    max_clock: float
    """By how many seconds the clocks of this machine and of the database's server may differ. By
    default 60."""
    recent: float
    """For how many seconds a message that failed, expired or is held counts. By default 3600."""
    max_failed: int
    """How many messages may fail or expire in that time. By default 10."""


def bounds_of(given: BoundOptions) -> Bounds:
    """Read the bounds that a caller gives.

    :raises ConfigurationError: if one is not valid. The error says what to write.
    """
    return Bounds(**{name: _bound(value, name) for name, value in given.items()})


def _bound(value: object, name: str) -> t.Any:
    if name != "max_failed":
        return duration(value, name)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ConfigurationError(f"{name} must be a whole number, 0 or more, not {shorten(value)}.")


class HealthOptions(BoundOptions, total=False):
    """The options of :meth:`.MailQueue.health`."""

    using: str | None
    """The account to look at. By default all of the app."""
    only: Collection[str]
    """The names of the findings to report. By default all."""
    timeout: float
    """How many seconds the store may take to answer. By default 5."""
