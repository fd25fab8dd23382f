"""The pages of the queue outside debug mode, behind the app's own login."""

from __future__ import annotations

import csv
import datetime
import functools
import io
import itertools
import re
import typing as t

import pytest
from flask import Blueprint
from flask import Flask
from flask import g
from flask_wtf import CSRFProtect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from flask_mailhandler import Address
from flask_mailhandler import ConfigurationError
from flask_mailhandler import Event
from flask_mailhandler import EventKind
from flask_mailhandler import Mail
from flask_mailhandler import QueueError
from flask_mailhandler.pages.queue import export
from flask_mailhandler.pages.queue import listing
from flask_mailhandler.queue.events.identity import new_event
from flask_mailhandler.queue.outcomes import Settled
from flask_mailhandler.queue.outcomes import to_json
from flask_mailhandler.queue.row import RowState
from flask_mailhandler.queue.stores import row_search
from flask_mailhandler.queue.stores.search import Search
from queue_page_app import put
from queueing import alter
from staff_app import browser_of
from staff_app import login_required
from staff_app import page_of
from staff_app import SECRET
from staff_app import staffed
from staff_app import View
from storing import add
from storing import NOW
from storing import row

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask.testing import FlaskClient

    from flask_mailhandler.queue.stores.base import Store
    from flask_mailhandler.queue.stores.search import Found
    from flask_mailhandler.queue.stores.search import Place
    from queueing import Shop

pytestmark = pytest.mark.slow

