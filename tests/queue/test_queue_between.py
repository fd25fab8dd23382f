"""FAULTS R1, R3: whatever happens between any two steps of a worker, or of a person who presses a
button, no recipient gets a message twice, and none is forgotten."""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest
from sqlalchemy import event

from flask_mailhandler import QueueError
from flask_mailhandler import signals
from flask_mailhandler.queue.lease import Lease
from flask_mailhandler.queue.outcomes import from_json
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
from interleaving import Between
from interleaving import Moment
from interleaving import Post

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from pathlib import Path

    from queueing import Shop
    from sending import Scripted
    from servers.database_server import DatabaseServer
    from storing import Place

    Doing = Callable[[Shop], object]


def _ids(shop: Shop) -> list[int]:
    return [row.id for row in shop.rows]


def _claimed(shop: Shop) -> list[t.Any]:
    return shop.queue.store.rows(Filter([RowState.CLAIMED]), 100)


def retry(shop: Shop) -> None:
    """A person retries everything."""
    shop.queue.retry(_ids(shop))


def cancel(shop: Shop) -> None:
    """A person cancels everything."""
    shop.queue.cancel(_ids(shop))


def stop_and_go(shop: Shop) -> None:
    """A person cancels everything, and retries it."""
    cancel(shop)
    retry(shop)


def purge(shop: Shop) -> None:
    """A person deletes the finished messages."""
    shop.queue.purge()


def send(shop: Shop) -> None:
    """Another worker sends the due mail."""
    shop.queue.run_once()


def send_twice(shop: Shop) -> None:
    """Another worker sends all mail that waits, and the recipients that are deferred then."""
    shop.queue.run_once()
    shop.all_later()
    shop.queue.run_once()


def recover(shop: Shop) -> None:
    """Another worker takes all others for dead, because they were away for too long."""
    shop.forget_workers()
    shop.queue.worker().upkeep.recover()


def take_over(shop: Shop) -> None:
    """Another worker takes all others for dead, and sends their mail."""
    recover(shop)
    shop.queue.run_once()


def renew(shop: Shop) -> None:
    """All leases are extended."""
    for row in _claimed(shop):
        shop.queue.store.renew(Lease(row.lease_owner, shop.queue.store.now() + 60))


def release(shop: Shop) -> None:
    """The claimed rows are given back, as if their worker had been abandoned."""
    for row in _claimed(shop):
        shop.queue.store.release([row.id], row.lease_owner)


def release_and_send(shop: Shop) -> None:
    """The claimed rows are given back, and another worker sends them."""
    release(shop)
    shop.queue.run_once()


ACTIONS = [
    *(retry, cancel, stop_and_go, purge, send, send_twice),
    *(recover, take_over, renew, release, release_and_send),
]
STOPS = (cancel,)
AWAY = (recover, take_over)


def work(post: Post) -> None:
    """A worker sends everything, in two attempts."""
    post.work()


def press_retry(post: Post) -> None:
    """A person retries everything, before and after the first attempt."""
    retry(post.here)
    post.there.queue.run_once()
    retry(post.here)


def press_cancel(post: Post) -> None:
    """A person cancels everything after the first attempt, and retries it."""
    post.there.queue.run_once()
    stop_and_go(post.here)


def see_to_the_dead(post: Post) -> None:
    """A worker finds rows that another worker, which is away, has claimed."""
    store, now = post.there.queue.store, post.there.queue.store.now()
    owner = store.new_owner()
    (first, *_) = store.claim("default", Lease(owner, now - 1), now, 20)
    announced = str.__str__(from_json(first.recipients)[0].recipient)
    assert store.announce(first.id, owner, json.dumps([announced]))
    post.here.queue.worker().upkeep.recover()


# Every action interrupts a worker. Only actions on the same rows interrupt the other subjects.
PAIRS = [
    *((work, action) for action in ACTIONS),
    *(
        (subject, action)
        for subject in (press_retry, press_cancel, see_to_the_dead)
        for action in (send_twice, cancel, take_over, release_and_send)
    ),
]
each_pair = pytest.mark.parametrize(
    ("subject", "action"), PAIRS, ids=[f"{one.__name__}-{two.__name__}" for one, two in PAIRS]
)
# Many runs, which are the same on every version of Python.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("untraced")]


