"""The page on which a recipient leaves a list (RFC 8058)."""

from __future__ import annotations

import http.client
import re
import typing as t
import urllib.parse
import zlib

import jinja2
import pytest
from flask import Flask
from flask import redirect
from flask_babel import Babel
from flask_wtf import CSRFProtect
from itsdangerous import URLSafeSerializer
from itsdangerous import URLSafeTimedSerializer
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from flask_mailhandler import Event
from flask_mailhandler import Mail
from flask_mailhandler.app.unsubscribing import link_of
from flask_mailhandler.app.unsubscribing import TRIAL
from leaving import ANN
from leaving import KEY
from leaving import KEYS
from leaving import link
from leaving import ListShop
from leaving import news
from leaving import path
from servers.flask_server import served

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

LEFT, BACK = ("unsubscribed", ANN, "newsletter"), ("subscribed", ANN, "newsletter")
SALT = "flask-mailhandler: unsubscribe"


# What a mailbox provider sends


def multipart(boundary: str = "b") -> tuple[bytes, str]:
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
        f"One-Click\r\n--{boundary}--\r\n"
    )
    return body.encode(), f"multipart/form-data; boundary={boundary}"


BODIES: dict[str, tuple[bytes, str | None]] = {
    "multipart": multipart(),
    "urlencoded": (b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
    "empty": (b"", "application/x-www-form-urlencoded"),
    "no type": (b"List-Unsubscribe=One-Click", None),
    "nothing": (b"", None),
    "another type": (b"{}", "application/json"),
    "broken": (b"--b\r\nx", "multipart/form-data; boundary=b"),
    "no boundary": (b"--b\r\nx", "multipart/form-data"),
    "not UTF-8": (b"action=\xff&\xfe=%FF", "application/x-www-form-urlencoded; charset=x"),
    "large": (b"action=subscribe&x=" + b"x" * 20_000, "application/x-www-form-urlencoded"),
}


def test_over_http() -> None:
    """A POST of any form gets the same 200 each time, without a redirect or a cookie."""
    shop = ListShop()
    url = path(shop.sent())
    with served(shop.app) as here:
        answers = {name: posted(here, url, *body) for name, body in BODIES.items()}
        again = posted(here, url, *BODIES["multipart"])
    (first, *others) = answers.values()

    assert first[:2] == (200, "text/html; charset=utf-8")
    assert all(other == first for other in [*others, again])
    assert b"You are unsubscribed." in first[2]
    assert shop.told == [LEFT] * (len(BODIES) + 1)
    assert all(event.verified for event in shop.events)


@pytest.mark.parametrize(
    ("matching", "host"),
    [({"host_matching": True, "static_folder": None}, "shop.example"),
     ({"host_matching": True, "static_folder": None}, "www.shop.example:8443"),
     ({"subdomain_matching": True}, "shop.example"),
     ({"subdomain_matching": True}, "www.shop.example")],
)  # fmt: skip
def test_an_app_that_matches_hosts(matching: dict[str, t.Any], host: str) -> None:
    """The page is on the host that MAIL_BASE_URL names, whichever hosts the app has."""
    app = Flask("shop", **matching)
    app.config.update(KEYS, MAIL_BASE_URL=f"https://{host}", SERVER_NAME="shop.example")
    mail = Mail(app)
    with app.app_context(), mail.capture() as outbox:
        mail.send(news())

    assert outbox[0].unsubscribe(app.test_client()).status_code == 200
    assert app.test_client().get(link(outbox[0])).status_code == 200


def posted(here: str, url: str, body: bytes, kind: str | None) -> tuple[int, str | None, bytes]:
    host = urllib.parse.urlsplit(here).netloc
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request("POST", url, body, {} if kind is None else {"Content-Type": kind})
    response = connection.getresponse()
    found = response.status, response.getheader("Content-Type"), response.read()
    assert response.getheader("Set-Cookie") is None
    connection.close()
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_other_methods(method: str) -> None:
    """A GET shows a button. It changes nothing, and neither does a HEAD."""
    shop = ListShop()
    response = shop.client.open(path(shop.sent()), method=method)

    assert response.status_code == 200
    assert shop.told == []
    if method == "GET":
        assert re.search(r'<form method="post">\s*<button[^>]*>Unsubscribe</button>', response.text)
        assert ANN in response.text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_methods_that_are_refused(method: str) -> None:
    """No other method changes anything."""
    shop = ListShop()

    assert shop.client.open(path(shop.sent()), method=method).status_code == 405
    assert shop.told == []


def test_subscribe_again() -> None:
    """The page that follows has a button that takes it back, and that one a button too."""
    shop = ListShop()
    url = path(shop.sent())
    pages = [
        shop.client.post(url, data={"List-Unsubscribe": "One-Click"}),
        shop.client.post(url, data={"action": "subscribe"}),
        shop.client.post(url, data={"action": "subscribe"}),
        shop.client.post(url),
    ]

    assert shop.told == [LEFT, BACK, BACK, LEFT]
    assert '<button name="action" value="subscribe">Subscribe again</button>' in pages[0].text
    assert "You are subscribed again." in pages[1].text
    assert [page.text for page in pages] == [
        pages[0].text,
        pages[1].text,
        pages[1].text,
        pages[0].text,
    ]


def test_the_headers() -> None:
    """The page is not stored, not indexed, not framed, and its URL is passed to no other site."""
    shop = ListShop()
    headers = shop.client.get(path(shop.sent())).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Robots-Tag"] == "noindex, nofollow"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "form-action 'self'" in headers["Content-Security-Policy"]


def test_markup() -> None:
    """Names in the page are text."""
    shop = ListShop()
    page = shop.client.get(path(shop.sent(news(unsubscribe="<script>{address}{0}</script>")))).text

    assert "“&lt;script&gt;{address}{0}&lt;/script&gt;”" in page
    assert "<script" not in page


@pytest.mark.parametrize("name", ["_news/2: weekly?", "Тест", "a b&c=d", "x" * 100, '"\\'])
def test_names(name: str) -> None:
    """Any name comes back as it was."""
    shop = ListShop()
    shop.client.post(path(shop.sent(news(unsubscribe=name))))

    assert shop.told == [("unsubscribed", ANN, name)]


@pytest.mark.parametrize(
    "to", ["Ann.O'Neill+x@Example.ORG", "jörg@example.org", "a@bücher.example"]
)
def test_addresses(to: str) -> None:
    """The recipient is the one that the message was sent to."""
    shop = ListShop()
    captured = shop.sent(news(to=to))
    shop.client.post(path(captured))

    assert [event.recipient for event in shop.events] == [*captured.envelope.recipients]


def test_a_message_id_of_the_app() -> None:
    """A Message-ID that the app chose comes back too."""
    shop = ListShop()
    shop.client.post(path(shop.sent(news(message_id="<news-48@shop.example>"))))

    assert shop.events[0].message_id == "<news-48@shop.example>"


# Tokens


def signed(value: t.Any, key: str = KEY, salt: str = SALT, **options: t.Any) -> str:
    from hashlib import sha256

    settings = {"key_derivation": "hmac", "digest_method": sha256, **options}
    return str(URLSafeSerializer(key, salt, signer_kwargs=settings).dumps(value))


def subscription() -> list[t.Any]:
    return ["newsletter", ANN, "ab" * 16, "shop.example", ""]


def compressed(token: str) -> str:
    """A token whose content is a bomb. Its signature is the one of the token."""
    from base64 import urlsafe_b64encode

    bomb = urlsafe_b64encode(zlib.compress(b"[" * 50_000)).decode().rstrip("=")
    return f".{bomb}.{token.rpartition('.')[2]}"


HOSTILE: dict[str, t.Callable[[str], str]] = {
    "no signature": lambda token: token.rpartition(".")[0],
    "no content": lambda token: "." + token.rpartition(".")[2],
    "a dot": lambda token: ".",
    "a word": lambda token: "x",
    "one letter less": lambda token: token[:-1],
    "one letter more": lambda token: token + "A",
    "another case": lambda token: token.swapcase(),
    "another content": lambda token: "WyJ4Il0" + token[7:],
    "a bomb": compressed,
    "long": lambda token: token * 500,
    "NUL": lambda token: token + "%00",
    "a space more": lambda token: token + "%20",
    "a TAB more": lambda token: token + "%09",
    "an equals sign more": lambda token: token + "=",
    "not ASCII": lambda token: "é" + token,
    "not UTF-8": lambda token: "%FF%FE" + token,
    "markup": lambda token: "<script>alert(1)</script>".replace("/", "%5C"),
    "space": lambda token: "%20" + token,
    "a line break": lambda token: token + "%0D%0ASet-Cookie:%20x=1",
    "another key": lambda token: signed(subscription(), key="another"),
    "another salt": lambda token: signed(subscription(), salt="session"),
    "another key derivation": lambda token: signed(subscription(), key_derivation="none"),
    "a session": lambda token: str(URLSafeTimedSerializer(KEY, "cookie-session").dumps({"id": 1})),
    "of another release": lambda token: signed(["newsletter", ANN]),
    "another type": lambda token: signed(["newsletter", ANN, None, 7, ""]),
    "a mapping": lambda token: signed({"list": "newsletter"}),
}


def test_hostile_tokens() -> None:
    """A token that this app has not signed gets one plain page with 400, which tells nothing."""
    shop = ListShop()
    token = path(shop.sent()).rpartition("/")[2]
    pages: set[str] = set()
    for name, change in HOSTILE.items():
        for method in ("GET", "POST"):
            url = f"/mail/unsubscribe/{change(token)}"
            response = shop.client.open(url, method=method, data={"action": "x"})
            assert (name, response.status_code) == (name, 400)
            assert response.headers["Cache-Control"] == "no-store"
            pages.add(response.text)

    assert shop.told == []
    (page,) = pages
    assert "This link is not valid." in page
    assert ANN not in page
    assert "form" not in page


def test_keys_that_were_changed() -> None:
    """A link is valid as long as its key is one of the fallbacks, and the first key signs."""
    old = path(ListShop().sent())
    rotated = ListShop(SECRET_KEY=b"new", SECRET_KEY_FALLBACKS=["older", KEY])
    new = path(rotated.sent())

    assert rotated.client.post(old).status_code == 200
    assert rotated.client.post(new).status_code == 200
    assert ListShop(SECRET_KEY="new").client.post(new).status_code == 200
    assert ListShop(SECRET_KEY="new").client.post(old).status_code == 400
    assert ListShop(SECRET_KEY=None).client.post(old).status_code == 400


def test_no_link_no_page() -> None:
    """An app without MAIL_UNSUBSCRIBE has no page."""
    url = path(ListShop().sent())

    assert ListShop(MAIL_UNSUBSCRIBE=False).client.post(url).status_code == 404
    accounts = {"bulk": {"unsubscribe": True}}
    one = ListShop(MAIL_UNSUBSCRIBE=False, MAIL_ACCOUNTS=accounts)
    assert one.client.post(url).status_code == 200


def test_a_trial() -> None:
    """The link of a trial has no recipient, and the app is told nothing."""
    shop = ListShop()
    with shop.app.app_context():
        url = link_of(shop.app, None, TRIAL, "MAIL_UNSUBSCRIBE")

    assert shop.client.post(urllib.parse.urlsplit(url).path).status_code == 200
    assert shop.told == []


def test_a_function_that_raises() -> None:
    """A function of the app that raises is logged, and the provider gets its 200."""
    shop = ListShop()

    @shop.mail.on_event("unsubscribed")
    def fail(event: Event) -> None:
        raise ValueError("of the app")

    assert shop.client.post(path(shop.sent())).status_code == 200
    assert shop.told == [LEFT]


# Other extensions


def test_an_app_that_takes_its_path_off() -> None:
    """A middleware of the app gets the whole path in a test, as it does from a server."""
    app = Flask("shop")
    app.config.update(KEYS, MAIL_BASE_URL="https://shop.example/app/shop")
    mail = Mail(app)
    app.wsgi_app = DispatcherMiddleware(  # type: ignore[method-assign]
        NotFound(), {"/app/shop": app.wsgi_app}
    )
    with app.app_context(), mail.capture() as outbox:
        mail.send(news())

    assert outbox[0].unsubscribe(app.test_client()).status_code == 200


@pytest.mark.parametrize("first", ["flask_wtf", "mail"])
def test_csrf_protection(first: str) -> None:
    """The page needs no token of Flask-WTF, whichever is set up first. Other views do."""
    app = Flask("shop")
    app.config.update(KEYS, TESTING=True)
    mail, protection = Mail(), CSRFProtect()
    for extension in (protection, mail) if first == "flask_wtf" else (mail, protection):
        extension.init_app(app)
    app.post("/other")(lambda: "")
    with app.app_context(), mail.capture() as outbox:
        mail.send(news())

    assert app.test_client().post("/other").status_code == 400
    assert outbox[0].unsubscribe(app.test_client()).status_code == 200


def test_an_app_that_demands_a_login() -> None:
    """Both the method of a test and ``flask mail check`` say that a provider would fail."""
    shop = ListShop()
    captured = shop.sent()
    checked = check(shop)
    shop.app.before_request_funcs.setdefault(None, []).append(lambda: redirect("/login"))

    with pytest.raises(AssertionError, match=r"got 302 FOUND to /login. A provider needs 200"):
        captured.unsubscribe(shop.client)
    assert checked == (
        0,
        "Unsubscribe: POST https://shop.example/mail/unsubscribe/..., without cookies: 200 OK",
    )
    assert check(shop) == (
        1,
        "Unsubscribe: POST https://shop.example/mail/unsubscribe/..., without cookies: 302 FOUND,"
        " to /login. A mailbox provider needs 200, without a login or a redirect. Let requests"
        " whose request.blueprint is 'mail_unsubscribe' pass the app's before_request functions.",
    )
    assert shop.told == []


def test_check_of_an_error() -> None:
    """``flask mail check`` says which error the app raised."""
    shop = ListShop()

    @shop.app.before_request
    def fail() -> None:
        raise LookupError("no tenant")

    assert check(shop)[1].endswith("without cookies: LookupError: no tenant")


def check(shop: ListShop) -> tuple[int, str]:
    """The exit code and the line about the page."""
    result = shop.app.test_cli_runner().invoke(args=["mail", "check"])
    (line,) = [line for line in result.output.splitlines() if line.startswith("Unsubscribe")]
    return result.exit_code, line


def test_unsubscribe_of_other_mail() -> None:
    """A message without one click is an error in the test that asks for it."""
    shop = ListShop()

    with pytest.raises(AssertionError, match=r"Write Message\(unsubscribe='newsletter'\)"):
        shop.sent(news(unsubscribe=None)).unsubscribe(shop.client)


def test_unsubscribe_with_a_view_of_the_app() -> None:
    """The method of a test works with a link of the app's own, and sends no cookie."""
    shop = ListShop()
    seen: list[t.Any] = []

    @shop.app.post("/leave/<int:number>")
    def leave(number: int) -> str:
        from flask import request

        seen.append((number, request.form.to_dict(), {**request.cookies}))
        return "Bye"

    shop.client.set_cookie("session", "1")
    headers = {
        "List-Unsubscribe": "<mailto:a@shop.example>, <https://shop.example/leave/7>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    captured = shop.sent(news(unsubscribe=None, headers=headers))
    response: TestResponse = captured.unsubscribe(shop.client)

    assert response.text == "Bye"
    assert seen == [(7, {"List-Unsubscribe": "One-Click"}, {})]


# Languages, and a page of the app's own


@pytest.mark.parametrize(
    ("locale", "accepts", "expect"),
    [
        ("de_AT", "fr", "Abmelden"),
        ("es", "", "Cancelar la suscripción"),
        ("", "fr-CA, en;q=0.5", "Se désabonner"),
        ("", "ja", "Unsubscribe"),
        ("ja", "de", "Unsubscribe"),
    ],
)
def test_the_language(locale: str, accepts: str, expect: str) -> None:
    """The page is in the language of the mail, or else of the browser, or else in English."""
    shop = templates({"m.txt": "x"})
    with shop.app.app_context():
        mail = shop.mail.render("m", subject="x", to=ANN, unsubscribe="n", locale=locale or None)
    page = shop.client.get(path(shop.sent(mail)), headers={"Accept-Language": accepts}).text

    assert f">{expect}</button>" in page


OWN = "{{ state }} {{ recipient }} {{ list_name }} {{ locale }} {{ request.method }}"


def templates(files: dict[str, str], **keys: t.Any) -> ListShop:
    shop = ListShop(**keys)
    shop.app.jinja_loader = jinja2.DictLoader(files)
    return shop


def test_a_page_of_the_app() -> None:
    """A template of the app replaces the page, in each language. A wrong token gets the plain
    page."""
    files = {
        "mailhandler/unsubscribe.html": OWN,
        "mailhandler/unsubscribe.de.html": "Auf Deutsch: " + OWN,
        "m.txt": "x",
    }
    shop = templates(files)
    with shop.app.app_context():
        german = shop.mail.render("m", subject="x", to=ANN, unsubscribe="n", locale="de_AT")
    url = path(shop.sent())
    response = shop.client.post(url)

    assert response.text == f"unsubscribed {ANN} newsletter  POST"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" not in response.headers
    assert shop.client.get(url).text == f"ask {ANN} newsletter  GET"
    assert shop.client.post(url, data={"action": "subscribe"}).text.startswith("subscribed ")
    assert shop.client.get(path(shop.sent(german))).text == f"Auf Deutsch: ask {ANN} n de-AT GET"
    assert "This link is not valid." in shop.client.get(url + "x").text


def test_a_page_of_the_app_with_babel() -> None:
    """Flask-Babel speaks the language of the mail in it."""
    shop = templates({"mailhandler/unsubscribe.html": "{{ get_locale() }}", "m.txt": "x"})
    Babel(shop.app)
    from flask_babel import get_locale

    shop.app.jinja_env.globals["get_locale"] = get_locale
    with shop.app.app_context():
        french = shop.mail.render("m", subject="x", to=ANN, unsubscribe="n", locale="fr")

    assert shop.client.get(path(shop.sent(french))).text == "fr"
    assert shop.client.get(path(shop.sent())).text == "en"


def test_an_error_in_a_page_of_the_app() -> None:
    """A template that is not complete is an error, and not the plain page."""
    shop = templates({"mailhandler/unsubscribe.html": "{% include 'missing.html' %}"})

    with pytest.raises(jinja2.TemplateNotFound, match=r"missing\.html"):
        shop.client.get(path(shop.sent()))
    assert link(shop.sent())
