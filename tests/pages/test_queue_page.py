"""The pages of the queue, and their JSON."""

from __future__ import annotations

import dataclasses
import datetime
import re
import time
import typing as t

import pytest
from test_mailbox_pages import Tags

from flask_mailhandler.pages.queue.time_range import read_range
from flask_mailhandler.phase import State
from flask_mailhandler.queue.outcomes import from_json
from flask_mailhandler.queue.outcomes import to_json
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores.base import Pause
from queue_page_app import change
from queue_page_app import full
from queue_page_app import looking
from queue_page_app import put
from queue_page_app import token_of
from queueing import alter
from sending import letter

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

    from queueing import Shop
    from sending import Scripted

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{31337*31337}}"
CHANGES = ["queue/2/retry", "queue/2/cancel", "queue/purge"]


@pytest.fixture
def shop(tmp_path: Path, scripted: Scripted) -> Iterator[Shop]:
    """A shop with messages in each state."""
    found = full(tmp_path, scripted)
    yield found
    found.queue.close()


@pytest.fixture
def browser(shop: Shop) -> FlaskClient:
    return shop.app.test_client()


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Shop]:
    """A shop whose queue was never used."""
    found = looking(tmp_path)
    yield found
    found.queue.close()


def page(browser: FlaskClient, path: str = "") -> str:
    response = browser.get(f"/_mail/queue/{path}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    return response.text


def listed(browser: FlaskClient, search: str = "") -> list[int]:
    """The ids of the messages in the list."""
    return [int(id) for id in re.findall(r'class="row".*data-id="(\d+)"', page(browser, search))]


def test_a_queue_that_was_never_used(empty: Shop, tmp_path: Path) -> None:
    """Viewing a queue that was never used creates no file, and no page links to it. After its first
    use the mailbox links to it at once."""
    browser = empty.app.test_client()

    assert "/_mail/queue/" not in browser.get("/_mail/").text
    assert "The queue is empty" in page(browser)
    assert browser.get("/_mail/queue/1").status_code == 404
    assert browser.get("/_mail/api/queue").get_json()["messages"] == []
    assert change(browser, "queue/purge").status_code == 303
    assert [*tmp_path.glob("*.sqlite*")] == []
    put(empty, "Hi", "ann@example.com")
    for path in ("", "previews/", "queue/"):
        assert 'href="/_mail/queue/"' in browser.get(f"/_mail/{path}").text


def test_the_list(browser: FlaskClient) -> None:
    """The list counts the messages in each state. It has the newest first, with recipients and the
    last error."""
    html = page(browser)

    assert listed(browser) == [5, 4, 3, 2, 1]
    assert re.findall(r'id="state-\w+"[^>]*>(\w+) <b>(\d)</b>', html) == [
        ("all", "5"),
        ("waiting", "2"),
        ("sent", "1"),
        ("failed", "1"),
        ("held", "1"),
    ]
    for text in ("ann@example.com, ben@example.com and 2 more", "Your invoice", "no such user"):
        assert text in html


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("state:held", [2]),
        ("STATE:failed using:news", [3]),
        ("using:news", [3]),
        ("to:full@example.com", [4]),
        ("GONE@EXAMPLE.com", [4, 3]),
        ("to:gone@example.com state:failed created:2026-01-01..", [3]),
        ("to:books@example.com", [5]),
        ("created:..2026-01-01", []),
        ("due:2026-01-01.. changed:2026-01-01T10:00Z..9998-12-31", [5, 4, 3, 2, 1]),
        ('using:"news"', [3]),
        ("older-than:1h", []),
        ("using:nobody", []),
        ("state:claimed", []),
    ],
)
def test_a_search(browser: FlaskClient, search: str, found: list[int]) -> None:
    """The search has the criteria of the command line: state, account and age."""
    assert listed(browser, f"?q={search}") == found
    assert listed(browser, f"list?q={search}") == found
    assert ("Nothing found" in page(browser, f"?q={search}")) is (found == [])


