"""What every store does: rows are stored, claimed once, and found again."""

from __future__ import annotations

import dataclasses
import os
import threading
import time
import typing as t

import pytest

from flask_mailhandler import QueueError
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.stores.base import LONGEST_RING
from flask_mailhandler.queue.stores.base import Pause
from forking import fork
from queueing import shop
from sending import letters
from sending import Scripted
from storing import add
from storing import lease
from storing import NOW
from storing import row
from workers import together

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler.queue.stores.base import Store
    from flask_mailhandler.queue.ticket import Ticket
    from storing import Place


@pytest.fixture
def store(place: Place) -> Store:
    """A store of the app "shop"."""
    return place.store()


def test_numbers_are_never_given_twice(store: Store) -> None:
    """An engine may ring for a row that was deleted long ago, so its number is never used again."""
    tickets = add(store, *[row(state=RowState.SENT) for _ in range(3)])
    assert store.purge(Filter(), 10) == 3

    assert add(store, row())[0].id > tickets[-1].id
    assert store.purge(Filter(), 10) == 0


def test_all_or_none(store: Store) -> None:
    """Rows that are added together are all added, or none is."""
    with pytest.raises(QueueError, match=r"(?i)not.(be )?null"):
        add(store, row(), row(message_id=None))

    assert store.counts() == {}


def test_apps_do_not_see_each_other(place: Place) -> None:
    """Two apps may share a file: each has its own rows, keys, limits and pauses."""
    store, other = place.store(), place.store("blog")
    add(store, row(key="k"))
    (ticket,) = add(other, row(app="blog", key="k"))
    other.alter_pause("default", lambda before: Pause(NOW, 1, "why"))

    assert ticket.created
    assert (store.counts(), other.counts()) == ({"waiting": 1}, {"waiting": 1})
    assert [one.app for one in other.claim("default", lease(), NOW, 10)] == ["blog"]
    assert store.pause("default") == Pause()


