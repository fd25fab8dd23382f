"""Times as the lists show them, in the zone of this machine."""

from __future__ import annotations

import datetime


def today() -> datetime.date:
    """Return today's date on this machine."""
    return datetime.datetime.now().astimezone().date()


def when(today: datetime.date, time: datetime.datetime) -> str:
    """Return the time of day if *time* is today, and its date otherwise."""
    local = time.astimezone()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b}" if local.year == today.year else f"{local:%Y-%m-%d}"
