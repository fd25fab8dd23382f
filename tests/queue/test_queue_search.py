"""A search of the queue finds what a plain filter finds, page by page, and reads a bounded number
of rows. It is run in each store."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import typing as t

import pytest

from flask_mailhandler import Address
from flask_mailhandler.queue.outcomes import Settled
from flask_mailhandler.queue.outcomes import to_json
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores import row_search
from flask_mailhandler.queue.stores.base import Filter
from flask_mailhandler.queue.stores.search import Between
from flask_mailhandler.queue.stores.search import Place
from flask_mailhandler.queue.stores.search import Search
from queueing import alter
from storing import add
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from flask_mailhandler.queue.row import Row
    from flask_mailhandler.queue.stores.base import Store
    from flask_mailhandler.queue.stores.search import Found
    from storing import Place as Where

pytestmark = pytest.mark.slow

DAY = 86_400.0
STATES = [RowState.SENT, RowState.SENT, RowState.WAITING, RowState.HELD, RowState.FAILED]
SEARCHES = [
    Search(),
    *(Search(state=state) for state in RowState),
    Search(account="news"),
    Search(state=RowState.SENT, account="news"),
    Search(state=RowState.WAITING, account="news", recipient="ann@example.com"),
    Search(recipient="ann@example.com"),
    Search(state=RowState.SENT, recipient="ann@example.com"),
    Search(tag="may"),
    Search(created=Between(NOW + 3 * DAY, NOW + 9 * DAY)),
    Search(created=Between(end=NOW + 4 * DAY), recipient="ann@example.com"),
    Search(created=Between(NOW + 20 * DAY)),
    Search(state=RowState.HELD, created=Between(NOW + 3 * DAY, NOW + 9 * DAY)),
    Search(changed=Between(NOW + 5 * DAY, NOW + 8 * DAY)),
    Search(state=RowState.SENT, changed=Between(NOW + 5 * DAY, NOW + 8 * DAY)),
    Search(state=RowState.WAITING, due=Between(NOW + 2 * DAY, NOW + 6 * DAY)),
    Search(due=Between(end=NOW + 2 * DAY), account="default"),
]


@pytest.fixture
def store(place: Where) -> Store:
    """A store of the app "shop", and rows of another app in between."""
    store, other = place.store(), place.store("blog")
    for first in (0, 20, 40):
        rows = [_row(number) for number in range(first, first + 20)]
        add(store, *rows)
        add(other, *[dataclasses.replace(one, app="blog") for one in rows[:5]])
    return store


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches read only a few rows."""
    for name, number in (("FIRST", 3), ("SEARCHED", 7), ("COUNTED", 5), ("_CHUNK", 2)):
        monkeypatch.setattr(row_search, name, number)