@pytest.mark.parametrize(
    ("search", "why"),
    [
        ("state:lost", "state must be waiting, claimed"),
        ("older-than:soon", "older-than must be a time like"),
        ("ann", "Write state:, using:, to:, tag:"),
        ("from:ann", "Write state:, using:, to:, tag:"),
        ("to:ann", "to must be a whole address"),
        ("created:yesterday", "created must be a day"),
        ("due:2026-11-31", "due must be a day"),
        ("changed:2026-11-02..2026-11-01", "changed must be a day"),
        ("created:9999-12-31", "created must be a day"),
        ("created:..", "created must be a day"),
        ("tag:%00", "tag cannot have control characters"),
    ],
)
def test_a_wrong_search(browser: FlaskClient, search: str, why: str) -> None:
    """An invalid search shows the valid terms, and has no button to delete."""
    html = page(browser, f"?q={search}")

    assert why in html
    assert "/purge" not in html
    assert change(browser, f"queue/purge?q={search}").status_code == 400


def test_many(empty: Shop) -> None:
    """The list has pages, and links between them that lead in both directions."""
    with empty.app.app_context():
        assert len([*empty.mail.send_later_each(letter("ann@example.com") for _ in range(201))])
    browser = empty.app.test_client()

    def follow(label: str, html: str) -> str:
        """Click a link to another page."""
        link = re.search(rf'href="/_mail/queue/(\?[^"]*|)">{label}<', html)
        assert link is not None
        return page(browser, link[1].replace("&amp;", "&"))

    def ids(html: str) -> list[int]:
        return [int(id) for id in re.findall(r'class="row".*data-id="(\d+)"', html)]

    first = page(browser, "?q=state:waiting")
    second = follow("Older", first)
    put(empty, "A new one", "ann@example.com")
    assert ids(first) == [*range(201, 101, -1)]
    assert ids(second) == [*range(101, 1, -1)]
    assert ids(follow("Older", second)) == [1]
    assert ids(follow("Newer", follow("Older", second))) == ids(second)
    assert ids(follow("Newer", second)) == ids(first)
    assert ids(follow("Newest", second))[0] == 202
    assert ids(follow("Oldest", first)) == [*range(100, 0, -1)]
    assert ids(follow("Newer", follow("Newer", second)))[0] == 202
    assert 'href="/_mail/queue/50?q=state:waiting&amp;older=' in second


@pytest.mark.parametrize("place", ["x", "1", "~", "1~nan", "1~1e999", f"{2**63}~1", "-9~1", "１~"])
@pytest.mark.parametrize("way", ["older", "newer"])
def test_wrong_places(browser: FlaskClient, way: str, place: str) -> None:
    """A page of the list that is not one of its links is an error that says so."""
    assert f"{way}= must come from a link" in page(browser, f"?{way}={place}")


def test_a_message(shop: Shop, browser: FlaskClient) -> None:
    """A page shows the outcome of each recipient, all times, the attempts, and the content while
    the queue has it."""
    waits, tried, sent = page(browser, "5"), page(browser, "4"), page(browser, "1")

    for text in ("not tried", "books@example.com", "invoice.pdf", "high", "Expires", "Send now"):
        assert text in waits
    assert re.search(r"full@example\.com.*?deferred</span></td>\s*<td>452 4\.2\.2", tried, re.S)
    assert re.search(r"gone@example\.com.*?refused</span></td>\s*<td>550 5\.1\.1", tried, re.S)
    assert "<dt>Attempts</dt><dd>1</dd>" in tried
    assert "The content is deleted" in sent
    assert "order:17" in sent
    assert "/retry" not in sent
    assert "It is unknown whether the server accepted it" in page(browser, "2")
    assert b"Invoice</h1>" in browser.get("/_mail/queue/5/html").data
    assert b"Subject: Your invoice" in browser.get("/_mail/queue/5/source").data
    frame = browser.get("/_mail/queue/5/html").headers["Content-Security-Policy"]
    assert frame.startswith("sandbox ")
    assert "allow-scripts" not in frame


@pytest.mark.parametrize("kept", [True, False])
def test_a_sent_message_that_the_mailbox_keeps(tmp_path: Path, kept: bool) -> None:
    """The page of a message without content links to the mailbox, if the message is there."""
    shop = looking(tmp_path, MAIL_HANDLER="mailbox" if kept else "memory")
    put(shop, "Another", "ann@example.com")
    put(shop, "Welcome", "ann@example.com")
    with shop.app.app_context():
        shop.queue.run_once()
    browser = shop.app.test_client()

    found = re.search(r'id="in-mailbox" href="([^"]+)"', page(browser, "2"))
    shop.queue.close()

    assert (found is not None) is kept
    if found is not None:
        assert '<h1 id="subject">Welcome' in browser.get(found[1]).text