class Failures:
    """The failure signals of the shops."""

    def __init__(self, *shops: Shop) -> None:
        self.told: list[object] = []
        for shop in shops:
            signals.message_failed.connect(self._note, shop.app)

    def _note(self, sender: object, **about: t.Any) -> None:
        self.told.append(about["report"])


@contextlib.contextmanager
def post_at(folder: Path, scripted: Scripted, *named: str) -> Iterator[Post]:
    """Two shops and a server, closed at the end."""
    post = Post(folder, scripted, *named)
    with contextlib.closing(post):
        yield post


def prove(
    post: Post,
    subject: Callable[[Post], None],
    doing: Doing,
    watch: Callable[[Moment | None], None],
    action: Doing,
    messages: int = 2,
) -> int:
    """Do something before each step of the subject, once in a run, until no step is left; how many
    there were.

    :param doing: It, as it is done.
    :param action: Which of the actions it is.
    """
    failures = Failures(post.here, post.there)
    number = 0
    while True:
        added = post.add(messages)
        moment = Moment(number, lambda: doing(post.there))
        watch(moment)
        subject(post)
        watch(None)
        unsure = action in AWAY or subject is see_to_the_dead
        post.drain()
        post.check(added, stops=action in STOPS, unsure=unsure)
        assert unsure or not failures.told, failures.told
        _forget_all(post)
        if not moment.over:
            return number
        number += 1


def _forget_all(post: Post) -> None:
    post.there.queue.purge()
    post.there.queue.purge(state=RowState.HELD)


@each_pair
# What happens between two calls happens between two statements, too.
@pytest.mark.parametrize(
    "place",
    ["sqlite", "sqlalchemy", pytest.param("postgresql", marks=pytest.mark.services)],
    indirect=True,
)
def test_between_any_two_calls(
    subject: Callable[[Post], None],
    action: Doing,
    place: Place,
    tmp_path: Path,
    scripted: Scripted,
) -> None:
    """The promises hold whatever happens between two calls of a store."""
    with post_at(tmp_path, scripted, place.named) as post:
        between = Between(post.here.queue.store)
        post.here.queue.components._made["store"] = between

        def watch(moment: Moment | None) -> None:
            between.moment = moment

        assert prove(post, subject, action, watch, action) > 2


# What interrupts a transaction is in one of these.
FEW = [(one, two) for one, two in PAIRS if two in (cancel, take_over)]
POSTGRESQL = ("postgresql", "%20-clock_timeout%3D50ms")
MARIADB = ("mariadb", "&init_command=SET%20innodb_lock_wait_timeout%3D0")


@pytest.mark.services
@pytest.mark.parametrize(
    ("subject", "action", "database_server", "patience"),
    [(*pair, *POSTGRESQL) for pair in PAIRS] + [(*pair, *MARIADB) for pair in FEW],
    indirect=["database_server"],
)
def test_between_any_two_statements(
    subject: Callable[[Post], None],
    action: Doing,
    database_server: DatabaseServer,
    patience: str,
    tmp_path: Path,
    scripted: Scripted,
) -> None:
    """The promises hold whatever happens between two statements, or before a commit, on a server.
    An action that would have to wait for the interrupted one gives up and does nothing."""

    def unless_it_waits(shop: Shop) -> None:
        with contextlib.suppress(QueueError):
            action(shop)

    with (
        database_server.database() as url,
        post_at(tmp_path, scripted, url, url + patience) as post,
    ):
        store = post.here.queue.store
        assert isinstance(store, SqlalchemyStore)
        steps = Steps(store.database.engine)
        assert prove(post, subject, unless_it_waits, steps.watch, action, 1) > 2


class Steps:
    """Reports each statement and commit of an engine before it runs."""

    def __init__(self, engine: t.Any) -> None:
        self._moment: Moment | None = None
        event.listen(engine, "before_cursor_execute", self._step)
        event.listen(engine, "commit", self._step)

    def watch(self, moment: Moment | None) -> None:
        """Report to this moment, or to none."""
        self._moment = moment

    def _step(self, *args: object) -> None:
        if self._moment is not None:
            self._moment.step()
