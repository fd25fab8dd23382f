"""Screenshots of the mailbox: three real messages, on a desktop and a phone, light and dark.

With ``MAILHANDLER_SCREENSHOTS=docs/images`` in the environment the pictures are those of the
documentation. Look at them when the page has changed.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from test_mailbox_browser import PHONE
from test_mailbox_browser import wait_for_rows

from flask_mailhandler import Attachment
from flask_mailhandler import current_mail
from mail_templates import MAILS
from mail_templates import sample_app
from mailbox_app import app_with_mailbox
from mailbox_app import keep
from screens import check
from screens import PATIENCE
from screens import Scheme
from screens import screen
from servers.flask_server import served

if t.TYPE_CHECKING:
    from flask import Flask
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]


def shop(folder: Path) -> Flask:
    """An app in debug mode that has sent its messages."""
    app = sample_app(folder=str(folder), mailbox=True, handler="mailbox")
    app.debug = True
    receipt = [Attachment(b"%PDF" * 12_000, filename="receipt-HP-20488.pdf")]
    with app.app_context():
        mail = current_mail
        mail.send(mail.render("mail/digest", MAILS["digest"], to="Noor Haddad <noor@example.org>"))
        mail.send("412 files, 1.8 GB, no errors.", subject="Backup done", to="ops@example.com")
        mail.send(mail.render("mail/reset", MAILS["reset"], to="Ann Lee <ann@example.com>"))
        mail.send(
            mail.render(
                "mail/receipt",
                MAILS["receipt"],
                to="Ann Lee <ann@example.com>",
                bcc="books@shop.example",
                attachments=receipt,
            )
        )
    return app


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_screenshots(tmp_path: Path, chromium: Browser, device: str, scheme: Scheme) -> None:
    """Nothing is wider than the screen, and the page has the requested colours."""
    folder = Path(os.environ.get("MAILHANDLER_SCREENSHOTS", tmp_path))
    with served(shop(tmp_path / "mail")) as address, screen(chromium, device, scheme) as page:
        page.goto(f"{address}/_mail/")
        wait_for_rows(page, 4)
        check(page, scheme)
        if device == "phone":
            page.screenshot(path=folder / f"mailbox-phone-list-{scheme}.png")
        page.click(".row")
        page.wait_for_selector(".row[aria-current]:not(.unread)", state="attached")
        page.click(f"[data-scheme={scheme}]")
        page.frame_locator(f"iframe[data-scheme={scheme}]").locator("h1").wait_for()
        check(page, scheme)
        page.screenshot(path=folder / f"mailbox-{device}-{scheme}.png")


def test_long_names(tmp_path: Path, chromium: Browser) -> None:
    """On a phone, a long subject leaves room for the message, and a long file name for the type of
    its part, which stays on one line."""
    keep(
        tmp_path,
        b"Subject: %b\r\nContent-Type: text/csv; name=%b.csv\r\n\r\na,b" % (b"W" * 900, b"x" * 200),
    )
    page = chromium.new_page(viewport=t.cast("t.Any", PHONE))
    page.set_default_timeout(PATIENCE)
    with served(app_with_mailbox(tmp_path)) as address:
        page.goto(f"{address}/_mail/")
        page.click(".row")
        page.click("[data-tab=parts]")
        kind = page.locator(".tree code").bounding_box()
        tabs = page.locator(".tabs").bounding_box()
        page.close()

    assert kind is not None
    assert kind["height"] < 30
    assert tabs is not None
    assert tabs["y"] < PHONE["height"] / 2
