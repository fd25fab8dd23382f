"""When a mail about errors goes, and what it counts. The clock is the test's."""

from __future__ import annotations

import dataclasses
import functools
import threading
import typing as t

import pytest

from flask_mailhandler.extension.error_mail.counts import Counts
from flask_mailhandler.extension.error_mail.counts import KINDS
from flask_mailhandler.extension.error_mail.counts import PAUSE
from flask_mailhandler.extension.error_mail.kind import Key

if t.TYPE_CHECKING:
    from flask_mailhandler.extension.error_mail.captured import Captured
    from flask_mailhandler.extension.error_mail.counts import Parcel

HOUR = 3600.0


@dataclasses.dataclass
class Case:
    """Counts with a clock that stands still until a test moves it."""

    per_hour: int = 10
    every: float = HOUR
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.counts = Counts(self.every, self.per_hour, lambda: self.now)

    def add(self, *kinds: str) -> list[bool]:
        return [self._add(kind) for kind in kinds]

    def _add(self, kind: str) -> bool:
        key = Key("", kind, ("a.py", 1, "f"))
        return self.counts.add(key, functools.partial(captured, kind), self.now)

    def mails(self, seconds: float, step: float = 10.0) -> list[Parcel]:
        """What is mailed while so much time passes."""
        end, found = self.now + seconds, []
        while self.now <= end:
            if parcel := self.counts.take():
                self.counts.sent()
                found.append(parcel)
            self.now += step
        return found


def captured(kind: str) -> Captured:
    class Stub(t.NamedTuple):
        title: str

    return t.cast("Captured", Stub(kind))


def shown(parcels: list[Parcel]) -> list[dict[str, int]]:
    return [{item.title: item.count for item in parcel.items} for parcel in parcels]


def test_first_error_and_digest() -> None:
    """The first error of a kind is mailed at once, and the others after the period, in one mail."""
    case = Case()
    assert case.add("a") == [True]
    assert shown(case.mails(0)) == [{"a": 1}]

    # Only the first that is counted wakes the thread.
    assert case.add("a", "a", "a") == [True, False, False]
    assert shown(case.mails(HOUR - 50)) == []
    assert shown(case.mails(60)) == [{"a": 3}]
    assert case.counts.wait() is None


def test_new_kinds_after_a_mail_wait_for_a_minute() -> None:
    """Errors of new kinds that follow a mail are collected for a minute, and share one mail."""
    case = Case()
    case.add("a")
    case.mails(0)

    case.add("b", "c", "c")
    assert case.counts.wait() == pytest.approx(PAUSE - 10)
    assert shown(case.mails(2 * PAUSE)) == [{"b": 1, "c": 2}]


def test_the_limit_for_an_hour() -> None:
    """However many kinds there are, an hour has no more mails than the limit, and none is lost."""
    case = Case(per_hour=3)
    sent: list[Parcel] = []
    for number in range(40):
        case.add(f"kind {number}", "always")
        sent += case.mails(100)
    assert 3 < len(sent) <= 6  # 4000 seconds and more

    sent += case.mails(2 * HOUR)
    assert sum(parcel.count for parcel in sent) == 80
    assert {item.title for parcel in sent for item in parcel.items} == {
        "always",
        *(f"kind {number}" for number in range(40)),
    }


def test_a_kind_is_forgotten() -> None:
    """An error that has been quiet for a period is a new one when it comes again."""
    case = Case()
    case.add("a")
    case.mails(0)

    case.now += HOUR
    case.add("a")

    (parcel,) = case.mails(0)
    assert not parcel.is_digest


def test_what_failed_is_told_later() -> None:
    """What could not be mailed waits for a minute, then for two, up to an hour; nothing is lost."""
    case = Case()
    case.add("a")
    pauses = []
    for _ in range(8):
        parcel = case.counts.take()
        assert parcel is not None
        case.add("a")
        pauses.append(case.counts.put_back(parcel))
        assert case.counts.take() is None
        case.now += pauses[-1]

    (parcel,) = case.mails(0)
    assert parcel.count == 9
    assert not parcel.is_digest
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600]


def test_what_another_process_has_told() -> None:
    """The first error of a kind that another process has mailed is counted in this one's digest."""
    case = Case()
    case.add("a")
    parcel = case.counts.take()
    assert parcel is not None
    case.counts.put_back(parcel, failed=False)

    assert shown(case.mails(HOUR - 10)) == []
    assert shown(case.mails(20)) == [{"a": 1}]


def test_memory_is_bounded() -> None:
    """Kinds beyond the limit are only counted, and the digest says how many errors they were."""
    case = Case()
    case.add(*(f"kind {number}" for number in range(KINDS + 50)))

    (parcel,) = case.mails(0)
    assert len(parcel.items) == KINDS
    assert parcel.others == 50


@pytest.mark.parametrize("kinds", [1, 8, 150])
def test_ten_thousand_errors_from_eight_threads(kinds: int) -> None:
    """They are two mails at most, whatever their number of kinds, and each is counted once."""
    case = Case()
    found: list[Parcel] = []
    started = threading.Barrier(8)

    def errors() -> None:
        started.wait(60)
        for number in range(1250):
            case.add(f"kind {number % kinds}")
            if parcel := case.counts.take():
                found.append(parcel)

    threads = [threading.Thread(target=errors) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    if parcel := case.counts.take(patient=False, all_of_it=True):
        found.append(parcel)
    assert len(found) <= 2
    assert sum(parcel.count for parcel in found) == 10_000


def test_what_is_told_at_the_end() -> None:
    """At the end of a process, what waits is told without a pause, within the limit."""
    case = Case(per_hour=2)
    case.add("a")
    case.mails(0)
    case.add("a", "b")

    parcel = case.counts.take(patient=False, all_of_it=True)
    assert parcel is not None
    assert parcel.count == 2
    case.add("c")
    assert case.counts.take(patient=False, all_of_it=True) is None
    assert case.counts.left().count == 1
