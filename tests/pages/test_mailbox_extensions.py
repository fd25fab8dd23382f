"""The pages in an app with other extensions, which protect, rewrite or decorate every response."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable
from pathlib import Path

import flask
import pytest
from flask import Flask
from flask import session
from flask.testing import FlaskClient
from flask_debugtoolbar import DebugToolbarExtension
from flask_wtf import CSRFProtect

from flask_mailhandler import current_mail
from flask_mailhandler import Mail
from mailbox_app import app_with_mailbox
from mailbox_app import keep
from mailbox_app import ME
from sending import letter

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

SAME = {"Origin": "http://localhost"}
HTML = b"Subject: x\r\nContent-Type: text/html\r\n\r\n<html><body><p>Hello</p></body></html>"
PATHS = [
    "",
    "list",
    "queue/",
    "queue/list",
    "messages/{}",
    "messages/{}/html",
    "messages/{}/source",
    "messages/{}/parts/1",
    "api/messages",
    "api/messages/{}",
    "api/queue",
]
Rewrites: t.TypeAlias = "Callable[[flask.Response], flask.Response]"


def shop(folder: Path, **config: t.Any) -> Flask:
    """An app that shows its mailbox, with its queue in the folder. Mail has no app yet."""
    app = Flask("shop")
    app.debug = True
    app.config.update(
        SECRET_KEY="x",
        MAIL_FOLDER=str(folder),
        MAIL_DEFAULT_FROM=ME,
        MAIL_QUEUE=str(folder / "queue.sqlite"),
        MAIL_QUEUE_ENGINE="none",
        **config,
    )
    return app


def token(client: FlaskClient) -> str:
    found = client.get("/_mail/api/messages").get_json()
    return str(found["token"])


@pytest.mark.parametrize("first", ["flask_wtf", "mail"])
@pytest.mark.parametrize(
    ("path", "expect"),
    [
        ("clear", 303),
        ("messages/{id}/read", 204),
        ("messages/{id}/delete", 303),
        ("api/clear", 204),
        ("api/messages/{id}/delete", 204),
        ("queue/{row}/retry", 303),
        ("queue/{row}/cancel", 303),
        ("queue/purge", 303),
        ("api/queue/{row}/cancel", 200),
        ("api/queue/purge", 200),
    ],
)
def test_csrf_protection(tmp_path: Path, first: str, path: str, expect: int) -> None:
    """The pages have their own token and need none of Flask-WTF, whichever is set up first."""
    app = shop(tmp_path)
    for extension in [CSRFProtect, Mail] if first == "flask_wtf" else [Mail, CSRFProtect]:
        extension(app)
    with app.app_context():
        row = current_mail.send_later(letter()).id
    client, id = app.test_client(), keep(tmp_path, HTML)
    path = f"/_mail/{path.format(id=id, row=row)}"

    stranger = client.post(path, headers=SAME)
    found = client.post(path, headers={**SAME, "X-Mail-Token": token(client)})

    assert (stranger.status_code, found.status_code) == (403, expect)


def test_csrf_protection_of_the_app(tmp_path: Path) -> None:
    """The views of the app are protected as before, in blueprints or not."""
    app = shop(tmp_path)
    Mail(app)
    CSRFProtect(app)
    app.post("/order")(lambda: "done")
    client = app.test_client()
    client.get("/_mail/")

    assert client.post("/order", headers=SAME).status_code == 400


@pytest.mark.parametrize("extension", [None, "none of Flask-WTF", 1])
def test_another_csrf_extension(tmp_path: Path, extension: object) -> None:
    """Another extension with the name of Flask-WTF's is left alone."""
    app = app_with_mailbox(tmp_path)
    app.extensions["csrf"] = extension
    client = app.test_client()

    found = client.post("/_mail/api/clear", headers={**SAME, "X-Mail-Token": token(client)})

    assert found.status_code == 204


def add_a_bar(response: flask.Response) -> flask.Response:
    """Rewrites every response, as a toolbar does."""
    if response.is_sequence and response.mimetype == "text/html":
        response.set_data(response.get_data().replace(b"</body>", b"<b>bar</b></body>"))
    return response


