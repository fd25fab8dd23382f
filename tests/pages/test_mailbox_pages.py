"""The pages of the mailbox."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_mailhandler import Attachment
from mailbox_app import app_with_mailbox
from mailbox_app import keep
from mailbox_app import send

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7191*7**20}}{% raw %}"
ENCODED = "=?utf-8?q?" + "".join(f"={octet:02X}" for octet in ATTACK.encode()) + "?="


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return app_with_mailbox(tmp_path)


@pytest.fixture
def browser(app: Flask) -> FlaskClient:
    return app.test_client()


def change(browser: FlaskClient, path: str) -> int:
    token = browser.get("/_mail/api/messages").get_json()["token"]
    headers = {"X-Mail-Token": token, "Sec-Fetch-Site": "same-origin"}
    return browser.post(path, headers=headers).status_code


def test_a_message(app: Flask, browser: FlaskClient) -> None:
    """The page shows sender, recipients, subject, time and origin. The list shows the first
    words."""
    page = send(
        app,
        subject="Grüße",
        html="<p>Hello",
        bcc="boss@example.com",
        attachments=[Attachment(b"x" * 1234, filename="Übersicht.pdf")],
    )

    shown, listed = browser.get(page).text, browser.get("/_mail/").text

    for text in (
        "Grüße",
        "The Shop &lt;shop@example.com&gt;",
        "Ann &lt;ann@example.com&gt;",
        "boss@example.com",
        "Übersicht.pdf",
        "1.2 kB",
        "multipart/alternative",
        "MIME-Version",
        "send, ",
        "mailbox_app.py:",
        " ms</li>",
    ):
        assert text in shown
    assert "Grüße" in listed
    assert "Hello" in listed
    assert page in listed


def test_a_redirected_message(tmp_path: Path) -> None:
    """The page shows the original recipients of a redirected message."""
    app = app_with_mailbox(tmp_path, redirect_to="me@example.com")

    shown = app.test_client().get(send(app, to=["ann@example.com", "ben@example.com"])).text

    assert re.search(r"Redirected</b> from ann@example\.com, ben@example\.com", shown)


def test_more_recipients_than_are_listed(app: Flask, browser: FlaskClient) -> None:
    """With a long To, a recipient that is not listed is shown, but not as Bcc."""
    shown = browser.get(send(app, to=[f"u{number}@example.com" for number in range(52)])).text

    assert ">Bcc<" not in shown
    assert "Others u50@example.com, u51@example.com" in re.sub(
        r"<(?:/dt|/?span|dd)[^>]*>", lambda tag: " " if tag[0] == "</dt>" else "", shown
    )


def test_an_empty_text(app: Flask, browser: FlaskClient) -> None:
    """A text with only line ends is shown as no text."""
    assert "<h2>No text</h2>" in browser.get(send(app, text="")).text


def test_a_message_that_has_gone(app: Flask, browser: FlaskClient) -> None:
    """The URL of a dropped message returns a page that says so, next to the list. URLs of its
    pieces return 404."""
    page = send(app)
    gone = page[:-1] + ("0" if page[-1] != "0" else "1")

    response = browser.get(f"{gone}?q=hi")

    assert response.status_code == 404
    assert "This message no longer exists" in response.text
    assert 'href="/_mail/?q=hi"' in response.text
    assert page in response.text
    assert "not here" not in browser.get(f"{gone}/html").text


HOSTILE = {
    "subject": f"Subject: {ENCODED}",
    "from": f"From: {ENCODED} <a@b.example>",
    "no address": f"From: {ATTACK}",
    "to": f"To: {ENCODED} <a@b.example>, {ATTACK}",
    "cc": f"Cc: {ENCODED} <a@b.example>",
    "name of a field": "X<script>alert(1)</script>: x",
    "value of a field": f"X-Value: {ENCODED}",
    "type": f'Content-Type: text/<script>alert(1)</script>; name="{ATTACK}"',
    "encoding": f"Content-Transfer-Encoding: {ATTACK}",
    "date": f"Date: {ATTACK}",
    "id": f"Message-ID: <{ATTACK}>",
    "charset": f'Content-Type: text/plain; charset="{ATTACK}"',
    "file name": f'Content-Disposition: attachment; filename="{ENCODED}"',
    "plain file name": "Content-Disposition: attachment; filename=<script>alert(1)</script>",
    "Content-ID": f"Content-ID: <{ATTACK}>",
    "unsubscribe": f"List-Unsubscribe: <javascript:alert(1)>, <{ATTACK}>",
    "text": f"\r\n{ATTACK}",
    "body of HTML": f"Content-Type: text/html\r\n\r\n</iframe></pre></section>{ATTACK}",
}


OURS = {
    *("a", "article", "b", "body", "button", "caption", "circle", "code", "dd", "div", "dl", "dt"),
    *("dialog", "fieldset", "form", "h1", "h2", "head", "header", "html", "iframe", "input"),
    *("legend", "li", "link", "main", "meta", "nav", "ol", "p", "path", "pre", "rect", "script"),
    "title",
    *("kbd", "label", "section", "span", "svg", "table", "tbody", "td", "th", "time", "tr", "ul"),
}
"""The elements of the pages themselves."""


@pytest.mark.parametrize("field", HOSTILE)
def test_every_field_is_escaped(
    app: Flask, browser: FlaskClient, tmp_path: Path, field: str
) -> None:
    """Attack: a script in a field of a message, which the page would run."""
    id = keep(tmp_path, HOSTILE[field].encode() + b"\r\n\r\n" + ATTACK.encode())

    pages = [
        browser.get(path).text
        for path in (f"/_mail/messages/{id}", "/_mail/", "/_mail/list", f"/_mail/?q={ATTACK}")
    ]

    for page in pages:
        tags = Tags(page)
        assert {*tags.names} <= OURS
        assert {name for name, _ in tags.attributes if name.startswith("on")} == set()
        for name, value in tags.attributes:
            if name in ("src", "href", "action", "data-src", "data-read", "data-list"):
                assert re.match(r"/_mail/|\?|#main|https://", value), value
        assert str(7191 * 7**20) not in page


class Tags(HTMLParser):
    """The tags of a page as a browser parses them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append("inline script" if tag == "script" and not dict(attrs) else tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_an_app_that_escapes_nothing(tmp_path: Path) -> None:
    """Attack: the app has disabled escaping, or has templates with the same names."""
    app = app_with_mailbox(tmp_path)
    app.jinja_options = {"autoescape": False}
    (tmp_path / "templates" / "mailhandler").mkdir(parents=True)
    (tmp_path / "templates" / "mailhandler" / "base.html").write_text("<script>mine()</script>")
    app.template_folder = str(tmp_path / "templates")
    keep(tmp_path, HOSTILE["subject"].encode() + b"\r\n\r\n")

    page = app.test_client().get("/_mail/").text

    assert "<script>" not in page


def test_headers_of_a_page(app: Flask, browser: FlaskClient) -> None:
    """A page runs only its own files, cannot be framed, and is not cached."""
    headers = browser.get(send(app)).headers

    assert headers["Content-Security-Policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none';"
        " frame-ancestors 'none'"
    )
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_headers_of_the_frame(app: Flask, browser: FlaskClient) -> None:
    """Attack: a script, a form, a font or a remote image in the HTML. The frame has no rights, and
    has no more when it is opened directly."""
    page = send(app, html="<p>Hello")

    frame = browser.get(f"{page}/html")
    policy = frame.headers["Content-Security-Policy"]

    assert policy == (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none';"
        " style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'self'"
    )
    assert "allow-scripts" not in browser.get(page).text
    assert "allow-same-origin" not in browser.get(page).text
    assert frame.headers["Referrer-Policy"] == "no-referrer"
    remote = browser.get(f"{page}/html?images=1").headers["Content-Security-Policy"]
    assert remote == policy.replace("img-src data:", "img-src data: http: https:")


@pytest.mark.parametrize(
    ("name", "saved"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht 1.pdf", "%C3%9Cbersicht%201.pdf"),
        ("page.html", "page.html"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\autoexec.bat", "autoexec.bat"),
        ("/etc/cron.d/x", "x"),
        ("..", "file"),
        (".bashrc", "bashrc"),
        ('a";filename=b.exe', "a%22%3Bfilename%3Db.exe"),
        ("a\u202egpj.exe", "a_gpj.exe"),
        ("x" * 500, "x" * 200),
    ],
)
@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/pdf"])
def test_attachments_are_saved(
    app: Flask, browser: FlaskClient, tmp_path: Path, kind: str, name: str, saved: str
) -> None:
    """Attack: a document that the browser would show as a page of the app, or a name with a path.
    Every file is a download without a type, with the last part of its name."""
    encoded = "=?utf-8?q?" + "".join(f"={octet:02X}" for octet in name.encode()) + "?="
    id = keep(
        tmp_path,
        f'Content-Type: {kind}\r\nContent-Disposition: attachment; filename="{encoded}"\r\n\r\n'
        "<script>alert(1)</script>".encode(),
    )
    before = sorted(tmp_path.iterdir())

    found = browser.get(f"/_mail/messages/{id}/parts/1")

    assert found.data == b"<script>alert(1)</script>"
    assert found.headers["Content-Type"] == "application/octet-stream"
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    assert found.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    disposition = found.headers["Content-Disposition"]
    assert re.fullmatch(
        r"attachment; filename=\"[^\"\\/]+\"; filename\*=UTF-8''[\w.%~-]+", disposition
    )
    assert disposition.endswith(f"''{saved}")
    assert sorted(tmp_path.iterdir()) == before


def test_an_attached_message_is_saved(browser: FlaskClient, tmp_path: Path) -> None:
    """An attached message without a name is saved with the ending of a message."""
    id = keep(tmp_path, b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nx")

    found = browser.get(f"/_mail/messages/{id}/parts/1").headers["Content-Disposition"]

    assert 'filename="part-1.eml"' in found


@pytest.mark.parametrize(
    "id",
    [
        "x",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        ".token",
        "20261120T101500.123456Z-4f1c2a9b7d3e5f60",
        "20261120T101500.123456Z-4F1C2A9B7D3E5F60",
        "20261120T101500.123456Z-4f1c2a9b7d3e5f60%00",
        "20261120T101500.123456Z-4f1c2a9b7d3e5f60%0a",
        "..%2f20261120T101500.123456Z-4f1c2a9b7d3e5f60",
        "\u0662\u0660261120T101500.123456Z-4f1c2a9b7d3e5f60",
    ],
)
@pytest.mark.parametrize("end", ["", "/html", "/source", "/parts/1"])
def test_ids(browser: FlaskClient, tmp_path: Path, id: str, end: str) -> None:
    """Attack: an id that names another file. An id is looked up in the list, and never used as a
    path."""
    (tmp_path / "secret.eml").write_text("Subject: secret\r\n\r\n")
    (tmp_path / "secret.json").write_text("{}")

    assert browser.get(f"/_mail/messages/{id}{end}").status_code in (404, 308)
    assert browser.get("/_mail/messages/secret").status_code == 404
    assert "secret" not in browser.get("/_mail/").text


@pytest.mark.parametrize("number", ["0", "2", "1.1", "x", "1.", "01", "..%2f1", "1" * 5000])
def test_parts_that_are_not_there(browser: FlaskClient, tmp_path: Path, number: str) -> None:
    """A part is found by its number in the tree, and not otherwise."""
    id = keep(tmp_path, b"Subject: x\r\n\r\nx")

    assert browser.get(f"/_mail/messages/{id}/parts/{number}").status_code == 404


def test_source(app: Flask, browser: FlaskClient, tmp_path: Path) -> None:
    """The download has exactly the stored octets."""
    page = send(app, text="Grüße\n.\n")
    (eml,) = tmp_path.glob("*.eml")

    found = browser.get(f"{page}/source")

    assert found.data == eml.read_bytes()
    assert eml.name in found.headers["Content-Disposition"]


def test_halves_of_characters(browser: FlaskClient, tmp_path: Path) -> None:
    """Attack: a text that cannot be encoded as UTF-8, so that the page fails."""
    id = keep(
        tmp_path,
        b"Subject: =?utf-7?q?+2AA-?=\r\nContent-Type: text/html; charset=utf-7\r\n\r\n+2AA-",
    )

    for path in ("", f"messages/{id}", f"messages/{id}/html", "api/messages", f"api/messages/{id}"):
        assert browser.get(f"/_mail/{path}").status_code == 200


def test_polling(app: Flask, browser: FlaskClient) -> None:
    """The list is sent again only if it has changed, whichever process responds."""
    other = app_with_mailbox(Path(app.config["MAIL_FOLDER"])).test_client()
    first = browser.get("/_mail/list")
    same = {"If-None-Match": first.headers["ETag"]}

    assert browser.get("/_mail/list", headers=same).status_code == 304
    assert other.get("/_mail/list", headers=same).status_code == 304
    page = send(app)
    changed = other.get("/_mail/list", headers=same)
    assert (changed.status_code, changed.headers["X-Mail-Unread"]) == (200, "1")
    assert page in changed.text
    now = {"If-None-Match": changed.headers["ETag"]}
    assert change(browser, f"{page}/read") == 204
    assert other.get("/_mail/list", headers=now).headers["X-Mail-Unread"] == "0"
    assert change(browser, f"{page}/read") == 204  # once is enough


@pytest.mark.parametrize("path", ["", "list"])
def test_an_app_at_two_places(app: Flask, browser: FlaskClient, path: str) -> None:
    """A list cached for one mount point of the app is not used for another."""
    page = send(app)

    for root in ("/one", "/two", ""):
        shown = browser.get(f"/_mail/{path}", base_url=f"http://localhost{root}").text
        assert f'href="{root}{page}"' in shown


def test_deleting(app: Flask, browser: FlaskClient, tmp_path: Path) -> None:
    """Deleting a message deletes all its files, and only those. All messages can be deleted at
    once."""
    (tmp_path / "notes.txt").touch()
    first, second = send(app, subject="first"), send(app, subject="second")

    assert change(browser, f"{first}/read") == 204
    assert change(browser, f"{first}/delete?q=x") == 303
    assert browser.get(first).status_code == 404
    assert browser.get(second).status_code == 200
    assert change(browser, "/_mail/clear") == 303
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", ".token"}


def test_the_list_of_a_search(app: Flask, browser: FlaskClient) -> None:
    """The list shows the results of a search. If there are none, it shows the search terms."""
    send(app, subject="Receipt")
    send(app, subject="Reset")

    assert "Receipt" in browser.get("/_mail/?q=subject:receipt").text
    assert "Reset" not in browser.get("/_mail/list?q=subject:receipt").text
    assert "has:attachment" in browser.get("/_mail/list?q=nothing").text
    assert "No mail yet" not in browser.get("/_mail/list?q=nothing").text


def test_files_that_are_no_messages(browser: FlaskClient, tmp_path: Path) -> None:
    """Other things in the folder are ignored: damaged files, foreign files, incomplete messages."""
    name = "20261120T101500.123456Z-4f1c2a9b7d3e5f6"
    good = keep(tmp_path, b"Subject: good\r\n\r\n")
    for number, text in enumerate(["", "[]", "{}", '{"summary": 1}', "\x00", json.dumps("x")]):
        (tmp_path / f"{name}{number}.json").write_text(text)
        (tmp_path / f"{name}{number}.eml").touch()
    (tmp_path / f"{name}a.eml").touch()
    for ending in ("json", "eml"):  # a copied file
        (tmp_path / f"copy.{ending}").write_bytes((tmp_path / f"{good}.{ending}").read_bytes())
    gone = keep(tmp_path, b"Subject: gone\r\n\r\n")
    (tmp_path / f"{gone}.eml").unlink()

    found = browser.get("/_mail/api/messages").get_json()["messages"]

    assert [message["id"] for message in found] == [gone, good]
    assert browser.get(f"/_mail/messages/{gone}").status_code == 404


def test_lint_knows_placeholders(tmp_path: Path) -> None:
    """A placeholder of the provider, which the app lists, is not a dead link on the page."""
    html = '<p><a href="%out%">Leave</a> <a href="%other%">x</a>'
    app = app_with_mailbox(tmp_path, placeholders=["%out%"])

    page = app.test_client().get(send(app, html=html)).text

    assert "relative URL &#39;%other%&#39;" in page
    assert "relative URL &#39;%out%&#39;" not in page


def test_a_preheader(app: Flask, browser: FlaskClient) -> None:
    """The list shows the preheader instead of the text, and the page of the message names it."""
    hidden = '<div style="display:none">One more &lt;click&gt;</div>'
    page = send(app, subject="Hi", html=f"{hidden}<p>Hello there")

    shown, listed = browser.get(page).text, browser.get("/_mail/").text

    assert ">Preheader</dt><dd>One more &lt;click&gt;</dd>" in shown
    assert '<span class="text">One more &lt;click&gt;</span>' in listed
    assert "Preheader" not in browser.get(send(app, html="<p>Hello there")).text
