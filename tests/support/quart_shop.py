"""An app of Quart that sends mail."""

from __future__ import annotations

import asyncio
import typing as t

from quart import Quart

from flask_mailhandler import current_mail
from flask_mailhandler import Mail
from flask_mailhandler import Message

if t.TYPE_CHECKING:
    from collections.abc import Awaitable
    from collections.abc import Callable
    from pathlib import Path

    from quart.typing import TestClientProtocol

ANN = "ann@example.com"
KEYS: dict[str, t.Any] = {
    "SECRET_KEY": "a secret that signs",
    "MAIL_BASE_URL": "https://shop.example",
    "MAIL_DEFAULT_FROM": "shop@shop.example",
    "MAIL_QUEUE_ENGINE": "none",
}
TEMPLATES = {
    "welcome.html": "<p>Hello {{ name }} from {{ shop }}."
    """ <a href="{{ url_for('hello') }}">More</a><p>{{ request.path }}""",
}


class QuartShop:
    """The app, its Mail, and a client that no server is needed for."""

    def __init__(self, folder: Path, *, testing: bool = True, **keys: t.Any) -> None:
        (folder / "templates").mkdir(exist_ok=True)
        for name, text in TEMPLATES.items():
            (folder / "templates" / name).write_text(text, encoding="utf-8")
        self.app = Quart("shop", root_path=str(folder), instance_path=str(folder))
        self.app.testing = testing
        self.app.config.update(KEYS)
        self.app.config.update(keys)
        self.mail = Mail(self.app)
        self.app.add_url_rule("/hello", "hello", self.hello)
        self.app.context_processor(self.variables)

    @property
    def client(self) -> TestClientProtocol:
        """A new client."""
        return self.app.test_client()

    async def hello(self) -> dict[str, object]:
        """Send a message, as a view does."""
        report = await current_mail.send_async(letter())
        return {"accepted": report.accepted}

    async def variables(self) -> dict[str, str]:
        """Return what each template has."""
        await asyncio.sleep(0)
        return {"shop": "the shop"}

    def within(self, function: Callable[[], Awaitable[t.Any]]) -> t.Any:
        """Await a function in a context of the app, in a loop of its own."""

        async def run() -> t.Any:
            async with self.app.app_context():
                return await function()

        return asyncio.run(run())

    def view(self, function: Callable[..., t.Any]) -> t.Any:
        """Call a function as a view, and return what it returned or raised."""
        results: list[t.Any] = []

        async def view() -> str:
            try:
                results.append(await self.app.ensure_async(function)())
            except Exception as error:
                results.append(error)
            return ""

        self.app.add_url_rule(f"/views/{function.__name__}", function.__name__, view)
        asyncio.run(t.cast(t.Any, self.client.get(f"/views/{function.__name__}")))
        return results[0]


def letter(**fields: t.Any) -> Message:
    """Return a message to Ann."""
    return Message(**{"subject": "Hello", "text": "Hello Ann", "to": ANN, **fields})
