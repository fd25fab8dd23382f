"""The URLs to which providers post, in an app of Quart."""

from __future__ import annotations

import asyncio
import threading
import typing as t

import pytest

from flask_mailhandler import Event
from flask_mailhandler.events.webhooks.call import MAX_OCTETS
from hooking import ANN
from hooking import KEYS
from hooking import PATH
from hooking import SECRET
from hooking import Source
from hooking import told
from quart_shop import letter
from quart_shop import QuartShop

if t.TYPE_CHECKING:
    from pathlib import Path


class QuartHooks(QuartShop):
    """An app with webhooks of Postmark."""

    def __init__(self, folder: Path) -> None:
        keys = {"MAIL_QUEUE": "q.sqlite", "MAIL_WEBHOOK_SECRET": SECRET, **KEYS["postmark"]}
        super().__init__(folder, **keys, MAIL_TESTING_QUEUE="configured")
        self.events: list[Event] = []
        self.threads: set[threading.Thread] = set()
        self.mail.on_event()(self.note)

    def note(self, event: Event) -> None:
        """Note an event, and the thread that tells of it."""
        self.events.append(event)
        self.threads.add(threading.current_thread())

    def ask(self, method: str = "POST", path: str = PATH, **request: t.Any) -> int:
        """Make a request, and return the status."""

        async def ask() -> int:
            response = await self.client.open(path, method=method, **request)
            return int(response.status_code)

        return asyncio.run(ask())


@pytest.fixture
def shop(tmp_path: Path) -> QuartHooks:
    return QuartHooks(tmp_path)


def test_an_event(shop: QuartHooks) -> None:
    """An event is told once, in a thread that is not the loop's."""
    (post,) = Source("postmark").posts(told())
    given: dict[str, t.Any] = {"data": post.body, "headers": dict(post.headers)}

    assert [shop.ask(**given), shop.ask(**given)] == [200, 200]
    assert [(event.kind, event.recipient) for event in shop.events] == [("bounced", ANN)]
    assert threading.main_thread() not in shop.threads


def test_other_requests(shop: QuartHooks) -> None:
    """A wrong secret, a wrong login and a large body are refused, and a GET changes nothing."""
    (post,) = Source("postmark").posts(told())
    given: dict[str, t.Any] = {"data": post.body, "headers": dict(post.headers)}
    large = {**given, "data": post.body + b" " * MAX_OCTETS}

    assert shop.ask(path=f"{PATH}x", **given) == shop.ask(data=post.body) == 401
    assert shop.ask(**large) == 413
    assert shop.ask("GET") == shop.ask("HEAD") == shop.ask(data=b"") == 200
    assert shop.events == []


def test_a_large_body_without_a_length(shop: QuartHooks) -> None:
    """Of a body that comes in pieces, no more is read than its bound."""

    async def ask() -> int:
        connection = shop.app.test_client().request(PATH, method="POST")
        async with connection:
            for _ in range(3):
                await connection.send(b" " * (MAX_OCTETS // 2))
            await connection.send_complete()
        return int((await connection.as_response()).status_code)

    assert asyncio.run(ask()) == 413


def test_in_a_test(shop: QuartHooks) -> None:
    """outbox.event posts the webhook to the app."""
    with shop.mail.capture(shop.app) as outbox:
        shop.within(lambda: shop.mail.send_async(letter()))

        (event,) = outbox.event("bounced", outbox[0])

    assert shop.events == [event]
    assert (event.message_id, event.verified) == (outbox[0].message_id, True)