SAME = {"Sec-Fetch-Site": "same-origin"}
PATHS = ["", "list", "messages.csv", "1", "1/html", "1/source", "1/parts/1.1", "static/mailbox.css"]
CHANGES = ["1/retry", "1/cancel"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with the page at /staff/mail/."""
    found = staffed(tmp_path)
    found.app.register_blueprint(page_of(found), url_prefix="/staff/mail")
    yield found
    found.queue.close()


def token_of(browser: FlaskClient) -> str:
    found = re.search(r'data-token="([0-9a-f]*)"', browser.get("/staff/mail/").text)
    assert found is not None
    return found[1]


def change(browser: FlaskClient, path: str, **headers: str) -> int:
    given = {"X-Mail-Token": token_of(browser), **SAME, **headers}
    return browser.post(f"/staff/mail/{path}", headers=given).status_code


# Access


def test_the_login_decides(shop: Shop) -> None:
    """Each URL of the page answers as the app's own decorator does, and only a user that it lets
    pass sees mail."""
    nobody, customer, staff = (browser_of(shop, user) for user in (None, "customer", "admin"))

    for path in PATHS:
        found = nobody.get(f"/staff/mail/{path}")
        assert (found.status_code, found.location) == (302, f"/login?next=/staff/mail/{path}")
        assert customer.get(f"/staff/mail/{path}").status_code == 403
        assert staff.get(f"/staff/mail/{path}").status_code == 200
    for path in CHANGES:
        assert nobody.post(f"/staff/mail/{path}").status_code == 302
        assert customer.post(f"/staff/mail/{path}").status_code == 403
    assert shop.states == ["waiting"]


def test_rights(shop: Shop) -> None:
    """A user who may not change anything sees no button, and one who may not read sees the header
    and not the content. Requests past the page are refused."""
    plain, reader, admin = (browser_of(shop, user) for user in ("clerk", "reader", "admin"))
    pages = [browser.get("/staff/mail/1").text for browser in (plain, reader, admin)]

    assert ["/cancel" in html for html in pages] == [False, False, True]
    assert [SECRET in html for html in pages] == [False, True, True]
    assert "The content is not shown" in pages[0]
    assert "<dt>To</dt><dd>ann@example.com, ben@example.com</dd>" in pages[0]
    for path in ("1/html", "1/source", "1/parts/1.1"):
        assert plain.get(f"/staff/mail/{path}").status_code == 403
        assert reader.get(f"/staff/mail/{path}").status_code == 200
    token = token_of(admin)
    assert [token_of(plain), token_of(reader)] == ["", ""]
    for path in CHANGES:
        assert change(reader, path, **{"X-Mail-Token": token}) == 403
        assert change(admin, path, **{"X-Mail-Token": ""}) == 403
        assert change(admin, path, **{"X-Mail-Token": "0" * 64}) == 403
        assert change(admin, path, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert shop.states == ["waiting"]
    assert change(admin, "1/cancel") == 303
    assert shop.states == ["cancelled"]


def test_tokens_differ(shop: Shop) -> None:
    """Attack: a user makes the browser of another one change mail with a token of its own."""
    attacker, admin = browser_of(shop, "admin"), browser_of(shop, "admin")

    assert change(admin, "1/cancel", **{"X-Mail-Token": token_of(attacker)}) == 403
    assert token_of(admin) == token_of(admin) != token_of(attacker)


def test_read_only_by_default(tmp_path: Path) -> None:
    """Without may_change= and may_read=, the page changes nothing and shows no content, and needs
    no SECRET_KEY of its own. There is no route that deletes mail, and none for programs."""
    shop = staffed(tmp_path)
    shop.app.register_blueprint(shop.mail.queue_page(login_required))
    admin = browser_of(shop, "admin")
    html = admin.get("/mail-queue/1").text

    assert "/cancel" not in html
    assert SECRET not in html
    assert admin.post("/mail-queue/1/cancel", headers=SAME).status_code == 403
    assert admin.get("/mail-queue/1/source").status_code == 403
    for path in ("purge", "api/queue", "../_mail/", "../_mail/queue/"):
        assert admin.get(f"/mail-queue/{path}").status_code == 404
    assert admin.post("/mail-queue/purge", headers=SAME).status_code == 404
    shop.queue.close()


def _needs_arguments(*roles: str) -> t.Callable[[View], View]:
    def decorator(view: View) -> View:
        @functools.wraps(view)
        def checked(**arguments: t.Any) -> t.Any:
            return view(**arguments)

        return checked

    return decorator


@pytest.mark.parametrize(
    "access",
    [
        None,
        True,
        "admin",
        lambda: True,
        lambda view: None,
        lambda view: view,
        lambda view: True,
        lambda user: user.is_admin,
        lambda view: g.user,
        _needs_arguments,
    ],
)
def test_no_access_check(access: t.Any) -> None:
    """What cannot check access is an error when the page is made: nothing, a function that returns
    a bool or takes a user, a decorator without its arguments, or one that changes nothing."""
    with pytest.raises(TypeError, match=r"needs a decorator of views"):
        Mail().queue_page(access)

    assert isinstance(Mail().queue_page(_needs_arguments("admin")), Blueprint)


async def _later() -> bool:
    return False


@pytest.mark.parametrize("name", ["may_change", "may_read"])
@pytest.mark.parametrize("function", [True, "admin", lambda user: True, _later])
def test_wrong_rights(name: str, function: t.Any) -> None:
    """A right that could not be asked for, or would always be true, is an error when the page is
    made."""
    with pytest.raises(TypeError, match=name):
        Mail().queue_page(login_required, **{name: function})


class _Async:
    async def __call__(self) -> bool:
        return False


@pytest.mark.parametrize("function", [lambda: _later(), lambda: _later, lambda: str, _Async()])
def test_rights_that_are_always_true(tmp_path: Path, function: t.Any) -> None:
    """Attack: a right was written so that what it returns is true for every user: a coroutine, or a
    function that it does not call. No user gets it."""
    shop = staffed(tmp_path)
    page = shop.mail.queue_page(login_required, may_change=function, may_read=function)
    shop.app.register_blueprint(page, url_prefix="/staff/mail")
    clerk = browser_of(shop, "clerk")

    for path in ("1", "1/source", "1/html"):
        found = clerk.get(f"/staff/mail/{path}")
        assert (found.status_code, SECRET in found.text) == (500, False)
    assert clerk.post("/staff/mail/1/cancel", headers=SAME).status_code == 500
    assert shop.states == ["waiting"]
    shop.queue.close()


def test_a_quart_app() -> None:
    """An app of Quart cannot have the page, and the error says what it can use."""
    quart = pytest.importorskip("quart")

    with pytest.raises(ConfigurationError, match="quart mail queue"):
        quart.Quart("shop").register_blueprint(Mail().queue_page(login_required))


def test_without_sessions(tmp_path: Path) -> None:
    """Buttons need a session, and without SECRET_KEY the page says so."""
    shop = staffed(tmp_path)
    checked = _needs_arguments("admin")
    shop.app.register_blueprint(shop.mail.queue_page(checked, may_change=lambda: True))
    shop.app.secret_key = None

    found = shop.app.test_client().get("/mail-queue/")

    assert found.status_code == 503
    assert "Set SECRET_KEY" in found.text
    shop.queue.close()


def test_other_sites(shop: Shop) -> None:
    """Attack: a page of another site loads a page of the queue as a script, an image or a frame. A
    link to it works."""
    admin = browser_of(shop, "admin")
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    for path in PATHS:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {**cross, "Sec-Fetch-Dest": "iframe"}):
            assert admin.get(f"/staff/mail/{path}", headers=headers).status_code == 403
        link = {**cross, "Sec-Fetch-Dest": "document"}
        assert admin.get(f"/staff/mail/{path}", headers=link).status_code == 200


def test_headers(shop: Shop) -> None:
    """Each response is protected, also from functions of the app that rewrite responses."""

    @shop.app.after_request
    def rewrite(response: t.Any) -> t.Any:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Content-Security-Policy"] = ""
        response.headers["X-Own"] = "1"
        return response

    admin = browser_of(shop, "admin")
    for path in ("", "list", "messages.csv", "1", "1/html", "1/source", "9", "?q=state:lost"):
        headers = admin.get(f"/staff/mail/{path}").headers
        if path == "9":  # the app's own 404
            continue
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["X-Own"] == "1"


# Where it is


def test_below_a_prefix(shop: Shop) -> None:
    """The page works below SCRIPT_NAME, behind a proxy that says where the app is, and in another
    blueprint."""
    staff = Blueprint("staff", __name__, url_prefix="/more")
    staff.register_blueprint(page_of(shop), url_prefix="/q")
    shop.app.register_blueprint(staff)
    below = DispatcherMiddleware(Flask("none"), {"/shop": shop.app})
    shop.app.wsgi_app = ProxyFix(shop.app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]
    forwarded = {"X-Forwarded-Prefix": "/shop"}
    plain = browser_of(shop, "admin")
    mounted = Client(below)
    mounted.get("/shop/login?user=admin")

    for base in ("/staff/mail", "/more/q"):
        for html in (
            plain.get(f"{base}/1", headers=forwarded).text,
            mounted.get(f"/shop{base}/1").text,
        ):
            links = re.findall(r'(?:href|src|action|data-list)="([^"#?][^"]*)"', html)
            assert links
            assert {link for link in links if not link.startswith(f"/shop{base}/")} == set()
        token = re.search(r'data-token="(\w+)"', plain.get(f"{base}/").text)
        assert token is not None
        given = {"X-Mail-Token": token[1], "Origin": "http://localhost"}
        assert plain.post(f"{base}/1/cancel", headers=given).location == f"{base}/1"


def test_with_other_pages(tmp_path: Path) -> None:
    """The page needs no token of Flask-WTF, and stands next to the one of the debug mode, which
    keeps its own rules."""
    shop = staffed(tmp_path, DEBUG=True, MAIL_MAILBOX=True, MAIL_FOLDER=str(tmp_path / "mail"))
    CSRFProtect(shop.app)
    shop.app.register_blueprint(page_of(shop), url_prefix="/staff/mail")
    admin, nobody = browser_of(shop, "admin"), browser_of(shop, None)

    assert nobody.get("/_mail/queue/1").status_code == 200
    assert nobody.get("/staff/mail/1").status_code == 302
    away = {"REMOTE_ADDR": "192.0.2.7"}
    assert nobody.get("/_mail/queue/1", environ_base=away).status_code == 404
    assert admin.get("/staff/mail/1", environ_base=away).status_code == 200
    assert change(admin, "1/cancel") == 303
    shop.queue.close()


def test_a_queue_that_cannot_be_used(tmp_path: Path) -> None:
    """If the file is not a queue, each page says so."""
    shop = staffed(tmp_path)
    shop.queue.close()
    (tmp_path / "mail-queue.sqlite").write_bytes(b"no database at all" * 100)
    shop.app.register_blueprint(page_of(shop), url_prefix="/staff/mail")
    admin = browser_of(shop, "admin")

    for path in ("", "list", "1", "messages.csv"):
        found = admin.get(f"/staff/mail/{path}")
        assert found.status_code == 503
        assert "mail-queue.sqlite" in found.text


# The list


@pytest.mark.parametrize(
    "query",
    [
        "q=to:%25@example.com",
        "q=to:'%20OR%201=1--@example.com",
        "q=using:%22'; DROP TABLE mail_queue; --%22",
        "q=tag:%00",
        "q=%ED%A0%80",
        "q=" + "x:" * 5000,
        "q=created:0000-00-00..9999-99-99",
        "q=created:1969-12-31..1970-01-01",
        "q=due:-1",
        "q=older-than:99999999999999999999d",
        "q=state:SENT",
        "q=using:%F0%9F%93%A7%20tag:%25",
        "older=99999999999999999999~0",
        "older=1~-1e308",
        "newer=0~1e308&q=state:sent",
        "older=1'~1",
        f"newer={2**63 - 1}~1",
        f"newer={2**63 - 2}~1&q=state:sent",
        f"older={2**63 - 2}~1",
        "newer=-1~-1&q=state:waiting",
        "newer=&older=",
        "q=older-than:1s%20changed:..2026-01-01",
    ],
)
def test_hostile_queries(shop: Shop, query: str) -> None:
    """Attack: no query is an error of the server, or finds what does not match."""
    admin = browser_of(shop, "admin")
    html = admin.get(f"/staff/mail/?{query}")

    assert html.status_code == 200
    assert admin.get(f"/staff/mail/list?{query}").status_code == 200
    assert admin.get(f"/staff/mail/messages.csv?{query}").status_code in (200, 400)
    if "q=to:" in query or "DROP" in query:
        assert "Your order" not in html.text
    assert shop.states == ["waiting"]


def test_counts_are_bounded(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list counts no further than a bound and says so. It counts what a filter finds only if
    that reads few rows, and says how far a search has come that found nothing."""
    for number in range(4):
        put(shop, f"Mail {number}", "ann@example.com", using="default")
    admin = browser_of(shop, "admin")
    exact = admin.get("/staff/mail/?q=using:default").text
    for module, name, number in (
        (listing, "COUNTED", 3),
        (listing, "SEARCHED", 2),
        (row_search, "FIRST", 1),
        (row_search, "SEARCHED", 2),
    ):
        monkeypatch.setattr(module, name, number)

    assert (
        'id="state-waiting" href="/staff/mail/?q=state:waiting+using:default">waiting <b>5</b>'
        in exact
    )
    assert re.search(r'id="state-waiting"[^>]*>waiting <b>3\+</b>', admin.get("/staff/mail/").text)
    assert "<b>" not in admin.get("/staff/mail/?q=using:default").text
    rare = admin.get("/staff/mail/?q=to:ben@example.com").text
    assert "Nothing found yet" in rare
    assert "This page has searched 2 messages." in rare
    further = re.search(r'href="([^"]+)">Search older<', rare)
    assert further is not None
    last = re.search(
        r'href="([^"]+)">Search older<', admin.get(further[1].replace("&amp;", "&")).text
    )
    assert last is not None
    assert "Your order" in admin.get(last[1].replace("&amp;", "&")).text


def test_events(shop: Shop) -> None:
    """The page of a message has the events that came later, the first first, each with its time,
    and says which of them a program caused, or nothing proves."""
    queue, moment = shop.queue, datetime.datetime(2026, 11, 30, 10, 0, tzinfo=datetime.UTC)
    of: dict[str, t.Any] = {
        "recipient": Address("ann@example.com"),
        "message_id": shop.rows[0].message_id,
    }
    later = [
        Event(kind=EventKind.DELIVERED, time=moment, verified=True, **of),
        Event(kind=EventKind.OPENED, machine=True, verified=True, **of),
        Event(kind=EventKind.BOUNCED, code=550, reason="<b>gone</b>", **of),
    ]
    new = [new_event("shop", event, NOW, suppresses=False) for event in later]
    queue.store.history.record(new, NOW, NOW + 60)

    html = browser_of(shop, "clerk").get("/staff/mail/1").text
    events = html.partition('id="events"')[2]

    assert re.findall(r'class="state (\w+)">(\w+)<', events)[:3] == [
        ("sent", "delivered"),
        ("sent", "opened"),
        ("failed", "bounced"),
    ]
    assert f'<time datetime="{moment.isoformat()}">' in events
    assert re.search(r"550 &lt;b&gt;gone&lt;/b&gt; <em>not verified</em>", events)
    assert (events.count("by a program"), events.count("not verified")) == (1, 1)


# The export


def exported(browser: FlaskClient, query: str = "") -> list[dict[str, str]]:
    found = browser.get(f"/staff/mail/messages.csv{query}")
    assert found.mimetype == "text/csv"
    assert found.headers["Content-Disposition"] == 'attachment; filename="queue.csv"'
    return [*csv.DictReader(io.StringIO(found.text, newline=""))]


def test_export(shop: Shop) -> None:
    """The export has the messages of the search, one a line, under names that stay the same."""
    put(shop, "Sent", "cleo@example.com", key="k:1")
    with shop.app.app_context():
        shop.queue.run_once()
    admin = browser_of(shop, "admin")
    sent, waiting = exported(admin)

    assert [*sent] == [
        *("number", "state", "account", "priority", "created", "due", "expires", "changed"),
        *("attempts", "sender", "recipients", "recipient_count", "accepted_count", "subject"),
        *("tags", "key", "message_id", "size", "error"),
    ]
    assert (sent["number"], sent["state"], sent["key"]) == ("2", "sent", "k:1")
    assert (sent["recipient_count"], sent["accepted_count"]) == ("1", "1")
    assert waiting["recipients"] == "ann@example.com ben@example.com"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", waiting["due"])
    assert exported(admin, "?q=state:sent") == [sent]
    assert "The content is deleted" in browser_of(shop, "clerk").get("/staff/mail/2").text
    assert exported(admin, "?q=to:nobody@example.com") == []
    assert SECRET not in str([sent, waiting])
    assert admin.get("/staff/mail/messages.csv?q=state:lost").status_code == 400


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t'=1"),
        ("\t1", "'\t1"),
        (" =1", "' =1"),
        ("\r=1", "'\r'=1"),
        ("a;=1", "a;'=1"),
        ("a; \n+1; b", "a;' \n'+1; b"),
        ("＝1", "'＝1"),
        ('"=1', '"=1'),
        ('a;"=1+1;b', "a;'\"=1+1;b"),
        ("a=1,b;c\nd", "a=1,b;c\nd"),
        ("", ""),
        ("a\0b", "a�b"),
    ],
)
def test_formulas(shop: Shop, text: str, cell: str) -> None:
    """Attack: a subject, a reply or a name is a formula, which a spreadsheet would run."""
    alter(shop.queue.store, shop.rows[0], [RowState.WAITING], error=text)

    assert exported(browser_of(shop, "admin"))[0]["error"] == cell