def _row(number: int) -> Row:
    to = ["Ann@example.com" if number % 4 == 0 else f"ben-{number}@example.com", "cleo@example.com"]
    return row(
        account="news" if number % 3 == 0 else "default",
        state=STATES[number % len(STATES)],
        created=NOW + number // 4 * DAY,
        # Several rows have one time, and the last changed is not the newest.
        changed=NOW + (60 - number // 6) * DAY / 4,
        due=NOW + number % 10 * DAY,
        recipients=to_json([Settled(Address(one)) for one in to]),
        options='{"version": 1, "tags": {"": null, "may": null}}' if number % 5 else "{}",
    )


def expected(store: Store, wanted: Search) -> list[int]:
    """The numbers that a search must find, in its order."""
    found = [one for one in store.rows(Filter(), 1_000) if _matches(one, wanted)]
    if wanted.by_change:
        found.sort(key=lambda one: (one.changed, one.id), reverse=True)
    return [one.id for one in found]


def _matches(one: Row, wanted: Search) -> bool:
    return (
        wanted.state in (None, one.state)
        and wanted.account in (None, one.account)
        and (wanted.recipient is None or f'"{wanted.recipient}"' in one.recipients.lower())
        and (wanted.tag is None or wanted.tag in one.options)
        and all(
            start <= getattr(one, name) < end
            for name in ("created", "due", "changed")
            for start, end in [getattr(wanted, name)]
        )
    )


def pages(find: t.Callable[[Place | None], Found]) -> list[list[int]]:
    """The numbers on all pages, each of which begins where the one before ends."""
    found = [find(None)]
    while found[-1].following is not None:
        found.append(find(found[-1].following))
        assert len(found) < 100
    return [[one.id for one in each.rows] for each in found]


def test_all_pages(store: Store) -> None:
    """The pages of a search have each row that matches once, in its order, in both directions."""
    for wanted, back in itertools.product(SEARCHES, (False, True)):
        found = pages(functools.partial(store.search.page, wanted, back=back, limit=7))
        if back:
            found.reverse()

        assert [*itertools.chain(*found)] == expected(store, wanted), wanted
        assert all(len(numbers) <= 7 for numbers in found)


@pytest.mark.usefixtures("narrow")
def test_a_search_stops(store: Store) -> None:
    """A search that has read as many rows as it may says where it goes on, and so finds each row
    that matches once."""
    for wanted, back in zip(SEARCHES, itertools.cycle([False, True])):
        found = pages(functools.partial(store.search.page, wanted, back=back, limit=4))
        if back:
            found.reverse()

        assert [*itertools.chain(*found)] == expected(store, wanted), wanted
    rare = Search(recipient="ben-1@example.com")
    assert store.search.page(rare).stopped
    assert store.search.page(rare, Place(4)).rows[0].recipients.count("ben-1@") == 1


def test_a_place_outlives_changes(store: Store) -> None:
    """The next page begins where the last one ended, whatever was added or deleted since."""
    for wanted in (Search(), Search(state=RowState.SENT)):
        first = store.search.page(wanted, limit=4)
        rest = expected(store, wanted)[4:]
        add(store, row(state=RowState.SENT, changed=NOW + 99 * DAY))
        before = {one.id for one in first.rows} & {one.id for one in store.rows(Filter(), 1_000)}
        alter(store, first.rows[-1], [*RowState], changed=NOW + 99 * DAY)
        for number in before:
            store.purge(Filter(ids=[number]), 1)

        numbers: list[int] = []
        found = first
        while found.following is not None:
            found = store.search.page(wanted, found.following, limit=4)
            numbers += [one.id for one in found.rows]
        assert numbers == rest


ADDRESSES = [
    *('"a\\"b"@example.com', "%@example.com", "_@example.com", "a'b@example.com"),
    *("é@example.com", "x@xn--bcher-kva.example", "Ärger@example.com", "İΣ@example.com"),
]


def test_a_recipient_is_exact(store: Store) -> None:
    """An address finds its own messages: no wildcard of SQL, no part of an address, and no text of
    a reply that names it."""
    for address in ADDRESSES:
        mine = Settled(Address(address))
        said = Settled(Address("y@example.com"), text=f'[["{address}" is full, ["{address}"')
        longer = Settled(Address("y@example.com" if '"' in address else f"y{address}"))
        (ticket, *_) = add(store, *[row(recipients=to_json([one])) for one in (mine, said, longer)])

        found = store.search.page(Search(recipient=str.__str__(Address(address))))

        assert [one.id for one in found.rows] == [ticket.id], address


def test_counts(store: Store) -> None:
    """Each state is counted up to a number, and those of other apps are not."""
    exact = {state: number for state, number in store.counts().items() if number}

    assert store.search.counts(1_000) == exact
    assert store.search.counts(5) == {state: min(number, 5) for state, number in exact.items()}


MANY = """INSERT INTO mail_queue (app, account, message_id, priority, due, expires, created, origin,
changed, state, attempts, options, recipients, size, error) SELECT app, account, message_id,
priority, due, expires, created + 1, origin, changed + 1, state, attempts, options, recipients,
size, error FROM mail_queue"""


def test_the_plan(place: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement of a search and of the counts reads an index in its order: none reads the
    whole table, or sorts more than one page."""
    monkeypatch.setattr(row_search, "FIRST", 20)
    monkeypatch.setattr(row_search, "SEARCHED", 100)
    store: t.Any = place.store()
    kind = "SQLite" if hasattr(store, "file") else store.database.kind.name
    add(store, *[_row(number) for number in range(60)])
    for _ in range(7 if kind in ("PostgreSQL", "MySQL") else 0):
        with store.database.write() as connection:
            connection.exec_driver_sql(MANY)
    if kind in ("PostgreSQL", "MySQL"):
        with store.database.single() as connection:
            word = "ANALYZE TABLE" if kind == "MySQL" else "VACUUM ANALYZE"
            connection.exec_driver_sql(f"{word} mail_queue")
    search, run = store.search, store.search._run
    plans: list[str] = []

    def explained(statement: str, values: t.Mapping[str, t.Any]) -> t.Any:
        words = "EXPLAIN" if kind in ("PostgreSQL", "MySQL") else "EXPLAIN QUERY PLAN"
        plan = run(f"{words} {statement}", values)
        plans.append("\n".join(" ".join(map(str, line)) for line in plan))
        return run(statement, values)

    search._run = explained
    for wanted in SEARCHES:
        newest = search.page(wanted, limit=10)
        search.page(wanted, newest.following, limit=10)
        search.page(wanted, newest.following, back=True, limit=10)
    search.counts(10)

    wrong = {
        "PostgreSQL": r"Seq Scan|(?<!Incremental )Sort +\(.*rows=\d{4}",
        "MySQL": r"mail_queue ALL|filesort",
    }.get(kind, r"SCAN mail_queue(?! USING (COVERING )?INDEX mail_queue_lease)|TEMP B-TREE")
    assert [plan for plan in plans if re.search(wrong, plan)] == []
    assert len(plans) > 3 * len(SEARCHES)
