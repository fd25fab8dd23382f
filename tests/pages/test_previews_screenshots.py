"""Screenshots of the previews: the mails of a shop, on a desktop and a phone, light and dark.

With ``MAILHANDLER_SCREENSHOTS=docs/images`` in the environment the pictures are those of the
documentation. Look at them when the page has changed.
"""

from __future__ import annotations

import functools
import os
import typing as t
from pathlib import Path

import pytest

from flask_mailhandler import Message
from mail_templates import app_with
from screens import check
from screens import Scheme
from screens import screen
from servers.flask_server import served

if t.TYPE_CHECKING:
    from flask import Flask
    from playwright.sync_api import Browser

    from flask_mailhandler import Mail

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]

MAIL = """{% extends "mailhandler/layout.html" %}
{% set accent = "#8a3b12" %}
{% block subject %}TITLE{% endblock %}
{% block content %}
<h1>GREETING</h1>
<p>{{ words }}</p>
<p><a class="button" href="{{ url_for('account') }}">BUTTON</a></p>
<table class="data">
<thead><tr><th>Tea</th><th class="number">100 g</th></tr></thead>
{% for name, price in [("Assam", "7.50"), ("Darjeeling", "12.00"), ("Sencha", "9.80")] %}
<tr><td>{{ name }}</td><td class="number">{{ price }}</td></tr>
{% endfor %}
</table>
{% endblock %}
"""
WORDS = {
    "": ("Welcome to the Corner Shop", "Welcome, {{ name }}", "Look around"),
    ".de": ("Willkommen im Eckladen", "Willkommen, {{ name }}", "Zum Laden"),
}
PLACES = ["Account/Confirm address", "Account/Reset password", "Newsletter"]
ORDERS = ["Shop/Orders/Delayed", "Shop/Orders/Receipt", "Shop/Orders/Sent"]


def shop() -> Flask:
    """An app in debug mode with seven previews."""
    templates = {}
    for language, words in WORDS.items():
        text = MAIL
        for name, word in zip(("TITLE", "GREETING", "BUTTON"), words, strict=True):
            text = text.replace(name, word)
        templates[f"mail/welcome{language}.mail"] = text
    app = app_with(templates, mailbox=True, default_from="The Corner Shop <shop@example.com>")
    app.debug = True
    mail = t.cast("Mail", app.extensions["mailhandler"])

    @mail.preview(
        "Account/Welcome",
        variants={"new customer": {"name": "Ann"}, "invited by a friend": {"name": "Bob"}},
        locales=["en", "de"],
    )
    def welcome(name: str, locale: str) -> Message:
        """Sent to a new customer when the address is confirmed."""
        words = {"en": "Good to have you here.", "de": "Schön, dass du da bist."}[locale]
        return mail.render(
            "mail/welcome",
            {"name": name, "words": words},
            to=(name, f"{name.lower()}@example.com"),
            locale=locale,
        )

    for place in (*PLACES, *ORDERS):
        mail.preview(place)(functools.partial(Message, subject=place, text="..."))
    return app


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_screenshots(tmp_path: Path, chromium: Browser, device: str, scheme: Scheme) -> None:
    """Nothing is wider than the screen, and the page has the requested colours."""
    folder = Path(os.environ.get("MAILHANDLER_SCREENSHOTS", tmp_path))
    with served(shop()) as address, screen(chromium, device, scheme) as page:
        page.goto(f"{address}/_mail/previews/")
        check(page, scheme)
        page.click("nav a:has-text('Welcome')")
        if device == "desktop":
            page.click(f"[data-scheme={scheme}]")
        page.frame_locator(".stage iframe >> visible=true").locator("h1").wait_for()
        check(page, scheme)
        page.screenshot(path=folder / f"previews-{device}-{scheme}.png")