def test_the_export_is_streamed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The export is sent piece by piece, with a few rows in memory, up to a bound, and reads on
    where a search has stopped."""
    monkeypatch.setattr(export, "_AT_ONCE", 10)
    monkeypatch.setattr(export, "MOST", 95)
    monkeypatch.setattr(row_search, "FIRST", 3)
    monkeypatch.setattr(row_search, "SEARCHED", 7)
    to = to_json([Settled(Address("ann@example.com"))])
    add(shop.queue.store, *[row(recipients=to, changed=NOW + number) for number in range(200)])
    admin = browser_of(shop, "admin")

    pieces = admin.get("/staff/mail/messages.csv", buffered=False).iter_encoded()
    rows = exported(admin, "?q=to:ann@example.com")

    assert [piece.count(b"\r\n") for piece in itertools.islice(pieces, 3)] == [1, 7, 7]
    assert [int(one["number"]) for one in rows] == [*range(201, 106, -1)]


class _Leaves:
    """Searches the rows of a store, which can be read only once."""

    def __init__(self, store: Store) -> None:
        self._search, self._left = store.search, 1
        self.counts = store.search.counts

    def page(self, wanted: Search, place: Place | None = None, **options: t.Any) -> Found:
        if not self._left:
            raise QueueError("=1 The database is away.")
        self._left -= 1
        return self._search.page(wanted, place, **options)


def test_an_export_that_ends_early(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the database goes away during an export, the file says that it is not complete, and the
    response ends with the error."""
    monkeypatch.setattr(export, "_AT_ONCE", 3)
    add(shop.queue.store, *[row() for _ in range(9)])
    pieces, found = export.lines_of(_Leaves(shop.queue.store), Search()), list[str]()

    with pytest.raises(QueueError, match="away"):
        found.extend(pieces)

    last = [*csv.DictReader(io.StringIO("".join(found), newline=""))][-1]
    assert (len(found), last["number"]) == (3, "")
    assert last["error"] == "This file is not complete. =1 The database is away."
