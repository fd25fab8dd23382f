"""The URLs to which providers post, in an app of Flask."""

from __future__ import annotations

import http.client
import json
import re
import sqlite3
import threading
import typing as t
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from flask import Flask
from flask import request
from flask_wtf import CSRFProtect

from flask_mailhandler import ConfigurationError
from flask_mailhandler import Event
from flask_mailhandler import EventKind
from flask_mailhandler import Mail
from flask_mailhandler import message_event
from flask_mailhandler.events.webhooks.call import MAX_OCTETS
from flask_mailhandler.events.webhooks.call import WebhookError
from flask_mailhandler.pages.webhooks.fetching import fetched
from flask_mailhandler.queue.events import telling
from hooking import ANN
from hooking import BOB
from hooking import changed
from hooking import HookShop
from hooking import KEYS
from hooking import PATH
from hooking import SECRET
from hooking import told
from servers.flask_server import served

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("provider", KEYS)
def test_each_event_once(provider: str, tmp_path: Path) -> None:
    """A request that comes again is answered in the same way, and the app is told once: also after
    a restart. A hard bounce suppresses the address."""
    shop = HookShop(tmp_path, provider)
    message_id = shop.queued(tags=["welcome"])
    (post,) = shop.source.posts(told(message_id=message_id, tags=("welcome",)))
    other = HookShop(tmp_path, provider)
    other.source = shop.source

    answers = [each.post(post).status_code for each in (shop, shop, other)]

    assert answers == [200, 200, 200]
    (event,) = shop.events
    assert (event.kind, event.recipient, event.severity) == ("bounced", ANN, "hard")
    assert (event.message_id, event.tags, event.account) == (message_id, ("welcome",), "default")
    assert event.verified
    assert shop.suppressed == [(ANN, "")]
    assert other.events == []


def test_each_event_once_at_the_same_time(tmp_path: Path) -> None:
    """Of apps that get the same request at the same time, one is told."""
    shops = [HookShop(tmp_path) for _ in range(4)]
    (post,) = shops[0].source.posts(told())
    go = threading.Barrier(len(shops))

    def run(shop: HookShop) -> int:
        go.wait(60)
        return shop.post(post).status_code

    with ThreadPoolExecutor(len(shops)) as threads:
        answers = [*threads.map(run, shops)]

    assert answers == [200] * len(shops)
    assert sorted(len(shop.events) for shop in shops) == [0, 0, 0, 1]


def test_a_token_of_mailgun_is_taken_once(tmp_path: Path) -> None:
    """Another event with the token of the first is not told, and the provider is not told why."""
    shop = HookShop(tmp_path, "mailgun")
    (post,) = shop.source.posts(told(EventKind.OPENED))
    data = json.loads(post.body)["event-data"]
    forged = changed(post, **{"event-data": {**data, "id": "another", "event": "complained"}})

    assert [shop.post(one).status_code for one in (post, forged)] == [200, 200]

    assert [event.kind for event in shop.events] == ["opened"]
    assert shop.suppressed == []


def test_an_event_of_mailgun_that_is_signed_again(tmp_path: Path) -> None:
    """An event that comes again with another token is the same one. Its id belongs to a day."""
    shop = HookShop(tmp_path, "mailgun")
    posts = [shop.source.posts(told(EventKind.OPENED))[0] for _ in range(3)]
    data = json.loads(posts[0].body)["event-data"]
    day_before = {**data, "timestamp": data["timestamp"] - 86400}

    for post, given in zip(posts, (data, data, day_before), strict=True):
        assert shop.post(changed(post, **{"event-data": given})).status_code == 200

    first, second = shop.events
    assert first.event_id.split() == [f"{first.time:%Y-%m-%d}", data["id"]]
    assert second.event_id != first.event_id


