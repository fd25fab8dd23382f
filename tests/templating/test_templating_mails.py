"""Three real messages, rendered in every way and compared with stored files; and in two languages.

``golden/templates/NAME.html`` and ``.txt`` are the results of ``templates/mail/NAME``. To update
them, run ``MAILHANDLER_WRITE_GOLDEN=1 pytest tests/templating/test_templating_mails.py``, and
read ``git diff``.
"""

from __future__ import annotations

import io
import os
import threading
import typing as t
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from flask import Flask
from flask_babel import Babel
from flask_babel import gettext
from flask_babel import lazy_gettext

from flask_mailhandler import current_mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.mime import render as write
from mail_templates import app_with
from mail_templates import MAILS
from mail_templates import render
from mail_templates import sample_app
from mail_templates import SAMPLES

SUBJECTS = {
    "receipt": "Your receipt HP-20488",
    "reset": "Reset your password, Ann & Bob",
    "digest": "Your week: 2 new posts",
}


def read_or_write(path: Path, text: str) -> str:
    if os.environ.get("MAILHANDLER_WRITE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    return path.read_text(encoding="utf-8")


def in_a_view(app: Flask, name: str) -> Message:
    found: list[Message] = []

    @app.get("/send")
    def send() -> str:
        found.append(current_mail.render(f"mail/{name}", MAILS[name], to="ann@example.com"))
        return ""

    app.test_client().get("/send", base_url="https://forged.example")
    return found[0]


def in_a_job(app: Flask, name: str) -> Message:
    found: list[Message] = []
    thread = threading.Thread(target=lambda: found.append(in_a_script(app, name)))
    thread.start()
    thread.join()
    return found[0]


def in_a_script(app: Flask, name: str) -> Message:
    return render(app, f"mail/{name}", **MAILS[name])


@pytest.mark.parametrize("way", [in_a_view, in_a_job, in_a_script])
@pytest.mark.parametrize("name", MAILS)
def test_golden(name: str, way: t.Callable[[Flask, str], Message]) -> None:
    """A view, a job and a script render the same message, including the text made for it."""
    message = way(sample_app(), name)
    sent = message.replace(from_addr="shop@example.com").to_mime()
    part = sent.get_body(("plain",))
    assert part is not None
    text = str(part.get_content()).replace("\r\n", "\n")

    assert message.subject == sent["Subject"] == SUBJECTS[name]
    assert message.html == read_or_write(SAMPLES / f"{name}.html", message.html)
    assert text == read_or_write(SAMPLES / f"{name}.txt", text)
    assert [image.filename for image in message.inline_attachments] == ["logo.png"]
    assert [part.get_content_type() for part in sent.walk()] == [
        "multipart/alternative",
        "text/plain",
        "multipart/related",
        "text/html",
        "image/png",
    ]


@pytest.mark.parametrize("handler", ["memory", "file", "console"])
@pytest.mark.parametrize("name", MAILS)
def test_through_a_handler(name: str, handler: str, tmp_path: Path) -> None:
    """A handler writes the rendered message, with the defaults filled in."""
    stream = io.StringIO()
    app = sample_app(handler=handler, folder=str(tmp_path), stream=stream)

    with app.app_context():
        message = current_mail.render(f"mail/{name}", MAILS[name], to="ann@example.com")
        report = current_mail.send(message)

    sent = t.cast(Message, report.message)
    assert sent == message.replace(from_addr="shop@example.com")
    if handler == "file":
        (file,) = tmp_path.glob("*.eml")
        assert file.read_bytes() == bytes(write(sent))
    if handler == "console":
        assert SUBJECTS[name] in stream.getvalue()


def test_nothing_is_too_long_for_gmail() -> None:
    """Each message is well below the 102 kB of HTML that Gmail shows."""
    sizes = {name: len(in_a_script(sample_app(), name).html) for name in MAILS}

    assert max(sizes.values()) < 20_000, sizes


# Languages


@pytest.mark.parametrize(
    ("locale", "html"),
    [
        (None, "plain"),
        ("de", "de"),
        ("de_AT", "de_AT"),
        ("de-AT", "de_AT"),
        ("de_CH", "de"),
        ("zh_Hans_CN", "zh_Hans"),
        ("fr", "plain"),
        (Locale("de", "AT"), "de_AT"),
    ],
)
def test_files_of_a_language(locale: object, html: str) -> None:
    """``welcome.de.html`` is used for German, and the closest file for other locales."""
    names = {"x.html": "plain"} | {f"x.{name}.html": name for name in ("de", "de_AT", "zh_Hans")}

    assert render(app_with(names), "x", locale=locale).html == html


def test_no_mail_in_two_languages() -> None:
    """All parts are in one language: if only the HTML is translated, the text is made from it."""
    app = app_with({"x.html": "Hello", "x.txt": "Hello", "x.de.html": "Hallo"})

    message = render(app, "x", locale="de")

    assert (message.html, message.text) == ("Hallo", "")


@pytest.mark.parametrize(
    "locale", ["../x", "de/../x", "de.html", "", "d", "de_", "de\n", "a" * 99, 5, "de\x00"]
)
def test_no_locale(locale: object) -> None:
    """An invalid locale never becomes part of a file name."""
    app = app_with({"x.html": "plain"})

    if locale == "":
        assert render(app, "x", locale=locale).html == "plain"
    else:
        with pytest.raises(MessageError, match="locale must be like 'de' or 'de_AT'"):
            render(app, "x", locale=locale)


@pytest.fixture
def babel_app(tmp_path: Path) -> Flask:
    """An app with Flask-Babel, in English, with some German texts."""
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    catalog = Catalog(locale="de")
    catalog.add("Hello %(name)s", "Hallo %(name)s")
    catalog.add("Welcome", "Willkommen")
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    source = (
        "{% block subject %}{{ _('Welcome') }}{% endblock %}"
        "{% block html %}{{ mail_locale }}: {% trans %}Hello {{ name }}{% endtrans %},"
        " {{ number|numberformat }}{% endblock %}"
    )
    markdown = (
        "{% block subject %}Hi{% endblock %}{% set layout = 'plain.html' %}"
        "**{% trans %}Hello {{ name }}{% endtrans %}**"
    )
    app = app_with(
        {"x.mail": source, "y.md": markdown, "plain.html": "{% block content %}{% endblock %}"},
        BABEL_TRANSLATION_DIRECTORIES=str(tmp_path),
    )
    Babel(app)
    return app


def test_flask_babel(babel_app: Flask) -> None:
    """With Flask-Babel the message is in its own locale, and code after it is not."""
    with babel_app.app_context():
        german = current_mail.render("x", {"name": "<Ann>", "number": 1234.5}, locale="de")
        english = current_mail.render("x", {"name": "Ann", "number": 1234.5})
        after = gettext("Welcome")

    assert german.subject == "Willkommen"
    assert german.html == "de: Hallo &lt;Ann&gt;, 1.234,5"
    assert english.subject == after == "Welcome"
    assert english.html == ": Hello Ann, 1,234.5"


def test_flask_babel_and_markdown(babel_app: Flask) -> None:
    """A translated text in Markdown has its variables as text."""
    message = render(babel_app, "y", locale="de", name="*[Ann](https://evil.example)*")

    assert message.html == "<p><strong>Hallo *[Ann](https://evil.example)*</strong></p>\n"


def test_lazy_texts_are_in_the_readers_language(babel_app: Flask) -> None:
    """A lazy text in a field is evaluated in the language of the message."""
    with babel_app.app_context():
        message = current_mail.render(
            "x",
            {"name": lazy_gettext("Welcome"), "number": 1},
            locale="de",
            subject=lazy_gettext("Welcome"),
        )

    assert message.subject == "Willkommen"
    assert "Hallo Willkommen" in message.html


@pytest.mark.parametrize("locale", ["xx", "de_XX"])
def test_a_locale_that_babel_does_not_know(babel_app: Flask, locale: str) -> None:
    """An unknown locale is an error."""
    with pytest.raises(MessageError, match=f"'{locale}' is not known to Babel"):
        render(babel_app, "x", locale=locale, name="Ann")


def test_an_error_leaves_the_language_alone(babel_app: Flask) -> None:
    """After an error in a template, the app has its previous locale."""
    with babel_app.app_context():
        with pytest.raises(Exception, match="name"):
            current_mail.render("x", locale="de")

        assert gettext("Welcome") == "Welcome"


def test_without_flask_babel_in_the_app() -> None:
    """If Flask-Babel is installed but not used, the locale only selects files."""
    assert render(app_with({"x.html": "{{ mail_locale }}"}), "x", locale="de_AT").html == "de-AT"


def test_layout_says_its_language() -> None:
    """The layout declares language and direction, for screen readers and hyphenation."""
    app = app_with({"x.md": "Hi"})

    assert '<html lang="de-AT"' in render(app, "x", locale="de_AT").html
    assert '<html lang="ar" dir="rtl"' in render(app, "x", locale="ar").html
    assert " lang=" not in render(app, "x").html