@pytest.mark.parametrize(
    ("to", "shown"),
    [
        (["ann@example.com"], "sent"),
        (["ann@example.com", "ben@example.com"], "sent"),
        (["ann@example.com", "gone@example.com"], "sent to 1 of 2"),
        (["gone@example.com", "ann@example.com", "ben@example.com"], "sent to 2 of 3"),
    ],
)
def test_a_refused_recipient_is_shown(
    to: list[str], shown: str, tmp_path: Path, scripted: Scripted
) -> None:
    """A message that some recipients did not accept is not shown as one that all accepted: in the
    list, on its page, as JSON and in the terminal."""
    shop = looking(tmp_path, scripted(on={"RCPT TO:<gone@example.com>": "550 5.1.1 no such user"}))
    put(shop, "News", *to)
    with shop.app.app_context():
        shop.queue.run_once()
    browser, partial = shop.app.test_client(), shown != "sent"
    found = browser.get("/_mail/api/queue/1").get_json()
    html = page(browser), page(browser, "1")
    # The commands set the debug mode of the app, so they come last.
    runner = shop.app.test_cli_runner()
    said = [
        runner.invoke(args=["mail", "queue", *command], color=True).output
        for command in (["list"], ["show", "1"])
    ]
    shop.queue.close()

    state = f'class="state sent{" partial" if partial else ""}">{shown}</span>'
    assert state in html[0] and state in html[1]
    assert (found["state"], found["accepted"]) == ("sent", len(to) - partial)
    colored = f"\x1b[33msent {len(to) - 1}/{len(to)}" if partial else "\x1b[32msent"
    assert all(colored in output for output in said)


@pytest.mark.parametrize("id", ["0", "6", "99999999999999999999999999", "x", "-1"])
@pytest.mark.parametrize("end", ["", "/html", "/source", "/parts/1"])
def test_messages_that_are_not_there(browser: FlaskClient, id: str, end: str) -> None:
    """An unknown id, and deleted content, return 404."""
    assert browser.get(f"/_mail/queue/{id}{end}").status_code == 404
    assert browser.get(f"/_mail/api/queue/{id}").status_code == 404
    if end:
        assert browser.get(f"/_mail/queue/1{end}").status_code == 404


def test_retry_and_cancel(shop: Shop, browser: FlaskClient) -> None:
    """A failed or held message waits again, a waiting one is cancelled, and the browser is
    redirected to the page."""
    again = change(browser, "queue/2/retry?q=state:held")
    stopped = change(browser, "queue/5/cancel")
    change(browser, "queue/1/retry")  # there is nothing to send again

    assert (again.status_code, again.location) == (303, "/_mail/queue/2?q=state:held")
    assert stopped.status_code == 303
    assert shop.states == ["sent", "waiting", "failed", "waiting", "cancelled"]


def test_purge(shop: Shop, browser: FlaskClient) -> None:
    """The finished messages that match the search are deleted. Waiting messages cannot be
    deleted."""
    assert change(browser, "queue/purge?q=state:waiting").status_code == 400
    assert "/purge" not in page(browser, "?q=state:waiting")
    assert change(browser, "queue/purge?q=to:gone@example.com").status_code == 400
    assert "/purge" not in page(browser, "?q=to:gone@example.com")
    assert change(browser, "queue/purge?q=using:news").status_code == 303
    assert shop.states == ["sent", "held", "waiting", "waiting"]
    assert change(browser, "queue/purge").status_code == 303
    assert shop.states == ["held", "waiting", "waiting"]
    assert change(browser, "queue/purge?q=state:held").status_code == 303
    assert shop.states == ["waiting", "waiting"]