def test_a_receiver_that_raises(tmp_path: Path) -> None:
    """A batch is stored first. A function that raises does not bring the batch back."""
    shop = HookShop(tmp_path, "sendgrid")
    posts = shop.source.posts(told(EventKind.DELIVERED, ANN, BOB))
    heard: list[Event] = []

    def raising(event: Event) -> None:
        raise RuntimeError("of the app")

    def receive(app: Flask, event: Event) -> None:
        heard.append(event)
        raise RuntimeError("of the app")

    shop.mail.on_event()(raising)
    with message_event.connected_to(receive, shop.app):
        assert shop.post(posts[0]).status_code == 200

    assert [event.recipient for event in heard] == [ANN, BOB]
    assert shop.events == heard


def test_receivers_that_are_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ten minutes, another process takes the events that are not told yet. This one leaves
    them to it, so that each is told once."""
    shop = HookShop(tmp_path, "sendgrid")
    cat = "cat@example.org"
    posts = shop.source.posts(told(EventKind.DELIVERED, ANN, BOB, cat))
    (later,) = shop.source.posts(told(EventKind.OPENED))
    monkeypatch.setattr(telling, "time", SimpleNamespace(monotonic=lambda: 200 * len(shop.events)))

    assert shop.post(posts[0]).status_code == 200
    assert [event.recipient for event in shop.events] == [ANN, BOB]
    monkeypatch.undo()
    with sqlite3.connect(tmp_path / "q.sqlite") as connection:
        connection.execute("UPDATE mail_queue_event SET untold = 1 WHERE untold <> 0")
    connection.close()
    shop.post(later)

    assert [event.recipient for event in shop.events] == [ANN, BOB, ANN, cat]


def test_a_store_that_fails(tmp_path: Path) -> None:
    """If the events cannot be stored, nothing is told, and the provider sends them again."""
    shop = HookShop(tmp_path)
    (post,) = shop.source.posts(told())
    (tmp_path / "q.sqlite").write_bytes(b"not a database" * 100)

    failed = shop.post(post)

    assert (failed.status_code, failed.headers["Retry-After"], shop.events) == (503, "60", [])
    (tmp_path / "q.sqlite").unlink()
    assert shop.post(post).status_code == 200
    assert len(shop.events) == 1


@pytest.mark.parametrize(
    "path",
    [
        PATH[:-1],
        f"{PATH}x",
        PATH.upper(),
        PATH.replace("default", "bulk"),
        f"/mail/webhooks/{SECRET}/default",
        PATH.replace(SECRET, "é" * 20),
        PATH.replace(SECRET, "no account"),
        PATH.replace("default", "bulk").replace(SECRET, "no account"),
    ],
)
def test_a_wrong_url(path: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another secret and another account are refused alike, before anything is read, and the log
    has no part of the URL."""
    caplog.set_level("INFO")
    shop = HookShop(tmp_path)
    (post,) = shop.source.posts(told())
    path = "/mail/webhooks/" + path[len("/mail/webhooks/") :]

    answer = shop.post(post, path)

    assert answer.status_code == 401
    assert answer.text == "Refused: the account or the secret in its URL is wrong.\n"
    assert shop.events == []
    assert SECRET not in caplog.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_other_methods(method: str, tmp_path: Path) -> None:
    """A provider may try a URL. The answer says nothing of the secret."""
    shop = HookShop(tmp_path)
    client = shop.app.test_client()

    right, wrong = (client.open(path, method=method) for path in (PATH, PATH.upper().lower() + "x"))

    assert right.status_code == wrong.status_code == 200
    assert right.data == wrong.data
    assert client.put(PATH).status_code == client.delete(PATH).status_code == 405