def encode(response: flask.Response) -> flask.Response:
    """Compresses every response, but with invalid octets."""
    response.set_data(b"bar")
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Location"] = "https://attacker.example/"
    response.headers["Link"] = "<https://attacker.example/a.css>; rel=stylesheet"
    response.status_code = 201
    return response


@pytest.mark.parametrize("own_class", [False, True])
@pytest.mark.parametrize("rewrites", [add_a_bar, encode])
@pytest.mark.parametrize("path", PATHS)
def test_an_app_that_rewrites_every_answer(
    tmp_path: Path, path: str, rewrites: Rewrites, own_class: bool
) -> None:
    """A function of the app that rewrites every response does not change these pages."""
    plain, changed = shop(tmp_path), shop(tmp_path)
    if own_class:

        class Own(flask.Response):
            pass

        changed.response_class = Own
    Mail(plain)
    Mail(changed)
    changed.after_request(rewrites)
    path = f"/_mail/{path.format(keep(tmp_path, HTML))}"

    expect, found = plain.test_client().get(path), changed.test_client().get(path)

    assert (found.status_code, found.get_data()) == (200, expect.get_data())
    assert [*found.headers] == [*expect.headers]


@pytest.mark.parametrize("rewrites", [add_a_bar, encode])
def test_what_is_not_ours_is_rewritten(tmp_path: Path, rewrites: Rewrites) -> None:
    """A view of the app, and the 404 for a request without access, are left to the app."""
    app = shop(tmp_path)
    Mail(app)
    app.after_request(rewrites)
    app.get("/")(lambda: "<body></body>")
    client = app.test_client()

    asked = client.get("/_mail/", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    missing = client.get("/nowhere")

    assert b"bar" in client.get("/").get_data()
    assert (asked.status_code, asked.get_data()) == (missing.status_code, missing.get_data())
    assert [*asked.headers] == [*missing.headers]


def test_a_redirection_stays_one(tmp_path: Path) -> None:
    """After a POST the browser is redirected to the page, even if the app replaces responses."""
    app = shop(tmp_path)
    Mail(app)
    app.after_request(encode)
    client = app.test_client()
    known = token(client)

    found = client.post("/_mail/clear", headers={**SAME, "X-Mail-Token": known})

    assert (found.status_code, found.location, found.get_data()) == (303, "/_mail/", b"")


def test_cookies_and_own_headers_stay(tmp_path: Path) -> None:
    """Headers that the app adds are sent: its session, an id for the log."""
    app = shop(tmp_path)
    Mail(app)

    @app.after_request
    def add(response: flask.Response) -> flask.Response:
        session["seen"] = "1"
        response.headers["X-Request-Id"] = "17"
        response.set_cookie("other", "2")
        return response

    found = app.test_client().get("/_mail/")

    assert found.headers["X-Request-Id"] == "17"
    assert [cookie.split("=")[0] for cookie in found.headers.getlist("Set-Cookie")] == [
        "other",
        "session",
    ]
    assert "no-store" in found.headers["Cache-Control"]


@pytest.mark.parametrize("path", PATHS)
def test_debug_toolbar(tmp_path: Path, path: str) -> None:
    """Flask-DebugToolbar writes into the pages of the app, but not into these pages or a
    message."""
    app = shop(tmp_path)
    DebugToolbarExtension(app)
    Mail(app)
    app.get("/")(lambda: "<body></body>")
    client, id = app.test_client(), keep(tmp_path, HTML)

    found = client.get(f"/_mail/{path.format(id)}")

    assert found.status_code == 200
    assert "flDebug" not in found.get_data(as_text=True)
    assert "flDebug" in client.get("/").text


def test_debug_toolbar_intercepts_no_redirection(tmp_path: Path) -> None:
    """Flask-DebugToolbar intercepts redirects of the app, but not of these pages."""
    app = shop(tmp_path)
    Mail(app)
    DebugToolbarExtension(app)
    client = app.test_client()
    known = token(client)

    found = client.post("/_mail/clear", headers={**SAME, "X-Mail-Token": known})

    assert (found.status_code, found.location) == (303, "/_mail/")
    assert not re.search("flDebug|redirect", found.text)
