"""An app that sends to a list, for the tests of unsubscribing."""

from __future__ import annotations

import re
import typing as t

from flask import Flask

from flask_mailhandler import Event
from flask_mailhandler import Mail
from flask_mailhandler import Message

if t.TYPE_CHECKING:
    from flask_mailhandler import Captured

ANN = "ann@example.org"
KEY = "a secret that signs"
BASE = "https://shop.example"
MAILTO = "leave@shop.example"
KEYS: dict[str, t.Any] = {
    "SECRET_KEY": KEY,
    "MAIL_BASE_URL": BASE,
    "MAIL_DEFAULT_FROM": "shop@shop.example",
    "MAIL_UNSUBSCRIBE": True,
}


class ListShop:
    """The app, its Mail, and the events that it is told."""

    def __init__(self, *, testing: bool = True, **keys: t.Any) -> None:
        self.app = Flask("shop")
        self.app.testing = testing
        self.app.config.update(KEYS)
        self.app.config.update(keys)
        self.mail = Mail(self.app)
        self.events: list[Event] = []
        self.mail.on_event()(self.events.append)
        self.client = self.app.test_client()

    def sent(self, message: Message | None = None, **options: t.Any) -> Captured:
        """Send a message, in a test, and return it."""
        with self.app.app_context(), self.mail.capture() as outbox:
            self.mail.send(news() if message is None else message, **options)
        return outbox[0]

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """The kind, the recipient and the list of each event."""
        return [(event.kind.value, str(event.recipient), event.list_name) for event in self.events]


def news(**fields: t.Any) -> Message:
    """Return a message of a list."""
    given = {"subject": "News", "text": "Much.", "to": ANN, "unsubscribe": "newsletter", **fields}
    return Message(**given)


def link(captured: Captured) -> str:
    """Return the https URL in List-Unsubscribe."""
    (found,) = re.findall("<(http[^>]*)>", captured.headers["List-Unsubscribe"])
    return str(found)


def path(captured: Captured) -> str:
    """Return its path."""
    return link(captured).removeprefix(BASE)


def address(captured: Captured) -> str:
    """Return the address in List-Unsubscribe."""
    (found,) = re.findall(
        r"<mailto:([^>?]*)\?subject=unsubscribe>", captured.headers["List-Unsubscribe"]
    )
    return str(found)
