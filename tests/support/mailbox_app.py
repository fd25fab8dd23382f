"""An app that stores its mail in a folder and shows it on the mailbox page."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Flask

from flask_mailhandler import current_mail
from flask_mailhandler import Mail
from flask_mailhandler import MailboxEmailHandler
from flask_mailhandler import Message

ME = "The Shop <shop@example.com>"


def app_with_mailbox(folder: Path, *, debug: bool = True, **keys: t.Any) -> Flask:
    """Return an app in debug mode. *keys* are configuration keys without ``MAIL_``."""
    app = Flask("shop")
    app.debug = debug
    config = {"folder": str(folder), "default_from": ME, **keys}
    app.config.update({f"MAIL_{name.upper()}": value for name, value in config.items()})
    Mail(app)
    return app


def keep(folder: Path, octets: bytes, recipient: str = "ann@example.com") -> str:
    """Write any octets into the folder, as a catcher does. Return the id."""
    from flask_mailhandler import Content
    from flask_mailhandler import Envelope
    from flask_mailhandler.handlers.file import store
    from flask_mailhandler.mime.reading.summary import summary

    content = Content(octets, eightbit=not octets.isascii())
    facts = {"summary": summary(octets)}
    return store(str(folder), Envelope("", [recipient]), content, [], "", facts)


def handler(folder: Path, **options: t.Any) -> MailboxEmailHandler:
    """Return the handler alone."""
    return MailboxEmailHandler(folder=folder, default_from=ME, **options)


def send(app: Flask, **fields: t.Any) -> str:
    """Send a message. Return the URL of its page."""
    message = Message(**{"subject": "Hi", "to": "Ann <ann@example.com>", "text": "Hello", **fields})
    with app.app_context():
        current_mail.send(message)
    return str(app.test_client().get("/_mail/api/messages").get_json()["messages"][0]["page"])
