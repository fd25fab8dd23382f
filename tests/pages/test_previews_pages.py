"""The pages of the previews, next to the mailbox."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_mailhandler import Attachment
from flask_mailhandler import Mail
from flask_mailhandler import Message

EVIL = """<script>alert(1)</script><b onclick="x">&amp;"'"""


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    app = Flask("shop", instance_path=str(tmp_path))
    app.config["DEBUG"] = True
    return app


@pytest.fixture
def mail(app: Flask) -> Mail:
    return Mail(app)


@pytest.fixture
def client(app: Flask, mail: Mail) -> FlaskClient:
    return app.test_client()


def page(client: FlaskClient, path: str) -> str:
    response = client.get(f"/_mail{path}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    return response.text


def links(html: str) -> list[tuple[str, str]]:
    """The URL and the text of each link to a preview."""
    return re.findall(r'<a href="(/_mail/previews/[^"]+)"[^>]*>([^<]*)</a>', html)


def bill(paid: bool = True, locale: str = "en") -> Message:
    """A bill for a customer."""
    logo = Attachment(b"\x89PNG", filename="logo.png")
    return Message(
        subject=f"Bill {paid} {locale}",
        html=f'<p>Hi<img src="cid:{logo.cid}">',
        to="ann@example.com",
        inline_attachments=[logo],
        attachments=[Attachment(b"%PDF", filename="../bill.pdf")],
    )


def an_error() -> t.NoReturn:
    raise LookupError(EVIL)


def test_no_previews(client: FlaskClient) -> None:
    """Without previews, the page shows how to write one."""
    html = page(client, "/previews/")

    assert "No previews yet" in html
    assert "@mail.preview(&#34;Account/Welcome&#34;)" in html or '@mail.preview("' in html


def test_a_tree(client: FlaskClient, mail: Mail) -> None:
    """The list is a tree by the slashes in the names: each group once, before its members."""
    for name in ("Shop/Bill", "Shop/Account/Reset", "News", "Shop"):
        mail.preview(name)(bill)

    html = page(client, "/previews/")

    assert re.findall(
        r'<li data-depth="(\d)"(?: class="(group)")?>(?:<a [^>]*>)?([^<]+)', html
    ) == [
        ("0", "", "News"),
        ("0", "", "Shop"),
        ("1", "group", "Account"),
        ("2", "", "Reset"),
        ("1", "", "Bill"),
    ]


def test_variants_and_locales(client: FlaskClient, mail: Mail) -> None:
    """A page links to the other variants in its locale, and to the other locales of its variant."""
    variants = {"paid": {"paid": True}, "not yet": {"paid": False}}
    mail.preview("Bill", variants=variants, locales=["en", "de"])(bill)

    html = page(client, "/previews/Bill:not yet:de")

    assert "Bill False de" in html
    assert "A bill for a customer." in html
    assert 'aria-current="page">not yet</a>' in html
    assert 'aria-current="page">de</a>' in html
    assert links(html) == [
        ("/_mail/previews/Bill", "Bill"),
        ("/_mail/previews/Bill:paid:de", "paid"),
        ("/_mail/previews/Bill:not%20yet:de", "not yet"),
        ("/_mail/previews/Bill:not%20yet:en", "en"),
        ("/_mail/previews/Bill:not%20yet:de", "de"),
    ]
    assert "Bill True en" in page(client, "/previews/Bill")


def test_its_pieces(client: FlaskClient, mail: Mail) -> None:
    """The frame shows inline images and is sandboxed; the octets and the parts are files."""
    mail.preview("Shop/Bill", locales=["en"])(bill)
    html = page(client, "/previews/Shop/Bill:en")

    frame = client.get("/_mail/preview-html/Shop/Bill:en?scheme=dark")
    source = client.get("/_mail/preview-source/Shop/Bill:en")
    (part,) = {*re.findall(r'href="(/_mail/preview-part/[^"]*)"', html.partition("files")[2])} & {
        *re.findall(r'href="([^"]*)" download><svg', html)
    }
    file = client.get(part)

    assert 'src="/_mail/preview-html/Shop/Bill:en?scheme=light"' in html
    assert 'src="data:image/png;base64,iVBORw' in frame.text or "data:image/png" in frame.text
    assert frame.headers["Content-Security-Policy"].startswith("sandbox ")
    assert "default-src 'none'" in frame.headers["Content-Security-Policy"]
    assert b"Subject: Bill True en\r\n" in source.data
    assert "attachment" in source.headers["Content-Disposition"]
    assert file.data == b"%PDF"
    assert 'filename="bill.pdf"' in file.headers["Content-Disposition"]


def test_lint(client: FlaskClient, mail: Mail) -> None:
    """lint's findings are on the page, each with its reason and its link."""
    mail.preview("Bill")(bill)

    html = page(client, "/previews/Bill")

    assert "has no alt attribute." in html
    assert "https://www.w3.org/WAI/tutorials/images/" in html


def test_an_error(client: FlaskClient, mail: Mail) -> None:
    """A preview that failed is a page that says why and where, with its variants."""

    def inverse(number: int) -> float:
        if not number:
            raise ZeroDivisionError("no number is 0")
        return 1 / number

    def broken(number: int) -> Message:
        return Message(subject=str(inverse(number)), text="x")

    mail.preview("Sum", variants={"zero": {"number": 0}, "one": {"number": 1}})(broken)

    html = page(client, "/previews/Sum:zero")

    assert "This preview failed" in html
    assert "<b>ZeroDivisionError</b>: no number is 0" in html
    assert f"{__file__}, line " in html
    assert "return Message(subject=str(inverse(number))" in html
    assert ("/_mail/previews/Sum:one", "one") in links(html)


@pytest.mark.parametrize("path", ["previews", "preview-html", "preview-source", "preview-part/1"])
@pytest.mark.parametrize("key", ["Other", "Bill:x", "Bill/..", "Bill:", "%00"])
def test_there_is_none(client: FlaskClient, mail: Mail, path: str, key: str) -> None:
    """A URL without a sample is not found."""
    mail.preview("Bill")(bill)

    assert client.get(f"/_mail/{path}/{key}").status_code == 404


@pytest.mark.parametrize("path", ["preview-html", "preview-source", "preview-part/1"])
def test_pieces_of_what_cannot_be_made(client: FlaskClient, mail: Mail, path: str) -> None:
    """A failed sample has no frame, source or parts: the reply is 404, not 500."""
    mail.preview("Bill")(an_error)

    assert client.get(f"/_mail/{path}/Bill").status_code == 404


@pytest.mark.parametrize(
    "function",
    [
        an_error,
        lambda: Message(subject=EVIL, text=EVIL, to=[("<b>A", "a@b.example")]),
        lambda: Message(subject="x", html=f'<a href="/{EVIL}">{EVIL}</a>', headers={"X-A": EVIL}),
    ],
)
def test_everything_is_escaped(
    client: FlaskClient, mail: Mail, function: t.Callable[[], Message]
) -> None:
    """No name, variant, message, finding or error can put markup on the page."""
    function.__doc__ = EVIL
    mail.preview(f"<b>N/{EVIL.replace('/', '')}", variants={EVIL: {}})(function)
    (sample,) = mail.previews.samples()

    html = page(client, "/previews/") + page(client, f"/previews/{sample.key}")

    assert "&lt;script&gt;alert(1)" in html
    assert "<script>alert" not in html
    assert "<b onclick" not in html
    assert "<b>N" not in html


@pytest.mark.parametrize("path", ["/previews/", "/previews/Bill", "/preview-html/Bill"])
@pytest.mark.parametrize(
    ("headers", "peer"),
    [
        ({"Host": "evil.example"}, "127.0.0.1"),
        ({"X-Forwarded-For": "192.0.2.1"}, "127.0.0.1"),
        ({}, "192.0.2.1"),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, "127.0.0.1"),
    ],
)
def test_access_rules_hold(
    client: FlaskClient, mail: Mail, path: str, headers: dict[str, str], peer: str
) -> None:
    """The mailbox's access check also protects the previews, and a refused request renders none."""

    def never() -> Message:
        raise AssertionError

    mail.preview("Bill")(never)

    response = client.get(f"/_mail{path}", headers=headers, environ_base={"REMOTE_ADDR": peer})

    assert response.status_code == 404
    assert "AssertionError" not in response.text
