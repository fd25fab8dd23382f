"""The pages of the previews in a real browser, from an app and from files."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler.pages.previews.export import export
from mailbox_app import app_with_mailbox
from screens import PATIENCE
from servers.flask_server import served

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from playwright.sync_api import Page

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]

# An image of 1 by 1 pixel.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)
DARK = (
    "<style>body{background:#fff}@media (prefers-color-scheme:dark){body{background:#000}}</style>"
)
# Each would have a visible effect: a title, a request, or another page.
HOSTILE = """<script>top.document.title = 'owned'</script>
<img src=x onerror="top.document.title='owned'"><svg onload="top.document.title='owned'"></svg>
<meta http-equiv="refresh" content="0;url=http://other.invalid/refresh">
<link rel="stylesheet" href="http://other.invalid/style"><base href="http://other.invalid/">
<form action="http://other.invalid/form"><button id="send">Send</button></form>
<iframe src="http://other.invalid/frame"></iframe>
<a id="script" href="javascript:top.document.title='owned'">Click</a>
<p style="background:url(http://other.invalid/css)">Harmless</p>"""


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """An app in debug mode with a few previews."""
    app = Flask("shop", instance_path=str(tmp_path / "instance"))
    app.config["DEBUG"] = True
    mail = Mail(app)
    logo = Attachment(PNG, filename="logo.png")

    @mail.preview("Account/Welcome", variants={"Ann": {}, "Bob": {"name": "Bob"}}, locales=["en"])
    def welcome(locale: str, name: str = "Ann") -> Message:
        html = f'{DARK}<h1>Hi {name}</h1><img alt="Shop" src="cid:{logo.cid}"><a href="/x">x</a>'
        return Message(subject=f"Welcome {name}", html=html, inline_attachments=[logo])

    @mail.preview("Hostile")
    def hostile() -> Message:
        subject = f"</title>{' '.join(HOSTILE.split())}"
        return Message(subject=subject, html=HOSTILE, text=HOSTILE)

    @mail.preview("Broken")
    def broken() -> Message:
        raise LookupError(HOSTILE)

    return app


@pytest.fixture(params=["app", "files"])
def start(request: pytest.FixtureRequest, app: Flask, tmp_path: Path) -> Iterator[str]:
    """The URL of the list: in the app, and in the exported files."""
    if request.param == "files":
        mail: Mail = app.extensions["mailhandler"]
        export(app, mail.previews, tmp_path / "gallery")
        yield (tmp_path / "gallery" / "index.html").as_uri()
    else:
        with served(app) as address:
            yield f"{address}/_mail/previews/"


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A tab. It fails the test if a script fails, or if the page requests anything from another
    machine."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    context.set_default_timeout(PATIENCE)
    errors: list[str] = []
    context.on("weberror", lambda error: errors.append(str(error.error)))
    context.route("http://other.invalid/**", lambda route: errors.append(route.request.url))
    yield context.new_page()
    context.close()
    assert errors == []


def test_looking_around(start: str, page: Page) -> None:
    """From the list to a preview and its other variant, with findings, in light and dark, and as
    wide as a phone."""
    from playwright.sync_api import expect

    page.goto(start)
    page.click("text=Welcome")
    page.click("nav[aria-label=Variants] >> text=Bob")

    frame = page.frame_locator(".stage iframe")
    expect(frame.locator("h1")).to_have_text("Hi Bob", timeout=PATIENCE)
    assert page.locator("h1").inner_text() == "Welcome Bob"
    expect(frame.locator("img")).to_have_js_property("naturalWidth", 1, timeout=PATIENCE)
    background = "body => getComputedStyle(body).backgroundColor"
    assert frame.locator("body").evaluate(background) == "rgb(255, 255, 255)"
    page.click("[data-scheme=dark] >> text=Dark")
    page.locator(".stage iframe[src*=dark]").wait_for()
    assert frame.locator("h1").inner_text() == "Hi Bob"
    assert frame.locator("body").evaluate(background) == "rgb(0, 0, 0)"
    page.click("label:has-text('Phone')")
    expect(page.locator(".stage iframe")).to_have_css("width", "375px", timeout=PATIENCE)
    page.get_by_role("tab", name="Lint").click()
    findings = page.locator(".findings").inner_text()
    assert "The link 'x' leads to the relative URL '/x'." in findings


def test_the_tabs(start: str, page: Page) -> None:
    """Text, source and headers are shown, and parts can be downloaded."""
    page.goto(start)
    page.click("text=Welcome")

    for tab, shown in [("Text", "Hi Ann"), ("Source", "MIME-Version: 1.0"), ("Headers", "Subject")]:
        page.get_by_role("tab", name=tab).click()
        assert shown in page.locator(".sheet:visible").inner_text()
    page.get_by_role("tab", name="Parts").click()
    assert "image/png" in page.locator(".sheet:visible").inner_text()


def test_an_error(start: str, page: Page) -> None:
    """A preview that failed is a page with the traceback, and with the way back."""
    page.goto(start)
    page.click("nav a:has-text('Broken')")

    page.wait_for_selector("h1:text('This preview failed')")
    assert "LookupError" in page.locator(".failure").inner_text()
    assert "raise LookupError(HOSTILE)" in page.locator(".traceback pre").inner_text()
    assert page.title() == "Broken failed - Previews"


def test_a_hostile_message(start: str, page: Page) -> None:
    """A message with markup in every field, and with hostile HTML, runs no script, requests
    nothing, and does not change the page."""
    page.goto(start)
    page.click("nav a:has-text('Hostile')")
    frame = page.frame_locator(".stage iframe")
    assert frame.locator("p").first.inner_text() == "Harmless"
    address = page.url

    frame.locator("#send").click()
    frame.locator("#script").click(no_wait_after=True)
    for tab in ("Text", "Source", "Headers", "Parts", "Lint"):
        page.get_by_role("tab", name=tab).click()

    assert page.url == address
    assert page.title().startswith("Hostile - Previews")
    assert page.locator("main script, main svg[onload], main form").count() == 0


def test_pages_fit_the_screen(app: Flask, chromium: Browser) -> None:
    """No page is wider than the screen of a desktop or a phone, light or dark."""
    with served(app) as address:
        for scheme in ("light", "dark"):
            for width, height in ((1280, 800), (390, 844)):
                context = chromium.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                )
                context.set_default_timeout(PATIENCE)
                page = context.new_page()
                for place in ("", "Account/Welcome", "Broken"):
                    page.goto(f"{address}/_mail/previews/{place}")
                    wide = page.evaluate("document.documentElement.scrollWidth")
                    assert wide <= width, place
                context.close()


def test_no_previews_on_a_phone(tmp_path: Path, chromium: Browser) -> None:
    """Without previews, the page says how to write one, on a phone too."""
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    with served(app_with_mailbox(tmp_path)) as address:
        page.goto(f"{address}/_mail/previews/")
        assert page.locator(".howto").is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    context.close()