def test_a_refused_request(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The answer and the log say why, and show nothing that was received."""
    shop = HookShop(tmp_path)
    (post,) = shop.source.posts(told())

    answer = shop.post(changed(post, secret="shh"))

    assert answer.status_code == 401
    assert answer.text == "Refused: its signature is not made with MAIL_WEBHOOK_KEY.\n"
    (line,) = caplog.messages
    assert line.startswith("A webhook for the account 'default' was refused: its signature")
    assert SECRET not in caplog.text and "shh" not in caplog.text


@pytest.mark.parametrize("provider", ["postmark", "brevo"])
def test_a_login_that_is_sent_when_it_is_asked_for(provider: str, tmp_path: Path) -> None:
    """The answer to a request without a login asks for it, as many clients need."""
    shop = HookShop(tmp_path, provider)
    (post,) = shop.source.posts(told())
    logins = urllib.request.HTTPPasswordMgrWithDefaultRealm()
    with served(shop.app) as here:
        logins.add_password(None, here, "user", "password")
        client = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(logins))
        url = f"{here.rstrip('/')}{PATH}"
        with client.open(urllib.request.Request(url, post.body), timeout=60) as answer:
            assert answer.status == 200

    assert len(shop.events) == 1


def test_what_is_not_an_event(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An empty request, and what is not about mail, is answered with 200."""
    shop = HookShop(tmp_path, "postmark")
    (post,) = shop.source.posts(told())

    assert shop.post(post._replace(body=b"")).status_code == 200
    assert shop.post(post._replace(body=b'{"RecordType": "Inbound"}')).status_code == 200
    assert shop.post(post._replace(body=b"{")).status_code == 400
    assert shop.events == []


# Bodies over HTTP


def over_http(here: str, body: t.Any, headers: dict[str, str], **more: t.Any) -> int:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(here).netloc, timeout=60)
    connection.request("POST", PATH, body, headers, **more)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def test_the_bound_of_a_body(tmp_path: Path) -> None:
    """A body of one MiB is read. Of a larger one nothing is parsed, whether it has a length or
    comes in chunks."""
    shop = HookShop(tmp_path, "postmark")
    (post,) = shop.source.posts(told())
    headers = dict(post.headers)
    padded = post.body + b" " * (MAX_OCTETS - len(post.body))
    with served(shop.app) as here:
        exact = over_http(here, padded, headers)
        chunked = over_http(here, iter([post.body, b" "]), headers, encode_chunked=True)
        large = over_http(here, iter([padded, b" "]), headers, encode_chunked=True)
        # The server answers before it has the body, which may break the connection.
        announced = http.client.HTTPConnection(urllib.parse.urlsplit(here).netloc, timeout=60)
        announced.putrequest("POST", PATH)
        announced.putheader("Content-Length", str(MAX_OCTETS + 1))
        announced.endheaders()
        answer = announced.getresponse()
        announced.close()

    assert (exact, chunked, large, answer.status) == (200, 200, 413, 413)
    assert len(shop.events) == 1


def test_functions_of_the_app(tmp_path: Path) -> None:
    """The URL needs no token of Flask-WTF, and the body may have been read before."""
    shop = HookShop(tmp_path, SECRET_KEY="a secret")
    CSRFProtect(shop.app)
    seen: list[int] = []

    @shop.app.before_request
    def read() -> None:
        seen.append(len(request.get_data()))

    (post,) = shop.source.posts(told())

    assert shop.post(post).status_code == 200
    assert (len(shop.events), seen) == (1, [len(post.body)])


@pytest.mark.parametrize("path", [PATH, f"{PATH}x"])
def test_a_body_that_is_missing(path: str, tmp_path: Path) -> None:
    """A body that does not come to the app is no try of the URL, so that it is sent again."""
    shop = HookShop(tmp_path)
    (post,) = shop.source.posts(told())
    shop.app.before_request(lambda: request.stream.read()[:0] or None)
    client = shop.app.test_client()
    # As uWSGI passes on a body in chunks.
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}

    answers = [
        shop.post(post, path),
        client.post(path, headers=dict(post.headers), environ_overrides=chunked),
    ]

    assert {answer.status_code for answer in answers} == {503 if path == PATH else 401}
    assert shop.post(post._replace(body=b"")).status_code == 200


# SNS over the network


