"""The queue's pages in a real browser.

With ``MAILHANDLER_SCREENSHOTS=docs/images`` in the environment the pictures are those of the
documentation. Look at them when the page has changed.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from test_mailbox_browser import context as context
from test_mailbox_browser import page as page
from test_mailbox_browser import wait_for_rows

from queue_page_app import full
from queue_page_app import looking
from queue_page_app import put
from screens import check
from screens import Scheme
from screens import screen
from servers.flask_server import served

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from playwright.sync_api import Page

    from queueing import Shop
    from sending import Scripted

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]

# Milliseconds.
PATIENCE = 60_000


@pytest.fixture
def shop(tmp_path: Path, scripted: Scripted) -> Iterator[Shop]:
    """A shop with messages in each state."""
    found = full(tmp_path, scripted)
    yield found
    found.queue.close()


def test_the_queue_lives(shop: Shop, page: Page) -> None:
    """A queued message appears without a reload. Its changes show in the list and in the panel,
    where the open tab stays open."""
    from playwright.sync_api import expect

    with served(shop.app) as address:
        page.goto(f"{address}/_mail/queue/")
        wait_for_rows(page, 5)
        page.evaluate("window.loaded = 'once'")
        put(shop, "Your reset", "sent@example.com", delay=3600)
        wait_for_rows(page, 6)
        assert page.locator("#status").inner_text() == "New message: Your reset"
        page.click(".row:has-text('Your reset')")
        page.get_by_role("tab", name="Source").click()
        page.focus("#cancel")

        shop.queue.cancel([6])

        expect(page.locator(".queued .about .state")).to_have_text("cancelled", timeout=PATIENCE)
        assert page.locator(".row[aria-current] .state").inner_text() == "cancelled"
        assert page.locator("#sheet-source").is_visible()
        assert page.evaluate("window.loaded") == "once"
        page.close()


def test_what_can_be_done(shop: Shop, page: Page) -> None:
    """Buttons send a message again and cancel it. Finished messages are deleted after a
    confirmation, even if the list has changed meanwhile."""
    from playwright.sync_api import expect

    state = page.locator(".queued .about .state")
    with served(shop.app) as address:
        page.goto(f"{address}/_mail/queue/")
        page.click(".chips a:has-text('held')")
        wait_for_rows(page, 1)
        page.click(".row")
        page.get_by_role("button", name="Send again").click()
        expect(state).to_have_text("waiting", timeout=PATIENCE)
        page.get_by_role("button", name="Cancel").click()
        expect(state).to_have_text("cancelled", timeout=PATIENCE)
        page.wait_for_load_state()  # the script handles input by now
        page.fill("[name=q]", "state:failed")
        wait_for_rows(page, 1)
        page.click("#purge")
        page.get_by_role("button", name="Keep them").click()
        page.click("#purge")
        shop.queue.cancel([5])
        expect(page.locator("#state-cancelled b")).to_have_text("2", timeout=PATIENCE)
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.locator(".list h2")).to_have_text("Nothing found", timeout=PATIENCE)
        page.close()
    assert shop.states == ["sent", "cancelled", "waiting", "cancelled"]


def test_without_script(shop: Shop, chromium: Browser) -> None:
    """Without scripts, links and forms are enough."""
    from playwright.sync_api import expect

    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    with served(shop.app) as address:
        page.goto(f"{address}/_mail/")
        page.click(".sections a:has-text('Queue')")
        page.fill("[name=q]", "state:held")
        page.keyboard.press("Enter")
        wait_for_rows(page, 1)
        page.click(".row")
        page.click("#cancel")
        state = page.locator(".queued .about .state")
        expect(state).to_have_text("cancelled", timeout=PATIENCE)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_screenshots(
    shop: Shop, tmp_path: Path, chromium: Browser, device: str, scheme: Scheme
) -> None:
    """Nothing is wider than the screen, and the page has the requested colours."""
    folder = Path(os.environ.get("MAILHANDLER_SCREENSHOTS", tmp_path))
    with served(shop.app) as address, screen(chromium, device, scheme) as page:
        page.goto(f"{address}/_mail/queue/")
        wait_for_rows(page, 5)
        check(page, scheme)
        if device == "phone":
            page.screenshot(path=folder / f"queue-phone-list-{scheme}.png")
        page.click(".row:has-text('Your parcel')")
        page.wait_for_selector(".row[aria-current]", state="attached")
        check(page, scheme)
        page.screenshot(path=folder / f"queue-{device}-{scheme}.png")


LONG = "the.subscriber.with.a-long-name@department.of.long-names.example.com"
_ONE_LINE = """cell => {
  const range = document.createRange(); range.selectNodeContents(cell);
  return new Set([...range.getClientRects()].map((box) => box.top)).size }"""


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_an_address_is_one_line(
    tmp_path: Path, scripted: Scripted, chromium: Browser, device: str
) -> None:
    """A recipient never breaks inside the address, with a long reply and on a phone, and the page
    does not become wider."""
    reply = "450 4.2.1 " + "try again when the list is quiet, please " * 6
    shop = looking(tmp_path, scripted(on={f"RCPT TO:<{LONG}>": reply.strip()}))
    put(shop, "Your parcel", LONG, "ann@example.com")
    with shop.app.app_context():
        shop.queue.run_once()

    with served(shop.app) as address, screen(chromium, device, "light") as page:
        page.goto(f"{address}/_mail/queue/1")
        cells = page.locator(".outcomes th[scope=row]").all()
        assert [cell.inner_text() for cell in cells] == [LONG, "ann@example.com"]
        assert [cell.evaluate(_ONE_LINE) for cell in cells] == [1, 1]
        check(page, "light")
    shop.queue.close()


def test_an_error_is_shown_once(shop: Shop, page: Page) -> None:
    """An open message shows the reply of the server once: next to its recipient."""
    with served(shop.app) as address:
        page.goto(f"{address}/_mail/queue/")
        page.click(".row:has-text('News of May')")
        page.wait_for_selector("h1:text('News of May')")
        assert page.locator(".outcomes").get_by_text("no such user").count() == 1
        assert page.locator(".queued .wrong").count() == 0
        assert page.locator(".row[aria-current] .text").is_hidden()