@pytest.mark.parametrize("path", [*CHANGES, *(f"api/{path}" for path in CHANGES)])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Mail-Token": "", "Sec-Fetch-Site": "same-origin"},
        {"X-Mail-Token": "0" * 64, "Sec-Fetch-Site": "same-origin"},
        {"X-Mail-Token": "TOKEN"},
        {"X-Mail-Token": "TOKEN", "Origin": "http://attacker.example"},
        {"X-Mail-Token": "TOKEN", "Origin": "http://localhost:8080"},
        {"X-Mail-Token": "TOKEN", "Origin": "null"},
    ],
)
def test_changes_of_strangers(
    shop: Shop, browser: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    """Attack: another site makes a browser send, cancel or delete mail. It does not know the token,
    or has another origin."""
    before, token = shop.rows, token_of(browser)
    given = {name: value.replace("TOKEN", token) for name, value in headers.items()}

    assert browser.post(f"/_mail/{path}", headers=given).status_code == 403
    assert browser.get(f"/_mail/{path}").status_code in (404, 405)
    assert shop.rows == before


@pytest.mark.parametrize("path", [*CHANGES, *(f"api/{path}" for path in CHANGES)])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://attacker.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-Forwarded-For": "192.0.2.7"},
    ],
)
def test_changes_from_elsewhere(
    shop: Shop, browser: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    """Attack: a page of another site, or a tunnel, knows the token. The response is a 404, as
    without these pages."""
    before, token = shop.rows, token_of(browser)

    found = browser.post(f"/_mail/{path}", headers={"X-Mail-Token": token, **headers})

    assert found.status_code == 404
    assert shop.rows == before


def test_strangers_see_nothing(browser: FlaskClient) -> None:
    """Attack: another machine in the network requests the queue of a debug server."""
    for path in ("queue/", "queue/list", "queue/5", "queue/5/source", "api/queue", "api/queue/5"):
        found = browser.get(f"/_mail/{path}", environ_base={"REMOTE_ADDR": "192.0.2.7"})
        assert found.status_code == 404


def test_hostile_texts(shop: Shop, browser: FlaskClient) -> None:
    """Attack: a reply, a key or a subject contains a script, which the pages would run."""
    row = shop.rows[2]
    (item,) = from_json(row.recipients)
    evil = dataclasses.replace(item, state=State.REFUSED, text=EVIL, enhanced_code=EVIL)
    options = row.options.replace("News of May", EVIL.replace('"', '\\"'))
    changed = {"error": EVIL, "recipients": to_json([evil]), "options": options}
    alter(shop.queue.store, row, [RowState.FAILED], **changed)
    shop.queue.store.alter_pause("news", lambda before: Pause(9e9, 1, EVIL))
    put(shop, EVIL, '"<script>"@example.com', key=EVIL, delay=60)

    for path in ("", "list", "3", "6", f"?q={EVIL}", f"?q=using:{EVIL}", f"3?q={EVIL}"):
        html = page(browser, path)
        tags = Tags(html)
        assert "inline script" not in tags.names
        assert not [name for name, _ in tags.attributes if name.startswith("on")]
        assert "img" not in tags.names
        assert str(31337 * 31337) not in html  # it was not used as a template
    assert "&lt;script&gt;alert(1)" in page(browser, "3")


def test_a_damaged_row(shop: Shop, browser: FlaskClient) -> None:
    """An unreadable row is shown as far as possible, and does not hide the list."""
    damaged = {"recipients": "{", "due": 9e15, "expires": -9e15}
    alter(shop.queue.store, shop.rows[2], [RowState.FAILED], **damaged)

    assert listed(browser) == [5, 4, 3, 2, 1]
    assert "The row is damaged: its recipients cannot be read" in page(browser, "3")
    assert browser.get("/_mail/api/queue/3").get_json()["error"]


def test_polling(shop: Shop, browser: FlaskClient) -> None:
    """The list is sent again only when a message has changed."""
    first = browser.get("/_mail/queue/list")
    same = {"If-None-Match": first.headers["ETag"]}

    assert browser.get("/_mail/queue/list", headers=same).status_code == 304
    change(browser, "queue/5/cancel")
    assert browser.get("/_mail/queue/list", headers=same).status_code == 200


def test_an_app_database(tmp_path: Path) -> None:
    """A queue in a database is shown and changed like one in a file."""
    shop = looking(tmp_path, MAIL_QUEUE=f"sqlite:///{tmp_path}/shop.sqlite")
    browser = shop.app.test_client()

    assert "The queue is empty" in page(browser)
    put(shop, "Your order", "ann@example.com")
    assert listed(browser, "?q=state:waiting") == [1]
    assert "ann@example.com" in page(browser, "1")
    assert browser.get(f"/_mail/queue/{2**63 - 1}").status_code == 404
    assert change(browser, "queue/1/cancel").status_code == 303
    assert change(browser, "queue/purge?q=state:cancelled").status_code == 303
    assert shop.states == []
    shop.queue.close()


def test_what_is_wrong(shop: Shop, browser: FlaskClient) -> None:
    """The list says which account is paused, and that mail is overdue."""
    shop.queue.store.alter_pause("news", lambda before: Pause(9e9, 1, "no route to host"))
    row = shop.rows[4]
    alter(shop.queue.store, row, [row.state], due=row.created - 300)

    html = page(browser)

    assert "The account news is paused: no route to host" in html
    assert re.search(r"is [56] min overdue", html)


@pytest.mark.parametrize("path", ["queue/", "queue/list", "queue/1", "api/queue", "api/queue/1"])
def test_a_queue_that_cannot_be_used(tmp_path: Path, path: str) -> None:
    """If the file is not a queue, the page says so, and the mailbox still works."""
    (tmp_path / "mail-queue.sqlite").write_bytes(b"no database at all" * 100)
    shop = looking(tmp_path)
    browser = shop.app.test_client()

    found = browser.get(f"/_mail/{path}")

    assert found.status_code == 503
    assert "mail-queue.sqlite" in found.text
    assert browser.get("/_mail/").status_code == 200
    shop.queue.close()


def test_api(shop: Shop, browser: FlaskClient) -> None:
    """The JSON has the content and the actions of the pages, by state, account and age."""

    def found(query: str) -> list[int]:
        messages = browser.get(f"/_mail/api/queue?{query}").get_json()["messages"]
        return [message["id"] for message in messages]

    everything = browser.get("/_mail/api/queue").get_json()
    assert everything["counts"] == {"waiting": 2, "sent": 1, "failed": 1, "held": 1}
    assert found("limit=2") == [5, 4]
    assert found("state=held") == [2]
    assert found("using=news") == [3]
    assert found("older_than=1h") == []
    one = browser.get("/_mail/api/queue/3").get_json()
    assert everything["messages"][2].items() <= one.items()
    assert one["recipients"] == [
        {
            "address": "gone@example.com",
            "state": "refused",
            "code": 550,
            "enhanced_code": "5.1.1",
            "text": "no such user",
            "account": "news",
        }
    ]
    assert change(browser, "api/queue/2/retry").get_json() == {"changed": 1}
    assert change(browser, "api/queue/2/cancel").get_json() == {"changed": 1}
    assert change(browser, "api/queue/1/cancel").get_json() == {"changed": 0}
    assert change(browser, "api/queue/9/cancel").status_code == 404
    assert change(browser, "api/queue/purge?state=failed").get_json() == {"changed": 1}
    assert shop.states == ["sent", "cancelled", "waiting", "waiting"]


@pytest.mark.parametrize("query", ["state=lost", "older_than=soon", "limit=x", "limit=1e9"])
def test_api_wrong_queries(browser: FlaskClient, query: str) -> None:
    """Invalid criteria are an error, and nothing is deleted."""
    found = browser.get(f"/_mail/api/queue?{query}")

    assert found.status_code == 400
    assert "must be" in found.get_json()["error"]
    if "limit" not in query:
        assert change(browser, f"api/queue/purge?{query}").status_code == 400
    assert change(browser, "api/queue/purge?state=waiting").status_code == 400


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-06-01", 24), ("2026-10-25", 25)]
)
def test_a_day_of_25_hours(monkeypatch: pytest.MonkeyPatch, day: str, hours: int) -> None:
    """A day ends when the next one begins, also if it does not have 24 hours."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        start, end = read_range(day, "created")
        began, ended = (
            datetime.datetime.fromtimestamp(one, datetime.UTC).astimezone() for one in (start, end)
        )
    time.tzset()

    assert (end - start) / 3600 == hours
    assert (began.time(), ended.time()) == (datetime.time(), datetime.time())
