"""Previews of messages from templates."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.pages.previews.export import export
from flask_mailhandler.previews.rendering import render
from flask_mailhandler.previews.rendering import Rendered

PNG = b"\x89PNG\r\n\x1a\nlogo"

WELCOME = """
{% block subject %}Welcome, {{ name }}{% endblock %}
{% block html %}<h1>Hi {{ name }}</h1><img src="{{ mail_image("logo.png") }}" alt="Shop">
<a href="{{ url_for("start") }}">Start</a>{% endblock %}
"""


class Shop:
    """An app with templates and a static file, and a preview of one of them."""

    def __init__(self, folder: Path, **config: object) -> None:
        (folder / "static").mkdir()
        (folder / "static" / "logo.png").write_bytes(PNG)
        (folder / "templates" / "mail").mkdir(parents=True)
        self.app = app = Flask("shop", root_path=str(folder), instance_path=str(folder / "i"))
        app.config.update(config)
        app.add_url_rule("/start", "start")
        self.mail = mail = Mail(app)
        self.template("welcome.mail", WELCOME)
        mail.preview("Welcome", variants={"short": {"name": "Ann"}, "odd": {"name": "<b>{A}"}})(
            lambda name: mail.render("mail/welcome", {"name": name}, to="ann@example.com")
        )

    def template(self, name: str, text: str) -> None:
        path = Path(self.app.root_path, "templates", "mail", name)
        path.write_text(text.strip(), encoding="utf-8")

    def render(self, key: str) -> Rendered:
        sample = self.mail.previews.find(key)
        assert sample is not None
        return render(self.app, sample)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path, MAIL_BASE_URL="https://shop.example", DEBUG=True)


def test_the_page(shop: Shop) -> None:
    """The page names the template, and its frame shows the image that is embedded by cid."""
    client = shop.app.test_client()

    page = client.get("/_mail/previews/Welcome").text
    frame = client.get("/_mail/preview-html/Welcome").text

    assert "<code>mail/welcome</code>" in page
    assert "Welcome, Ann" in page
    assert f'src="data:image/png;base64,{base64.b64encode(PNG).decode()}"' in frame
    assert 'href="https://shop.example/start"' in frame


def test_a_change_is_seen(shop: Shop) -> None:
    """A changed template is rendered anew when the page is reloaded."""
    client = shop.app.test_client()
    client.get("/_mail/previews/Welcome")

    shop.template("welcome.mail", WELCOME.replace("Welcome, ", "Good morning, "))
    # The clock of files may not have moved on since the first one was written.
    os.utime(Path(shop.app.root_path, "templates", "mail", "welcome.mail"), (1, 1))

    assert "Good morning, Ann" in client.get("/_mail/previews/Welcome").text


def test_the_files(shop: Shop, tmp_path: Path) -> None:
    """The exported files show the same, without the app."""
    export(shop.app, shop.mail.previews, tmp_path / "out")

    frame = (tmp_path / "out" / "welcome-short" / "html-light-0.html").read_text(encoding="utf-8")
    assert f'src="data:image/png;base64,{base64.b64encode(PNG).decode()}"' in frame


@pytest.mark.parametrize(
    ("template", "kind", "says"),
    [
        ("{{ nobody }}", "UndefinedError", "'nobody' is undefined"),
        ("{% if %}", "TemplateSyntaxError", "Expected an expression"),
        ('<a href="/start">x</a>', "MessageError", "the link '/start' is relative"),
    ],
)
def test_a_template_that_is_wrong(shop: Shop, template: str, kind: str, says: str) -> None:
    """An error in a template is on the page, with the template's name or line."""
    shop.template("welcome.mail", WELCOME.replace("<h1>", template + "<h1>"))

    page = shop.app.test_client().get("/_mail/previews/Welcome").text
    failure = shop.render("Welcome").failure

    assert failure is not None
    assert failure.kind == kind
    assert says in failure.text
    assert f"<b>{kind}</b>" in page
    assert "welcome.mail" in failure.place + failure.text


@pytest.mark.parametrize(
    ("config", "host"),
    [
        ({}, "localhost"),
        ({"DEBUG": True}, "localhost"),
        ({"TRUSTED_HOSTS": [".shop.example"]}, "shop.example"),
        ({"TRUSTED_HOSTS": ["a.example"], "SERVER_NAME": "a.example"}, "a.example"),
    ],
)
def test_without_a_base_url(tmp_path: Path, config: dict[str, object], host: str) -> None:
    """An app that sends only from views, with links from the request, needs no MAIL_BASE_URL for
    its previews, because their request is not forged."""
    shop = Shop(tmp_path, **config)

    rendered = shop.render("Welcome")

    assert rendered.failure is None
    assert f"http://{host}/start".encode() in rendered.content


def test_braces_of_a_user(shop: Shop) -> None:
    """A user's input is not rendered again, so only lint finds its braces: once in the subject, and
    once in HTML and text together."""
    rendered = shop.render("Welcome:odd")

    assert [finding.rule for finding in rendered.findings] == ["braces", "braces"]
    assert b"Subject: Welcome, <b>{A}" in rendered.content


def test_a_locale(shop: Shop) -> None:
    """The locale of a sample selects the template."""
    shop.template(
        "bye.en.mail", "{% block subject %}Bye{% endblock %}{% block html %}<p>x{% endblock %}"
    )
    shop.template(
        "bye.de.mail", "{% block subject %}Servus{% endblock %}{% block html %}<p>x{% endblock %}"
    )

    @shop.mail.preview("Bye", locales=["en", "de_AT"])
    def bye(locale: str) -> Message:
        return shop.mail.render("mail/bye", locale=locale)

    assert b"Subject: Servus\r\n" in shop.render("Bye:de_AT").content
    assert b"Subject: Bye\r\n" in shop.render("Bye").content


def test_a_language_without_a_translation(shop: Shop) -> None:
    """A sample in a language that has no template of its own is found, the first one is not."""
    shop.template("sent.txt", "{% block subject %}Sent{% endblock %}Your order is on its way.")
    shop.template("sent.fi.txt", "{% block subject %}Matkalla{% endblock %}Tilauksesi on matkalla.")
    names = ["en", "en_GB", "de", "fi"]

    def sent(locale: str) -> Message:
        return shop.mail.render("mail/sent", locale=locale)

    shop.mail.preview("Sent", locales=names)(sent)
    shop.mail.preview("Allowed", locales=names, allow=["translation"])(sent)

    assert {name: [str(one) for one in shop.render(f"Sent:{name}").findings] for name in names} == {
        "en": [],
        "en_GB": [],
        "de": ["warning in the text: The words are those of the mail in 'en'. [translation]"],
        "fi": [],
    }
    assert shop.render("Allowed:de").findings == ()


def test_the_preheader(shop: Shop) -> None:
    """The page shows the preheader of a mail."""
    shop.template("welcome.mail", WELCOME + "{% block preheader %}Nice to see you{% endblock %}")

    page = shop.app.test_client().get("/_mail/previews/Welcome").text

    assert ">Preheader</dt><dd>Nice to see you</dd>" in page
