"""Error mail of an app of Quart."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

import pytest
from quart import request
from quart import session

import error_shop  # noqa: F401  # its patience
from quart_shop import QuartShop
from queueing import url_of
from servers.waiting import until

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flask_mailhandler.extension.error_mail.handler import ErrorMailHandler
    from sending import Scripted


async def fail(token: str) -> t.NoReturn:
    form = await request.form
    session["_user_id"] = "42"
    raise ValueError(f"no reset {token} for {form['name']}")


@contextlib.contextmanager
def handling(shop: QuartShop) -> Iterator[ErrorMailHandler]:
    """Mail the errors of an app."""
    handler = shop.mail.error_handler(to="ops@example.com")
    shop.app.logger.addHandler(handler)
    shop.app.add_url_rule("/reset/<token>", "fail", fail, methods=["POST"])
    try:
        yield handler
    finally:
        shop.app.logger.removeHandler(handler)
        handler.close()


async def visit(shop: QuartShop) -> int:
    response = await shop.client.post(
        "/reset/tok-3417?a=1&api_key=key-8812",
        form={"name": "Ann", "password": "hunter2-hunter2"},
        headers={"Cookie": "session=cookie-5566"},
    )
    return response.status_code


def test_an_error_in_a_view(tmp_path: Path) -> None:
    """The mail shows the request, the form that the view has read, and the user."""
    shop = QuartShop(tmp_path, testing=False)
    with shop.mail.capture(shop.app) as outbox, handling(shop):
        assert asyncio.run(visit(shop)) == 500

    (message,) = outbox
    assert message.subject == "shop: ValueError: no reset *** for Ann"
    assert "Request: POST /reset/***?a=1&api_key=***" in message.text
    assert "name: Ann" in message.text
    assert "User: 42" in message.text
    for secret in ("tok-3417", "key-8812", "hunter2", "cookie-5566"):
        assert secret not in message.text + message.html


@pytest.mark.slow
def test_by_a_thread(tmp_path: Path, scripted: Scripted) -> None:
    """The event loop does not wait for the mail server, and end of serving mails what waits."""
    server = scripted()
    shop = QuartShop(tmp_path, testing=False, MAIL_URL=url_of(server), MAIL_QUEUE_ENGINE=None)

    async def serve() -> None:
        async with shop.app.test_app():
            await visit(shop)
            await asyncio.to_thread(until, lambda: len(server.accepted) == 1, 60, "a mail")
            await visit(shop)

    with handling(shop):
        asyncio.run(serve())
        assert len(server.accepted) == 2
