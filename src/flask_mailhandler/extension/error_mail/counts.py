"""How often each kind of error was seen, and when the next mail may go.

::

    first of a kind ──▶ a mail at once
    the same again ───▶ counted ──▶ a digest, digest_every after the first that was counted
    a minute after any mail ──────▶ what is new since, in one mail
    per_hour mails in an hour ────▶ everything waits
    quiet for digest_every ───────▶ the kind is forgotten, and new when it comes again

Nothing here sends, waits, or calls code of the app while it holds the lock.
"""

from __future__ import annotations

import dataclasses
import threading
import time
import typing as t
from collections import deque
from collections.abc import Callable

if t.TYPE_CHECKING:
    from .captured import Captured
    from .kind import Key

PAUSE = 60.0
"""Seconds after a mail in which errors of new kinds are collected for one mail."""
KINDS = 200
"""The kinds that are kept apart. Errors of further kinds are only counted."""
_HOUR = 3600.0


@dataclasses.dataclass(slots=True)
class Kind:
    """Errors of one kind since the last mail that told of them."""

    title: str
    captured: Captured | None
    """None when a mail has shown it."""
    count: int
    first: float
    last: float
    seen: float
    """When the last one was seen, by the monotonic clock."""


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """What a mail says of one kind."""

    key: Key
    title: str
    captured: Captured | None
    count: int
    first: float
    last: float


@dataclasses.dataclass(frozen=True, slots=True)
class Parcel:
    """What one mail tells.

    :param others: Errors of kinds that were not kept apart.
    """

    items: tuple[Item, ...]
    others: int = 0

    @property
    def is_digest(self) -> bool:
        """Whether it is about anything but one new kind."""
        return len(self.items) != 1 or self.items[0].captured is None or self.others > 0

    @property
    def count(self) -> int:
        """The number of errors."""
        return sum(item.count for item in self.items) + self.others