def test_a_row_is_claimed_once(place: Place) -> None:
    """Of any number of workers, one gets a row: threads and processes alike."""
    stores = [place.store() for _ in range(4)]
    add(stores[0], *[row(message_id=f"<{number}@example.com>") for number in range(200)])
    claimed: list[int] = []

    def claim(store: Store, owner: str) -> None:
        while found := store.claim("default", lease(owner), NOW, 7):
            claimed.extend(one.id for one in found)

    threads = [
        threading.Thread(target=claim, args=(stores[number % 4], str(number)))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(claimed) == [*range(1, 201)]


def test_claiming(store: Store) -> None:
    """Claimed rows are due, belong to one account, and have the highest priority that is due."""
    add(
        store,
        row(priority=2),
        row(priority=1, due=NOW - 1),
        row(priority=1, due=NOW - 2),
        row(priority=0, due=NOW + 1),
        row(priority=0, account="news"),
    )

    assert [one.id for one in store.claim("default", lease(), NOW, 10)] == [3, 2]
    assert [one.id for one in store.claim("default", lease(), NOW, 10)] == [1]
    assert store.claim("default", lease(), NOW, 10) == []
    (found,) = store.claim("default", lease(), NOW + 1, 10)
    assert (found.id, found.attempts, found.lease_owner) == (4, 1, "me")
    assert store.due("default") == []
    assert store.due("news") == [(0, NOW)]


def test_claiming_of_an_origin(store: Store) -> None:
    """A process that sends nothing claims only rows that such a process on its machine has
    queued."""
    add(store, row(), row(origin="here"), row(origin="there"), row(origin="here", due=NOW + 1))

    assert store.due("default", "here") == [(1, NOW)]
    assert [one.id for one in store.claim("default", lease(), NOW, 10, "here")] == [2]
    assert store.due("default", "elsewhere") == []
    assert store.claim("default", lease(), NOW, 10, "elsewhere") == []
    assert [one.id for one in store.claim("default", lease(), NOW, 10)] == [1, 3]


def test_a_lost_lease(store: Store) -> None:
    """A worker that has lost its lease may not announce the end of data. Its result does not count
    if another worker has the row, but it does if the row was only held."""
    add(store, row(), row())
    first, second = store.claim("default", lease("slow", NOW + 60), NOW, 2)
    assert store.announce(first.id, "slow", "[]")
    assert [one.id for one in store.lost(NOW + 61, 120)] == [1, 2]
    held = dataclasses.replace(first, state=RowState.HELD)
    again = dataclasses.replace(second, state=RowState.WAITING, lease_owner=None)
    assert store.settle(held, "slow")
    assert store.settle(again, "slow")
    store.claim("default", lease("quick"), NOW, 1)

    assert not store.announce(second.id, "slow", "[]")
    assert not store.settle(dataclasses.replace(second, state=RowState.SENT), "slow")
    assert store.settle(dataclasses.replace(first, state=RowState.SENT), "slow", drop=True)
    assert store.counts() == {"sent": 1, "claimed": 1}
    assert (store.content(first.id), store.content(second.id)) == (None, b"x")


def test_releasing_and_renewing(store: Store) -> None:
    """A row that was not tried is given back with its attempt, and a lease is extended."""
    add(store, row(), row())
    store.claim("default", lease("me", NOW), NOW, 2)
    store.renew(lease("me", NOW + 60))
    store.release([1], "me")
    store.release([2], "somebody else")
    store.release([], "me")

    assert store.lost(NOW + 59, 120) == []
    found = {one.id: (one.state, one.attempts, one.lease_owner) for one in store.rows(Filter(), 9)}
    assert found == {1: ("waiting", 0, None), 2: ("claimed", 1, "me")}


def test_a_clock_that_was_ahead(store: Store) -> None:
    """F-104: when a clock is put back, rows that were due soon by the old clock are due soon by the
    new one, a lease that ends too late is over, and rows that are due at a certain time stay so."""
    ahead = NOW + 7200
    add(
        store,
        row(created=ahead, changed=ahead, due=ahead, expires=ahead + 100),
        row(created=ahead, changed=ahead, due=ahead + 86400, expires=ahead + 90000),
        row(),
        row(created=ahead, changed=ahead, due=ahead, expires=ahead + 100, account="news"),
    )
    store.claim("news", lease("dead", ahead + 60), ahead, 1)

    assert (store.pull(NOW, 3600), store.pull(NOW, 3600)) == (1, 0)
    found = {one.id: one.due for one in store.rows(Filter([RowState.WAITING]), 9)}
    assert found == {1: NOW, 2: ahead + 86400, 3: NOW}
    assert [one.id for one in store.lost(NOW, 120)] == [4]


def test_rows_and_counts(store: Store) -> None:
    """Rows are found by state, account, age and number."""
    add(
        store,
        row(changed=NOW - 30),
        row(changed=NOW - 10, state=RowState.FAILED),
        row(changed=NOW - 20, state=RowState.FAILED, account="news"),
    )

    def found(**wanted: t.Any) -> list[int]:
        return [one.id for one in store.rows(Filter(**wanted), 10)]

    assert found() == [3, 2, 1]
    assert found(states=[RowState.FAILED]) == [2, 3]
    assert found(states=[RowState.FAILED, RowState.WAITING]) == [2, 3, 1]
    assert found(states=[RowState.FAILED], account="news") == [3]
    assert found(before=NOW - 15) == [3, 1]
    assert found(ids=[1, 3]) == [3, 1]
    assert (store.counts(), store.counts("news")) == ({"waiting": 1, "failed": 2}, {"failed": 1})
    assert store.get(2) == store.rows(Filter(ids=[2]), 1)[0]
    assert store.get(99) is None


@pytest.mark.parametrize("state", RowState)
def test_rows_of_each_state(state: RowState, store: Store) -> None:
    """Rows are found by each state alone, and with each other one."""
    add(store, *[row(state=one, changed=NOW - number) for number, one in enumerate(RowState)])
    each = [*RowState]

    assert [one.state for one in store.rows(Filter([state]), 10)] == [state]
    for other in each:
        found = [one.state for one in store.rows(Filter([state, other]), 10)]
        assert found == [one for one in each if one in (state, other)]


def test_altering(store: Store) -> None:
    """Rows change if they are in one of the states and the function returns a change. It gets them
    as they are, in the order of their numbers, and only rows of the app."""
    add(store, row(), row(state=RowState.SENT), row(error="no"), row(), row())
    seen: list[int] = []

    def change(found: t.Any) -> t.Any:
        seen.append(found.id)
        return None if found.error else dataclasses.replace(found, error="yes", priority=2)

    changed = store.alter([4, 99, 3, 2, 1], [RowState.WAITING], change)

    assert seen == [1, 3, 4]
    assert [(one.id, one.error, one.priority) for one in changed] == [(1, "yes", 2), (4, "yes", 2)]
    assert [store.get(one.id) for one in changed] == changed
    errors = {one.id: one.error for one in store.rows(Filter(), 9)}
    assert errors == {1: "yes", 2: "", 3: "no", 4: "yes", 5: ""}


def test_altering_none(store: Store) -> None:
    """Without numbers no row changes. Without a state every state counts."""
    add(store, row())

    assert store.alter([], [RowState.WAITING], lambda found: found) == []
    assert [one.id for one in store.alter([1], [], lambda found: found)] == [1]


def test_altering_what_others_have(place: Place) -> None:
    """Rows of another app are never changed."""
    add(place.store("blog"), row(app="blog"))

    assert place.store().alter([1], [RowState.WAITING], lambda found: found) == []


def test_altering_that_fails(store: Store) -> None:
    """If the function raises nothing has changed, and the store goes on."""
    add(store, row(), row())

    def change(found: t.Any) -> t.Any:
        if found.id == 2:
            raise ValueError("no")
        return dataclasses.replace(found, error="changed")

    with pytest.raises(ValueError, match="no"):
        store.alter([1, 2], [RowState.WAITING], change)
    assert [one.error for one in store.rows(Filter(), 9)] == ["", ""]
    assert [one.id for one in store.claim("default", lease(), NOW, 10)] == [1, 2]


def test_altering_from_many_threads(place: Place) -> None:
    """If several threads change rows at the same time, no change is lost."""
    stores = [place.store() for _ in range(4)]
    add(stores[0], row(), row())

    def count(store: Store) -> None:
        for _ in range(25):
            store.alter(
                [1, 2],
                [RowState.WAITING],
                lambda found: dataclasses.replace(found, attempts=found.attempts + 1),
            )

    threads = [threading.Thread(target=count, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one.attempts for one in stores[0].rows(Filter(), 9)] == [100, 100]


def test_a_pause_from_many_threads(place: Place) -> None:
    """Threads that pause an account at the same time count each other's pauses."""
    stores = [place.store() for _ in range(4)]

    def count(store: Store) -> None:
        for _ in range(25):
            store.alter_pause(
                "default", lambda found: Pause(NOW, found.times + 1, f"{found.times}")
            )

    threads = [threading.Thread(target=count, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert stores[0].pause("default") == Pause(NOW, 100, "99")
    assert stores[0].alter_pause("default", lambda found: Pause()) == Pause()
    assert stores[1].pause("default") == Pause()


def test_a_ring_is_noted_once(place: Place) -> None:
    """Of several processes that are about to tell a broker of an account's mail one does, until the
    ring is answered or takes too long, or if it was recorded by a clock that was far ahead."""
    first, second = place.store(), place.store()

    assert first.ring("default", NOW, NOW + 60)
    assert not second.ring("default", NOW + 60, NOW + 120)
    assert second.ring("news", NOW, NOW + 60)
    assert second.ring("default", NOW + 61, NOW + 120)
    first.answer("default")
    assert first.ring("default", NOW, NOW + 60)
    first.answer("default")
    first.answer("nobody rang")
    assert first.ring("default", NOW + 2 * LONGEST_RING, NOW + 3 * LONGEST_RING)
    assert second.ring("default", NOW, NOW + 60)


def test_who_has_claimed(place: Place) -> None:
    """The owners are those of claimed rows of this app, and not those of settled rows."""
    store, other = place.store(), place.store("blog")
    assert store.owners() == set()
    add(store, row(), row())
    add(other, row(app="blog"))
    (first,) = store.claim("default", lease("a"), NOW, 1)
    store.claim("default", lease("b"), NOW, 1)
    other.claim("default", lease("c"), NOW, 1)

    assert (store.owners(), other.owners()) == ({"a", "b"}, {"c"})
    store.settle(dataclasses.replace(first, state=RowState.HELD, lease_owner="a"), "a")
    store.release([2], "b")
    assert store.owners() == set()


def test_who_is_dead(store: Store) -> None:
    """Rows of an owner that is known to be dead are lost before its lease is over."""
    add(store, row(), row())
    store.claim("default", lease("dead"), NOW, 1)
    store.claim("default", lease("alive"), NOW, 1)

    assert store.lost(NOW, 120) == []
    assert [one.id for one in store.lost(NOW, 120, ["dead", "unknown"])] == [1]
    assert [one.id for one in store.lost(NOW, 120, ["dead", "alive"])] == [1, 2]


def test_releasing_what_was_announced(store: Store) -> None:
    """A row whose end of data was announced is not given back, because it may be sent at this very
    moment."""
    add(store, row(), row())
    store.claim("default", lease(), NOW, 2)
    assert store.announce(1, "me", '["b@example.com"]')
    store.release([1, 2], "me")

    found = {one.id: (one.state, one.attempts, one.ended) for one in store.rows(Filter(), 9)}
    assert found == {1: ("claimed", 1, '["b@example.com"]'), 2: ("waiting", 0, None)}
    assert not store.announce(2, "me", "[]")
    assert store.claim("default", lease("next"), NOW, 2)[0].ended is None


def test_a_claim_forgets_what_was_announced_before(store: Store) -> None:
    """An announcement of an earlier attempt does not count for this one."""
    add(store, row())
    (found,) = store.claim("default", lease("a"), NOW, 1)
    assert store.announce(1, "a", '["b@example.com"]')
    again = dataclasses.replace(found, state=RowState.WAITING, lease_owner=None, ended="[]")
    assert store.settle(again, "a")

    (claimed,) = store.claim("default", lease("b"), NOW, 1)
    assert (claimed.ended, claimed.attempts) == (None, 2)


def test_the_time(place: Place) -> None:
    """All stores of one place tell the same time, here about that of this machine."""
    first, second = place.store(), place.store()
    earlier, now, later = first.now(), second.now(), first.now()

    assert earlier - 1 < now < later + 1
    assert abs(now - time.time()) < 60


def test_rates_are_shared(place: Place) -> None:
    """All workers share one limit, which is kept in the store."""
    stores = [place.store() for _ in range(2)]
    limits = ((5, 60.0),)

    taken = [store.take_rate("default", limits, NOW, 3)[0] for store in (*stores, *stores)]

    assert taken == [3, 2, 0, 0]
    number, wait = stores[0].take_rate("default", limits, NOW, 3)
    assert (number, 60 <= wait <= 62) == (0, True)
    assert stores[1].take_rate("default", limits, NOW + wait, 3)[0] == 3
    assert stores[1].take_rate("news", limits, NOW, 3)[0] == 3


def test_a_key_is_one_row(place: Place) -> None:
    """If several threads add the same key at the same time, one row is added, and all get its
    ticket."""
    stores = [place.store() for _ in range(4)]
    tickets: list[Ticket] = []

    def keep(store: Store) -> None:
        for number in range(10):
            tickets.extend(add(store, row(key=f"k{number}")))

    threads = [threading.Thread(target=keep, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(ticket.created for ticket in tickets) == 10
    assert len({ticket.id for ticket in tickets}) == 10
    assert stores[0].counts() == {"waiting": 10}


def test_many_rows_at_once(store: Store) -> None:
    """Rows that are added together get their tickets in order, and each its own octets."""
    rows = [row(message_id=f"<{number}@example.com>") for number in range(300)]
    tickets = store.add([(one, one.message_id.encode()) for one in rows])

    assert [ticket.message_id for ticket in tickets] == [one.message_id for one in rows]
    found = {ticket.id: store.content(ticket.id) for ticket in tickets}
    assert found == {ticket.id: ticket.message_id.encode() for ticket in tickets}


def test_after_a_fork(place: Place) -> None:
    """F-96: after a fork while other threads write, parent and child can both use the queue, and
    SQLite's locks are right in both: neither waits for a lock that no process holds."""
    store = place.store()
    add(store, row())
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            store.alter_pause("default", lambda before: Pause(NOW))

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        children = []
        for _ in range(10):
            child = fork()
            if child == 0:  # pragma: no cover
                code = 1
                try:
                    add(store, row())
                    code = 0
                finally:
                    os._exit(code)
            children.append(child)
        codes = [os.waitpid(child, 0)[1] for child in children]
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert codes == [0] * 10
    assert store.counts() == {"waiting": 11}


@pytest.mark.slow
def test_workers_in_several_processes(place: Place, tmp_path: Path, scripted: Scripted) -> None:
    """Four processes send 200 messages from one queue, each of them once."""
    server = scripted()
    with shop(tmp_path, server, MAIL_QUEUE=place.named) as here:
        sent = letters(200)
        assert len([*here.mail.send_later_each(sent)]) == 200
        url = here.app.config["MAIL_URL"]
        taken = together(4, tmp_path, MAIL_QUEUE=place.named, MAIL_URL=url)

        assert sum(taken) == 200
        assert {*here.states} == {"sent"}
    came = [recipient for one in server.accepted for recipient in one.recipients]
    assert sorted(came) == sorted(message.to[0] for message in sent)
