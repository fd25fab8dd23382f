"""What every store does with events and suppressed addresses, next to the rows."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import sqlite3
import threading
import typing as t

import pytest
import sqlalchemy as sa

from flask_mailhandler import Address
from flask_mailhandler import Event
from flask_mailhandler import EventKind
from flask_mailhandler import QueueError
from flask_mailhandler import Severity
from flask_mailhandler.queue.events.identity import message_key
from flask_mailhandler.queue.events.identity import new_event
from flask_mailhandler.queue.events.json_form import from_json
from flask_mailhandler.queue.events.suppression import key_of
from flask_mailhandler.queue.events.suppression import Suppression
from flask_mailhandler.queue.stores import history as stores_history
from flask_mailhandler.queue.stores.sqlalchemy.store import SqlalchemyStore
from flask_mailhandler.queue.stores.sqlite.history import SqliteHistory
from storing import add
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler.queue.stores.history import History
    from servers.database_server import DatabaseServer
    from storing import Place

ANN = Address("Ann@example.org")
THEN = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)


@pytest.fixture
def history(place: Place) -> History:
    """The events of the app "shop"."""
    return place.store().history


def event(**changes: t.Any) -> Event:
    """A hard bounce from a verified source."""
    plain: dict[str, t.Any] = {
        "kind": EventKind.BOUNCED,
        "recipient": ANN,
        "message_id": "<1@example.com>",
        "time": THEN,
        "code": 550,
        "status": "5.1.1",
        "severity": Severity.HARD,
        "reason": "No such user",
        "verified": True,
    }
    return Event(**(plain | changes))


def record(history: History, *events: Event, app: str = "shop", now: float = NOW) -> list[bool]:
    """Record events, and say which of them are new."""
    new = [new_event(app, one, now, suppresses=True) for one in events]
    return [bool(number) for number in history.record(new, now, now + 60)]


def digest(one: Event) -> str:
    """The identity of an event."""
    return new_event("shop", one, NOW, suppresses=True).digest


def entries(history: History) -> list[tuple[str, str, str]]:
    """All entries: the address, the list and the reason."""
    found = history.page(("", ""), 100)
    return [(str.__str__(one.address), one.list_name, one.reason) for one in found]


@pytest.mark.parametrize(
    ("second", "new"),
    [
        ({}, False),
        ({"recipient": Address("ann@EXAMPLE.org")}, False),
        ({"raw": b"Received: by another server\n"}, False),
        # A recipient cannot make any number of verified events about one message.
        ({"time": None, "reason": "really"}, False),
        ({"recipient": Address("bob@example.org")}, True),
        ({"message_id": "<2@example.com>"}, True),
        ({"verified": False}, True),
        ({"kind": EventKind.COMPLAINED}, True),
    ],
)
def test_a_verified_event(second: dict[str, t.Any], new: bool) -> None:
    """A second event is the same if it says the same of the same message and recipient."""
    assert (digest(event(**second)) != digest(event())) is new


@pytest.mark.parametrize(
    ("second", "new"),
    [
        ({}, False),
        ({"raw": b"another copy"}, False),
        ({"time": THEN + datetime.timedelta(hours=4)}, True),
        ({"status": "4.4.7"}, True),
        ({"time": None}, True),
    ],
)
def test_an_event_that_is_not_verified(second: dict[str, t.Any], new: bool) -> None:
    """It is the same only if the notification says the same."""
    plain = {"verified": False, "kind": EventKind.DEFERRED}

    assert (digest(event(**plain | second)) != digest(event(**plain))) is new


def test_an_event_with_few_facts() -> None:
    """Where the notification names no message or no time, its content counts too."""
    bare = {"message_id": "", "time": None, "verified": False, "recipient": None}

    assert digest(event(**bare, raw=b"a")) != digest(event(**bare, raw=b"b"))
    assert digest(event(**bare, raw=b"a")) == digest(event(**bare, raw=b"a"))


def test_what_is_stored(history: History) -> None:
    """An event is read back as it was, without the notification, by the id of its message."""
    given = event(
        recipient=Address("jörg@bücher.example"),
        account="news",
        tags=("a", "ü\0"),
        envelope_id="1",
        list_name="x",
        raw=b"raw",
        reason="\ud800 no",
    )
    record(history, given, event(message_id="<2@example.com>"), event(message_id=""))

    (stored,) = history.events(message_key("shop", "<1@example.com>"))
    assert stored.recorded == NOW
    assert from_json(stored.facts) == given
    assert history.events(message_key("blog", "<1@example.com>")) == []
    assert history.events("") == []


def test_a_token(history: History) -> None:
    """One event is stored with a token, which takes no part in what is told, found and purged."""
    first, again = (event(event_id="1", token=token) for token in ("a", "b"))
    forged, other = (event(event_id="2", token=token) for token in ("a", "c"))

    assert record(history, first) == [True]
    assert record(history, first, again) == [False, False]
    assert record(history, forged) == [False]
    assert record(history, event(event_id="3", token="b")) == [False]
    assert record(history, other, event(event_id="4")) == [True, True]

    stored = history.events(message_key("shop", "<1@example.com>"))
    assert {from_json(one.facts).event_id for one in stored} == {"1", "2", "4"}
    assert len(history.take_untold(NOW + 61, NOW + 120, 1000)) == 3


def test_a_subscription(history: History) -> None:
    """Leaving a list twice within ten minutes is once, until the recipient joins it again."""
    soon = THEN + datetime.timedelta(minutes=9)
    left = event(kind=EventKind.UNSUBSCRIBED, list_name="news", severity=None)
    joined = event(kind=EventKind.SUBSCRIBED, list_name="news", severity=None)
    later = event(kind=EventKind.UNSUBSCRIBED, list_name="news", severity=None, time=soon)

    assert record(history, left, later) == [True, False]
    assert entries(history) == [("Ann@example.org", "news", "unsubscribed")]
    assert record(history, joined, joined) == [True, False]
    assert entries(history) == []
    assert record(history, later, left, joined, left) == [True, False, True, True]
    assert entries(history) == [("Ann@example.org", "news", "unsubscribed")]
    history.release(key_of(ANN), None)
    assert record(history, left) == [False]
    assert entries(history) == [("Ann@example.org", "news", "unsubscribed")]


@pytest.mark.parametrize(
    "change",
    [{"time": THEN + datetime.timedelta(minutes=10)}, {"message_id": "<2@example.com>"}],
)
def test_leaving_a_list_again(history: History, change: dict[str, t.Any]) -> None:
    """The app may have let the recipient join again, so it is told: of another message, and of the
    same message after ten minutes."""
    left = event(kind=EventKind.UNSUBSCRIBED, list_name="news", severity=None)
    record(history, left)
    history.release(key_of(ANN), "news")  # as a form of the app does

    assert record(history, dataclasses.replace(left, **change)) == [True]
    assert entries(history) == [("Ann@example.org", "news", "unsubscribed")]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ("", "bounced 5.1.1")),
        ({"status": "", "code": None}, ("", "bounced")),
        ({"kind": "complained", "severity": None}, ("", "complained")),
        ({"verified": False}, None),
        ({"kind": "complained", "verified": False}, None),
        ({"severity": Severity.SOFT}, None),
        ({"severity": Severity.BLOCKED}, None),
        ({"kind": "deferred"}, None),
        ({"kind": "delivered"}, None),
        ({"recipient": None}, None),
        ({"kind": "unsubscribed"}, None),
        ({"kind": "unsubscribed", "list_name": "n"}, ("n", "unsubscribed")),
        ({"kind": "unsubscribed", "list_name": "n", "verified": False}, None),
        ({"kind": "unsubscribed", "list_name": "n" * 5000}, None),
        ({"kind": "subscribed", "list_name": "n"}, None),
    ],
)
def test_what_suppresses(changes: dict[str, t.Any], found: tuple[str, str] | None) -> None:
    """A hard bounce, a complaint and an unsubscription suppress, if they are verified."""
    if "kind" in changes:
        changes = {**changes, "kind": EventKind(changes["kind"])}
    one = event(**changes)

    suppression = new_event("shop", one, NOW, suppresses=True).suppression
    assert (suppression and (suppression.list_name, suppression.reason)) == found
    assert new_event("shop", one, NOW, suppresses=False).suppression is None


def test_an_address_that_you_have_released(history: History) -> None:
    """The same notification does not suppress it again, and another one does."""
    record(history, event())
    (stored,) = history.events(message_key("shop", "<1@example.com>"))
    assert [one.event for one in history.page(("", ""), 100)] == [stored.number]
    assert history.release(key_of("ANN@example.org"), None) == 1
    record(history, event())
    assert entries(history) == []

    record(history, event(message_id="<2@example.com>"))
    assert entries(history) == [("Ann@example.org", "", "bounced 5.1.1")]


def test_the_list(history: History) -> None:
    """Entries are stored once, found by address whatever its case, and read page by page."""
    found = [
        Suppression(address=Address(f"{name}@example.org"), list_name=of_list, since=THEN)
        for name in ("bob", "Ann", "carl")
        for of_list in ("", "news")
    ]
    assert history.suppress(found) == 6
    assert history.suppress([*found, Suppression(address=Address("d@e.org"), since=THEN)]) == 1
    assert history.number_suppressed() == 7

    assert entries(history)[:3] == [
        ("Ann@example.org", "", ""),
        ("Ann@example.org", "news", ""),
        ("bob@example.org", "", ""),
    ]
    (first, second) = history.page(("ann@example.org", ""), 2)
    assert (first.list_name, second.address) == ("news", "bob@example.org")
    assert first.since == THEN
    assert len(history.page(("", ""), 100, "news")) == 3
    assert len(history.suppressed(["ann@example.org", "x@example.org"])) == 2
    assert len(history.suppressed([f"{n}@example.org" for n in range(2000)] + ["d@e.org"])) == 1
    assert history.release("ann@example.org", "news") == 1
    assert history.release("ann@example.org", None) == 1
    assert history.release("ann@example.org", None) == 0


def test_apps(place: Place) -> None:
    """Two apps that share a store have their own events and their own suppressed addresses."""
    shop, blog = place.store().history, place.store("blog").history

    assert record(shop, event()) == record(blog, event(), app="blog") == [True]
    shop.release(key_of(ANN), None)
    assert entries(shop) == []
    assert len(entries(blog)) == blog.number_suppressed() == 1
    (stored,) = shop.events(message_key("shop", "<1@example.com>"))
    shop.told(stored.number)
    assert shop.purge_events(NOW + 1) == 1
    assert len(blog.events(message_key("blog", "<1@example.com>"))) == 1


def test_events_that_were_not_told(history: History) -> None:
    """An event that nothing was told of is claimed once, when its time is over."""
    record(history, event(), event(message_id="<2@example.com>"))
    first, second = (
        history.events(message_key("shop", f"<{one}@example.com>"))[0].number for one in (1, 2)
    )
    history.told(first)

    assert history.take_untold(NOW + 59, NOW + 120, 600) == []
    assert [one.number for one in history.take_untold(NOW + 61, NOW + 121, 600)] == [second]
    assert history.take_untold(NOW + 62, NOW + 122, 600) == []
    # The clock was put back by a day.
    assert len(history.take_untold(NOW - 86400, NOW, 600)) == 1
    assert history.purge_events(NOW + 1) == 1  # the other one
    history.told(second)
    assert history.take_untold(NOW + 9999, NOW + 99999, 600) == []


def test_a_flood(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each kind the newest are kept. Events that are not verified push no verified one
    out."""
    for module in (stores_history, __import__(type(history).__module__, fromlist=["x"])):
        monkeypatch.setattr(module, "MOST_UNVERIFIED", 5)
        monkeypatch.setattr(module, "MOST_EVENTS", 20)
    record(history, event())
    for number in range(32):
        record(history, event(verified=False, message_id=f"<{number}@x>"))

    kept = [history.events(message_key("shop", f"<{number}@x>")) for number in range(32)]
    assert sum(map(len, kept)) == 5
    assert all(kept[-5:])
    assert len(history.events(message_key("shop", "<1@example.com>"))) == 1
    for number in range(32, 51):
        record(history, event(message_id=f"<{number}@x>"))
    assert len(history.events(message_key("shop", "<1@example.com>"))) == 1
    record(history, event(message_id="<51@x>"))
    assert history.events(message_key("shop", "<1@example.com>")) == []


