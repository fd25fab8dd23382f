"""The page of the queue in production, in a real browser."""

from __future__ import annotations

import typing as t

import pytest
from test_mailbox_browser import context as context
from test_mailbox_browser import page as page
from test_mailbox_browser import wait_for_rows

from flask_mailhandler.pages.queue import production
from queue_page_app import put
from screens import check
from screens import PATIENCE
from screens import Scheme
from screens import screen
from servers.flask_server import served
from staff_app import page_of
from staff_app import staffed

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from playwright.sync_api import Page

    from queueing import Shop

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.usefixtures("untraced")]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A shop with two pages of messages."""
    found = staffed(tmp_path)
    found.app.register_blueprint(page_of(found), url_prefix="/staff/mail")
    for number in range(120):
        put(found, f"No. {number}", "cleo@example.com")
    yield found
    found.queue.close()


def test_pages_and_search(shop: Shop, page: Page) -> None:
    """The keyboard reaches the next page of the list, a message opens next to it, and typing a
    search begins at the newest again."""
    from playwright.sync_api import expect

    with served(shop.app) as address:
        page.goto(f"{address}/login?user=admin")
        page.goto(f"{address}/staff/mail/")
        page.get_by_role("link", name="Older").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**?older=*")
        first = page.locator(".row .subject").first
        expect(first).to_have_text("No. 19", timeout=PATIENCE)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        expect(page.locator("#subject")).to_have_text("No. 19", timeout=PATIENCE)
        expect(first).to_have_text("No. 19", timeout=PATIENCE)
        page.keyboard.press("/")
        page.keyboard.type("to:ben@example.com")
        wait_for_rows(page, 1)
        assert "older=" not in page.url
        with page.expect_download() as download:
            page.click("#csv")
        assert download.value.suggested_filename == "queue.csv"
        page.close()


def test_a_login_that_has_ended(shop: Shop, page: Page) -> None:
    """If the session has ended, a click leads to the app's login and not to a broken page."""
    with served(shop.app) as address:
        page.goto(f"{address}/login?user=admin")
        page.goto(f"{address}/staff/mail/")
        page.context.clear_cookies()
        page.click(".row >> nth=0")
        page.wait_for_selector("h1:text('Log in')")
        page.close()


def test_an_old_list(tmp_path: Path, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """An open page does not keep an old list: if the queue cannot be used, it says so until it can,
    and if the session has ended, it leads to the app's login."""
    monkeypatch.setattr(production, "_SECONDS", 1)
    shop, file = staffed(tmp_path), tmp_path / "mail-queue.sqlite"
    shop.app.register_blueprint(page_of(shop), url_prefix="/staff/mail")
    with served(shop.app) as address:
        page.goto(f"{address}/login?user=admin")
        page.goto(f"{address}/staff/mail/")
        shop.queue.close()
        whole = file.read_bytes()
        file.write_bytes(b"no database" * 100)
        page.wait_for_selector("h2:text('The queue is not available')")
        file.write_bytes(whole)
        wait_for_rows(page, 1)
        page.context.clear_cookies()
        page.wait_for_selector("h1:text('Log in')")
        page.close()
    shop.queue.close()


@pytest.mark.parametrize(("device", "scheme"), [("desktop", "light"), ("phone", "dark")])
def test_without_script(
    shop: Shop, tmp_path: Path, chromium: Browser, device: str, scheme: Scheme
) -> None:
    """Without scripts, links and forms are enough, and nothing is wider than the screen."""
    with served(shop.app) as address, screen(chromium, device, scheme) as page:
        page.goto(f"{address}/login?user=clerk")
        page.route("**/*.js", lambda route: route.abort())
        page.goto(f"{address}/staff/mail/")
        wait_for_rows(page, 100)
        check(page, scheme)
        page.get_by_role("link", name="Oldest").click()
        page.wait_for_url("**?newer=")
        page.click(".row:has-text('Your order')")
        page.wait_for_selector("text=The content is not shown")
        assert page.locator("#cancel").count() == 0
        check(page, scheme)
