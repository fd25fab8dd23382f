"""The page to unsubscribe, and what comes back, in an app of Quart."""

from __future__ import annotations

import asyncio
import threading
import typing as t

import pytest
from quart import Quart

from flask_mailhandler import Captured
from flask_mailhandler import ConfigurationError
from flask_mailhandler import Event
from flask_mailhandler import Mail
from quart_shop import ANN
from quart_shop import letter
from quart_shop import QuartShop

if t.TYPE_CHECKING:
    from pathlib import Path

LINK = "https://shop.example/mail/unsubscribe/"


class ListShop(QuartShop):
    """An app that sends to a list."""

    def __init__(self, folder: Path, **keys: t.Any) -> None:
        super().__init__(folder, MAIL_UNSUBSCRIBE=True, **keys)
        self.told: list[tuple[str, str, str]] = []
        self.threads: set[threading.Thread] = set()
        self.mail.on_event()(self.note)

    def note(self, event: Event) -> None:
        """Note an event, and the thread that tells of it."""
        self.told.append((event.kind.value, str(event.recipient), event.list_name))
        self.threads.add(threading.current_thread())

    def sent(self) -> Captured:
        """Send a message to the list, and return it."""
        with self.mail.capture(self.app) as outbox:
            self.within(lambda: self.mail.send_async(letter(unsubscribe="newsletter")))
        return outbox[0]

    def ask(self, method: str, **request: t.Any) -> tuple[int, str, t.Any]:
        """Make a request for the page of a message. Return the status, the page and the header."""
        path = self.sent().headers["List-Unsubscribe"].strip("<>").removeprefix(LINK)

        async def ask() -> tuple[int, str, t.Any]:
            response = await self.client.open(f"/mail/unsubscribe/{path}", method=method, **request)
            page = await response.get_data(as_text=True)
            return response.status_code, str(page), response.headers

        return asyncio.run(ask())


@pytest.fixture
def shop(tmp_path: Path) -> ListShop:
    return ListShop(tmp_path)


def test_the_page(shop: ListShop) -> None:
    """A GET and a HEAD show the page and change nothing; a POST unsubscribes, and the button
    subscribes again. The app is told in another thread than the one of the event loop."""
    for method in ("GET", "HEAD"):
        status, page, sent = shop.ask(method)
        assert (status, sent["Referrer-Policy"]) == (200, "no-referrer")
    assert shop.told == []

    _, page, _ = shop.ask("POST", form={"List-Unsubscribe": "One-Click"})
    assert "You are unsubscribed" in page
    header = {"Accept-Language": "de", "Content-Length": "16"}  # as a browser sends it
    _, page, _ = shop.ask("POST", form={"action": "subscribe"}, headers=header)
    assert "Sie sind wieder angemeldet" in page

    assert shop.told == [("unsubscribed", ANN, "newsletter"), ("subscribed", ANN, "newsletter")]
    assert threading.main_thread() not in shop.threads


@pytest.mark.parametrize("form", [b"", b"action=" + b"x" * 20_000, b"\xff\xfe=%", b"action=leave"])
def test_any_form_unsubscribes(shop: ListShop, form: bytes) -> None:
    """A POST unsubscribes whatever its form is, and a large one is not read."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    status, _, _ = shop.ask("POST", data=form, headers=kind)

    assert status == 200
    assert [kind for kind, *_ in shop.told] == ["unsubscribed"]


@pytest.mark.parametrize("token", ["x", "a.b", "%00", "ü", "x" * 5_000])
def test_no_such_link(shop: ListShop, token: str) -> None:
    """A link that the app has not signed gets a page that says so, and changes nothing."""

    async def ask() -> tuple[int, str]:
        response = await shop.client.post(f"/mail/unsubscribe/{token}")
        return response.status_code, str(await response.get_data(as_text=True))

    status, page = asyncio.run(ask())

    assert (status, shop.told) == (400, [])
    assert "This link is not valid" in page


def test_a_template_of_the_app(shop: ListShop, tmp_path: Path) -> None:
    """The app's own template replaces the page, with the variables of its context processors."""
    (tmp_path / "templates" / "mailhandler").mkdir()
    page = tmp_path / "templates" / "mailhandler" / "unsubscribe.html"
    page.write_text("{{ state }} {{ recipient }} {{ list_name }} {{ shop }}", encoding="utf-8")

    status, text, header = shop.ask("POST")

    assert (status, text) == (200, f"unsubscribed {ANN} newsletter the shop")
    assert header["X-Robots-Tag"] == "noindex, nofollow"


def test_one_click_in_a_test(shop: ListShop) -> None:
    """A test unsubscribes the recipient of a captured message with a client of Quart."""

    message = shop.sent()

    async def unsubscribe() -> str:
        response = await message.unsubscribe(shop.client)
        return str(await response.get_data(as_text=True))

    assert "unsubscribed" in asyncio.run(unsubscribe())
    assert shop.told == [("unsubscribed", ANN, "newsletter")]


def test_a_login_in_front_of_the_page(shop: ListShop) -> None:
    """If the app refuses the POST of a provider, the test of a message fails and says why."""

    @shop.app.before_request
    async def login() -> tuple[str, int]:
        return "", 401

    message = shop.sent()

    with pytest.raises(AssertionError, match="got 401"):
        asyncio.run(message.unsubscribe(shop.client))


def test_a_page_of_the_app_itself(tmp_path: Path) -> None:
    """A message may name a page that the app has written itself, under a path."""
    shop = QuartShop(tmp_path)
    left: list[str] = []

    async def leave(token: str) -> str:
        left.append(token)
        return "left"

    shop.app.add_url_rule("/leave/<token>", "leave", leave, methods=["POST"])
    fields = {
        "List-Unsubscribe": "<https://shop.example/leave/t1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    with shop.mail.capture(shop.app) as outbox:
        shop.within(lambda: shop.mail.send_async(letter(headers=fields)))

    asyncio.run(outbox[0].unsubscribe(shop.client))

    assert left == ["t1"]


def test_no_tls() -> None:
    """MAIL_BASE_URL without TLS is refused when the app is made, as in Flask."""
    app = Quart("shop")
    app.config["MAIL_UNSUBSCRIBE"] = True
    app.config["MAIL_BASE_URL"] = "http://shop.example"

    with pytest.raises(ConfigurationError, match="begins with https:"):
        Mail(app)


def test_a_bounce(shop: ListShop) -> None:
    """A test lets a captured message bounce, on the event loop too, and the app is told."""

    async def bounce() -> None:
        with shop.mail.capture(shop.app) as outbox:
            async with shop.app.app_context():
                await shop.mail.send_async(letter())
            outbox.event("bounced", outbox[0])

    asyncio.run(bounce())

    assert [kind for kind, *_ in shop.told] == ["bounced"]