def test_the_row_of_an_event(place: Place) -> None:
    """A row is found by its Message-ID or by the left part of it, the newest first."""
    store = place.store()
    add(store, row(message_id="<a1@x>"), row(message_id="<a1@x>"), row(message_id="<a12@x>"))
    add(store, row(message_id="<b@x>", app="blog"))

    found = [
        store.history.find_row(*ids)
        for ids in [("<a1@x>", ""), ("", "a1"), ("", "a12"), ("", "a"), ("<b@x>", ""), ("", "%")]
    ]
    assert [one and one.id for one in found] == [2, 2, 3, None, None, None]


def test_two_at_once(place: Place) -> None:
    """Of any number of readers of one notification, one finds it new, and none fails."""
    histories = [place.store().history for _ in range(4)]
    record(histories[0], event(message_id="<0@x>"))
    events = [event(recipient=Address(f"u{number}@example.org")) for number in range(20)]
    new: list[bool] = []

    def read(index: int) -> None:
        mine = events if index % 2 else events[::-1]
        new.extend(record(histories[index], *mine))

    threads = [threading.Thread(target=read, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(new), sum(new)) == (80, 20)
    assert histories[0].number_suppressed() == 21


def test_all_or_none(history: History) -> None:
    """Events that are recorded together are all stored, or none is."""
    good = new_event("shop", event(), NOW, suppresses=True)
    bad: t.Any = new_event("shop", event(message_id="<2@x>"), NOW, suppresses=True)
    object.__setattr__(bad, "facts", None)

    with pytest.raises(Exception, match=r"(?i)not.(be )?null"):
        history.record([good, bad], NOW, NOW)

    assert history.events(good.message) == []
    assert entries(history) == []


def test_a_file_of_an_earlier_release(tmp_path: Path) -> None:
    """The tables are added to it, and its mail and its version stay."""
    from storing import Place

    path = tmp_path / "queue.sqlite"
    place = Place(str(path), tmp_path)
    add(place.store(), row())
    place.close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE mail_queue_event")
        connection.execute("DROP TABLE mail_queue_suppressed")
        before = connection.execute("PRAGMA user_version").fetchone()
    connection.close()

    store = place.store()
    assert isinstance(store.history, SqliteHistory)
    assert record(store.history, event()) == [True]
    assert store.counts() == {"waiting": 1}
    place.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == before
    connection.close()


def test_a_database_of_an_earlier_release(database_server: DatabaseServer, tmp_path: Path) -> None:
    """Queued mail needs no new table. An event says which function adds them."""
    from storing import Place

    with database_server.database() as named, contextlib.closing(Place(named, tmp_path)) as place:
        store = place.store()
        assert isinstance(store, SqlalchemyStore)
        with store.database.write() as connection:
            connection.execute(sa.text("DROP TABLE mail_queue_event"))
        add(store, row())

        assert store.counts() == {"waiting": 1}
        assert not store.history.ready
        with pytest.raises(QueueError, match=r"mail_queue_tables\(db\.metadata\)"):
            record(store.history, event())
