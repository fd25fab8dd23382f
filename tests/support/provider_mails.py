"""Twelve mails that the API of a provider is judged by."""

from __future__ import annotations

import typing as t

from flask_mailhandler import Attachment
from flask_mailhandler import Message

LOGO = Attachment(b"png", filename="logo.png", cid="logo@shop")
MAILS: list[dict[str, t.Any]] = [
    {"text": "Hello"},
    {"text": "Hello", "html": "<p>Hello"},
    {"html": "<p>Hello & goodbye"},
    {"text": "Grüße \N{SNOWMAN}\n.\n", "tags": ["news"], "metadata": {"order": "17"}},
    {"text": "x", "to": [("Ann Lee", "ann@example.com"), "bob@example.com"]},
    {"text": "x", "cc": ["carl@example.com", ("Dora", "dora@example.com")]},
    {"text": "x", "bcc": ["eve@example.com", "fay@example.com"]},
    {"text": "x", "from_addr": ("Grüner Laden", "shop@example.com")},
    {"text": "x", "reply_to": ("Help", "help@example.com")},
    {"text": "x", "headers": {"X-Order": "17", "List-Unsubscribe": "<https://example.com/u>"}},
    {
        "text": "x",
        "attachments": [
            Attachment(b"\0\xff", filename="a.pdf"),
            Attachment("a,b\n", filename="b.csv"),
        ],
    },
    {"html": '<img src="cid:logo@shop">', "text": "x", "inline_attachments": [LOGO]},
]


def mails(provider: str) -> list[Message]:
    """The mails that a provider takes."""
    common: dict[str, t.Any] = {"subject": "Grüße", "from_addr": "shop@example.com"}
    common["to"] = "ann@example.com"
    taken = [mail for mail in MAILS if provider != "brevo" or "inline_attachments" not in mail]
    return [Message(**{**common, **mail}) for mail in taken]