def test_a_certificate_is_fetched_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What SNS names is fetched, and only certificates are stored. If it is not there, SNS sends
    the request again."""
    app, asked = Flask("sns"), list[str]()

    @app.get("/<path:name>")
    def give(name: str) -> tuple[str, int]:
        asked.append(name)
        return ("gone", 404) if name == "gone.pem" else (text_of(name), 200)

    stored: dict[str, bytes] = {}
    with served(app) as here:
        found = [fetched(stored, f"{here}/{name}") for name in ("a.pem", "a.pem", "b", "b")]
        for name in ("page.pem", "gone.pem"):
            with pytest.raises(WebhookError, match="could not be asked") as caught:
                fetched(stored, f"{here}/{name}")
            assert caught.value.status == 503
    with pytest.raises(Exception, match="could not be asked"):
        fetched(stored, f"{here}/c.pem")

    assert found == [text_of(name).encode() for name in ("a.pem", "a.pem", "b", "b")]
    assert asked == ["a.pem", "b", "b", "page.pem", "gone.pem"]
    assert [*stored] == [f"{here}/a.pem"]


def text_of(name: str) -> str:
    """What is at a URL: a certificate, or an error page in its place."""
    return name if name == "page.pem" else f"{name}\n-----END CERTIFICATE-----\n"


def test_few_certificates_are_stored(tmp_path: Path) -> None:
    """The names of certificates come from outside, so their number is bounded."""
    app = Flask("sns")
    app.get("/<name>")(text_of)
    stored: dict[str, bytes] = {}
    with served(app) as here:
        for number in range(25):
            fetched(stored, f"{here}/{number}.pem")

    assert len(stored) <= 20


# Set-up


@pytest.mark.parametrize(
    ("provider", "keys", "text"),
    [
        ("resend", {"MAIL_WEBHOOK_KEY": None}, "MAIL_WEBHOOK_KEY must be the signing secret"),
        ("ses", {"MAIL_WEBHOOK_TOPICS": None}, "MAIL_WEBHOOK_TOPICS must name the topics"),
        ("ses", {"MAIL_WEBHOOK_TOPICS": 17}, "MAIL_WEBHOOK_TOPICS takes a list"),
        ("sendgrid", {"MAIL_WEBHOOK_KEY": "SG.1"}, "MAIL_WEBHOOK_KEY must be the verification"),
        ("postmark", {"MAIL_WEBHOOK_KEY": "x"}, "MAIL_WEBHOOK_KEY must be like 'user:password'"),
        ("resend", {"MAIL_WEBHOOK_SECRET": "short"}, "at least 20 letters"),
        ("resend", {"MAIL_WEBHOOK_SECRET": "a/b" * 10}, "at least 20 letters"),
        ("resend", {"MAIL_SUPPRESSIONS": None, "MAIL_QUEUE": None}, "set MAIL_QUEUE to 'sqlite'"),
        (
            "resend",
            {"MAIL_URL": "smtps://mx.example"},
            "this account sends by another: leave it out",
        ),
    ],
)
def test_wrong_keys(provider: str, keys: dict[str, t.Any], text: str, tmp_path: Path) -> None:
    """What could not be proven, or not be stored, is an error at the start, without a secret."""
    with pytest.raises(ConfigurationError, match=re.escape(text)) as caught:
        HookShop(tmp_path, provider, **keys)
    assert SECRET not in str(caught.value)


def test_accounts(tmp_path: Path) -> None:
    """Each account has a URL of its own, unless it has another connection and no secret."""
    bulk = {"url": "postmark://token@default", "webhook_secret": "b" * 30}
    others = {"bulk": bulk, "smtp": {"url": "smtps://mx.example"}, "slow": {"rate_limit": "1/s"}}
    shop = HookShop(tmp_path, MAIL_ACCOUNTS=others)
    body = b'{"RecordType": "Delivery", "MessageID": "1", "Recipient": "ann@example.org"}'
    client = shop.app.test_client()

    answers = {
        path: client.post(f"/mail/webhooks/{path}", data=body).status_code
        for path in (f"bulk/{'b' * 30}", f"bulk/{SECRET}", f"smtp/{SECRET}", f"default/{'b' * 30}")
    }

    assert [*answers.values()] == [200, 401, 401, 401]
    assert [(event.kind, event.account) for event in shop.events] == [("delivered", "bulk")]


@pytest.mark.parametrize(
    "keys",
    [
        {"MAIL_URL": "smtps://user:pw@smtp.resend.com"},
        {"MAIL_URL": "smtps://user:pw@relay.example", "MAIL_PROVIDER": "resend"},
    ],
)
def test_an_account_that_sends_by_smtp(keys: dict[str, str], tmp_path: Path) -> None:
    """The webhooks of a provider are read, too, if the app sends by its SMTP server."""
    shop = HookShop(tmp_path, **keys)
    (post,) = shop.source.posts(told())

    assert shop.post(post).status_code == 200
    assert [event.kind for event in shop.events] == ["bounced"]


def test_the_name_of_an_account(tmp_path: Path) -> None:
    """The name is part of the URL."""
    with pytest.raises(ConfigurationError, match="is a part of the URL of its webhooks"):
        HookShop(tmp_path, MAIL_ACCOUNTS={"a/b": {"rate_limit": "1/s"}})


@pytest.mark.parametrize("handler", ["console", "memory", None])
def test_an_app_that_sends_nothing(handler: str | None, tmp_path: Path) -> None:
    """In development, keys that are set for production do no harm."""
    shop = HookShop(tmp_path, MAIL_HANDLER=handler, MAIL_URL=None)

    assert shop.app.test_client().post(PATH, data=b"{}").status_code == 401


def test_an_app_without_webhooks(tmp_path: Path) -> None:
    """Without a secret there is no URL."""
    app = Flask("shop")
    app.config.update(KEYS["resend"])
    Mail(app)

    assert app.test_client().post(PATH).status_code == 404


# Lists


def test_leaving_a_list_at_the_provider(tmp_path: Path) -> None:
    """The provider does not know our lists. That of the queued message is left."""
    mailto = {"MAIL_UNSUBSCRIBE_MAILTO": "leave@shop.example", "SECRET_KEY": "a secret"}
    others = {"bulk": {"url": "smtps://mx.example"}}
    shop = HookShop(tmp_path, "postmark", **mailto, MAIL_ACCOUNTS=others)
    message_id = shop.queued(unsubscribe="newsletter")
    bulk = shop.queued(unsubscribe="newsletter", using="bulk", to=BOB)
    (left,) = shop.source.posts(told(EventKind.UNSUBSCRIBED, message_id=message_id))
    (hard,) = shop.source.posts(told(message_id=message_id))
    (back,) = shop.source.posts(told(EventKind.SUBSCRIBED, message_id=message_id))
    (unknown,) = shop.source.posts(told(EventKind.SUBSCRIBED, provider_id="another"))
    (other,) = shop.source.posts(told(EventKind.UNSUBSCRIBED, message_id=bulk))

    shop.post(left)
    assert (shop.events[0].list_name, shop.suppressed) == ("newsletter", [(ANN, "newsletter")])
    for post in (hard, left, unknown):
        shop.post(post)
    assert shop.suppressed == [(ANN, ""), (ANN, "newsletter")]
    shop.post(back)
    assert shop.suppressed == [(ANN, "")]
    shop.post(other)
    # It is of the account whose webhook it is.
    assert (shop.events[-1].list_name, shop.events[-1].account) == ("newsletter", "default")


def test_an_event_that_is_told_later(tmp_path: Path) -> None:
    """What a webhook says is stored with the event."""
    shop = HookShop(tmp_path)
    (post,) = shop.source.posts(told(EventKind.CLICKED, given={"order": "17"}))
    assert shop.post(post).status_code == 200
    with sqlite3.connect(tmp_path / "q.sqlite") as connection:
        connection.execute("UPDATE mail_queue_event SET untold = 1")
    connection.close()
    (opened,) = shop.source.posts(told(EventKind.OPENED))

    shop.post(opened)

    first, _, again = shop.events
    assert again.raw == b""
    assert (first.url, first.provider_id, first.event_id) == (
        again.url,
        again.provider_id,
        again.event_id,
    )
    assert first.url
    assert (again.metadata, hash(again)) == ({"order": "17"}, hash(first))