class Counts:
    """The kinds of errors of one app.

    :param every: Seconds between digests.
    :param per_hour: The most mails in an hour.
    """

    def __init__(
        self, every: float, per_hour: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every = every
        self._per_hour = per_hour
        self._clock = clock
        # A signal handler, or a __del__ that the garbage collector calls, may log while this thread
        # holds it.
        self._lock = threading.RLock()
        self._kinds: dict[Key, Kind] = {}
        self._others = 0
        self._digest_at: float | None = None
        self._mails: deque[float] = deque()
        self._not_before = 0.0
        self._failures = 0

    def add(self, key: Key, capture: Callable[[], Captured], when: float) -> bool:
        """Count an error.

        :param capture: Called if it is the first of its kind.
        :param when: In seconds since 1970.
        :return: Whether something new waits: an error of a new kind, or the first for a digest.
        """
        now = self._clock()
        with self._lock:
            if self._count(key, when, now):
                return self._begin_digest(now)
            if len(self._kinds) >= KINDS:
                self._forget(now)
            if len(self._kinds) >= KINDS:
                self._others += 1
                return self._begin_digest(now)
        found = capture()  # it calls code of the app
        with self._lock:
            # Another thread may have captured the same kind meanwhile.
            if self._count(key, when, now):
                return self._begin_digest(now)
            self._kinds[key] = Kind(found.title, found, 1, when, when, now)
            return True

    def _count(self, key: Key, when: float, now: float) -> bool:
        kind = self._kinds.get(key)
        if kind is None:
            return False
        if self._is_over(kind, now):
            del self._kinds[key]
            return False
        kind.first = kind.first if kind.count else when
        kind.count, kind.last, kind.seen = kind.count + 1, when, now
        return True

    def _begin_digest(self, now: float) -> bool:
        if self._digest_at is not None:
            return False
        self._digest_at = now + self._every
        return True

    def _is_over(self, kind: Kind, now: float) -> bool:
        return kind.captured is None and not kind.count and now - kind.seen >= self._every

    def _forget(self, now: float) -> None:
        for key in [key for key, kind in self._kinds.items() if self._is_over(kind, now)]:
            del self._kinds[key]

    def take(self, *, patient: bool = True, all_of_it: bool = False) -> Parcel | None:
        """Return what to mail now, or None.

        :param patient: Whether to keep the pause after a mail.
        :param all_of_it: Whether counts are told before the next digest is due.
        """
        now = self._clock()
        with self._lock:
            self._forget(now)
            if now < self._earliest(now, patient):
                return None
            new = [key for key, kind in self._kinds.items() if kind.captured is not None]
            due = all_of_it or (self._digest_at is not None and now >= self._digest_at)
            if due or len(new) > 1:
                parcel = self._packed([key for key, kind in self._kinds.items() if kind.count])
                self._others, self._digest_at = 0, None
            else:
                parcel = self._packed(new, others=False)
            if not parcel.count:
                return None
            self._mails.append(now)
            return parcel

    def _packed(self, keys: list[Key], *, others: bool = True) -> Parcel:
        parcel = Parcel(
            tuple(_item(key, self._kinds[key]) for key in keys), self._others if others else 0
        )
        for key in keys:
            self._kinds[key].captured, self._kinds[key].count = None, 0
        return parcel

    def _earliest(self, now: float, patient: bool) -> float:
        """Return when the next mail may go."""
        while self._mails and now - self._mails[0] >= _HOUR:
            self._mails.popleft()
        found = self._not_before if patient else 0.0
        if self._mails and patient:
            found = max(found, self._mails[-1] + PAUSE)
        if len(self._mails) >= self._per_hour:
            found = max(found, self._mails[0] + _HOUR)
        return found

    def retitle(self, parcel: Parcel) -> None:
        """Keep these titles for the next digests. The requests that hold the secrets of the titles
        are not kept."""
        with self._lock:
            for item in parcel.items:
                kind = self._kinds.get(item.key)
                if kind is not None and kind.captured is None:
                    kind.title = item.title

    def sent(self) -> None:
        """Note that a mail was sent or queued."""
        self._failures = 0

    def put_back(self, parcel: Parcel, *, failed: bool = True) -> float:
        """Count again what was not told. It is tried again after a pause that doubles each time.

        :param failed: False if another process has sent the same mail: only the counts are kept.
        :return: The seconds of the pause.
        """
        now = self._clock()
        with self._lock:
            for item in parcel.items:
                kind = self._kinds.setdefault(
                    item.key, Kind(item.title, None, 0, item.first, item.last, now)
                )
                kind.first = min(item.first, kind.first) if kind.count else item.first
                kind.count += item.count
                if failed:
                    kind.captured = kind.captured or item.captured
            self._others += parcel.others
            if self._mails:
                self._mails.pop()
            if not failed:
                self._begin_digest(now)
                return 0.0
            if parcel.others or any(item.captured is None for item in parcel.items):
                self._digest_at = now
            pause = min(PAUSE * 2.0**self._failures, _HOUR)
            self._failures = min(self._failures + 1, 10)
            self._not_before = now + pause
            return pause

    def wait(self) -> float | None:
        """Return the seconds until there is something to mail; None if nothing waits."""
        now = self._clock()
        with self._lock:
            if any(kind.captured is not None for kind in self._kinds.values()):
                due = now
            elif self._digest_at is not None:
                due = self._digest_at
            else:
                return None
            return max(due, self._earliest(now, True)) - now

    def left(self) -> Parcel:
        """Return what waits, without taking it."""
        with self._lock:
            items = [_item(key, kind) for key, kind in self._kinds.items() if kind.count]
            return Parcel(tuple(items), self._others)

    def __repr__(self) -> str:
        return f"<Counts {len(self._kinds)} kinds, {self.left().count} errors wait>"


def _item(key: Key, kind: Kind) -> Item:
    return Item(key, kind.title, kind.captured, kind.count, kind.first, kind.last)
