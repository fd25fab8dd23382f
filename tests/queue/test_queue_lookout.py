"""The lookout, while something happens between two of its calls of the store."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

import pytest

from clocks import Skewed
from clocks import Time
from flask_mailhandler.queue.engines import lookout
from flask_mailhandler.queue.engines.lookout import Lookout
from flask_mailhandler.queue.worker import Worker
from interleaving import Between
from interleaving import Moment
from queueing import Shop
from queueing import shop
from sending import letter

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from pathlib import Path

    from storing import Place

pytestmark = pytest.mark.slow


class Watched:
    """A shop with a queued message, whose store reports each call.

    :param delay: Seconds until the message is due.
    """

    def __init__(self, here: Shop, delay: float) -> None:
        here.mail.send_later(letter(), delay=delay)
        self.time = Time()
        self.unwatched = here.queue.store
        self.store = Between(Skewed(self.unwatched, self.time, 0.0))
        self.told: list[str] = []
        self.components = here.queue.components
        self.components._made["store"] = self.store

    def lookout(self) -> Lookout:
        """The lookout of one more process."""
        return Lookout(self.components, self.told.append)

    def runs(self, action: Callable[[], object]) -> Iterator[None]:
        """Yield once for each call of the store that the block makes, before which the action is
        done, and once more without it."""
        for number in itertools.count():
            self.unwatched.answer("default")
            self.time.passed = 0.0
            self.told.clear()
            moment = self.store.moment = Moment(number, action)
            yield
            self.store.moment = None
            if not moment.over:
                assert number > 1
                return


@contextlib.contextmanager
def watched(place: Place, folder: Path, delay: float = 0.0) -> Iterator[Watched]:
    with shop(folder, MAIL_QUEUE=place.named) as here:
        yield Watched(here, delay)


def test_a_ring_that_is_replaced(place: Place, tmp_path: Path) -> None:
    """E1: when an account waits long for its rate limit, one lookout records that in place of a
    shorter ring. Whenever another lookout finds the mail, the broker is told at most once, and not
    when the shorter ring would be over."""
    with watched(place, tmp_path) as here:
        mine, other = here.lookout(), here.lookout()
        for _ in here.runs(lambda: other.pass_on("default")):
            mine.pass_on("default", 600.0)
            later = here.unwatched.now() + lookout.UNDER_WAY + 1

            assert len(here.told) <= 1
            assert not here.unwatched.ring("default", later, later + 1)


def test_a_ring_under_way(place: Place, tmp_path: Path) -> None:
    """E1: if a shorter ring is under way meanwhile, the broker is not told again."""
    with watched(place, tmp_path) as here:
        mine, other = here.lookout(), here.lookout()
        for _ in here.runs(lambda: other.pass_on("default")):
            now = here.unwatched.now()
            here.unwatched.ring("default", now, now + lookout.UNDER_WAY)
            mine.pass_on("default", 600.0)

            assert here.told == []


@pytest.mark.parametrize("ringing", [True, False])
def test_mail_that_becomes_due_during_a_search(
    ringing: bool, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever mail becomes due during a search, the broker is told, or the next search comes when
    the mail was to become due."""
    monkeypatch.setattr(lookout, "EVERY", 3000.0)
    with watched(place, tmp_path, delay=60.0) as here:
        mine = here.lookout()
        rung = {"default": mine._app_access.app} if ringing else {}

        def wait() -> None:
            here.time.passed = 90.0

        for _ in here.runs(wait):
            rest = mine._look(Worker(here.components), rung)

            assert here.told or rest <= 60.0
