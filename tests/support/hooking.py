"""Accounts with webhooks, and the requests of their providers."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import json
import typing as t

from flask import Flask

from flask_mailhandler import Event
from flask_mailhandler import EventKind
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Secret
from flask_mailhandler.app.current import registration_of
from flask_mailhandler.app.webhooks import TRUSTED
from flask_mailhandler.events.webhooks.call import Call
from flask_mailhandler.events.webhooks.formats import format_of
from flask_mailhandler.events.webhooks.resend import signature
from flask_mailhandler.testing.provider_events import sendgrid
from flask_mailhandler.testing.provider_events.makers import maker_of
from flask_mailhandler.testing.provider_events.told import Posted
from flask_mailhandler.testing.provider_events.told import Proof
from flask_mailhandler.testing.provider_events.told import Told

if t.TYPE_CHECKING:
    from pathlib import Path

    from werkzeug.test import TestResponse

ANN, BOB = "ann@example.org", "bob@example.org"
SECRET = "a-secret-part-of-a-url"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
PATH = f"/mail/webhooks/default/{SECRET}"
MESSAGE_ID = "<0123456789abcdef0123456789abcdef@shop.example>"
KEYS: dict[str, dict[str, t.Any]] = {
    "resend": {
        "MAIL_URL": "resend://re_1@default",
        "MAIL_WEBHOOK_KEY": f"whsec_{base64.b64encode(b'a key of Svix, 24 octets').decode()}",
    },
    "postmark": {"MAIL_URL": "postmark://token@default", "MAIL_WEBHOOK_KEY": "user:password"},
    "ses": {"MAIL_URL": "ses://AKIA:secret@eu-west-1", "MAIL_WEBHOOK_TOPICS": [TOPIC]},
    "mailgun": {
        "MAIL_URL": "mailgun://key@eu?domain=mg.shop.example",
        "MAIL_WEBHOOK_KEY": "key-of-mailgun",
    },
    "sendgrid": {
        "MAIL_URL": "sendgrid://SG.1@default",
        "MAIL_WEBHOOK_KEY": sendgrid.keys()[1],
    },
    "brevo": {"MAIL_URL": "brevo://xkeysib-1@default", "MAIL_WEBHOOK_KEY": "user:password"},
}
"""What an app with each provider sets."""


def key_of(provider: str) -> Secret | None:
    """Return what proves the webhooks of a provider."""
    found = KEYS[provider].get("MAIL_WEBHOOK_KEY")
    return None if found is None else Secret(found)


def told(kind: EventKind = EventKind.BOUNCED, *recipients: str, **changes: t.Any) -> Told:
    """Return what happened to a message."""
    made = Told(
        kind=kind,
        recipients=recipients or (ANN,),
        sender="shop@shop.example",
        subject="Hi",
        message_id=MESSAGE_ID,
        provider_id="0b8f-1",
        list_name="",
        tags=(),
        given={},
        status="5.1.1",
        code=550,
        reason="No such user",
        time=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
    )
    return dataclasses.replace(made, **changes)


class Source:
    """A provider, and what the app trusts of it."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.key = key_of(provider)
        self.trusted: dict[str, t.Any] = {}
        self.asked: list[str] = []

    def posts(self, what: Told) -> list[Posted]:
        """Return the requests that say what happened."""
        proof = Proof(
            key=self.key, topics=(TOPIC,), trust=self.trusted.__setitem__, account="default"
        )
        found = maker_of(self.provider)(what, proof)
        assert found
        return [*found]

    def fetch(self, url: str) -> bytes:
        """Return what is at a URL, and note that it was asked."""
        self.asked.append(url)
        return bytes(self.trusted.get(url, b""))

    def read(self, post: Posted, **changes: t.Any) -> list[Event]:
        """Read a request as the app does."""
        given: dict[str, t.Any] = {
            "headers": {name.lower(): value for name, value in post.headers.items()},
            "body": post.body,
            "now": datetime.datetime.now(datetime.UTC).timestamp(),
            "key": self.key,
            "topics": (TOPIC,),
            "fetch": self.fetch,
        }
        return format_of(self.provider).read(Call(**{**given, **changes}))


class HookShop:
    """An app with webhooks, and the events that it is told."""

    def __init__(self, folder: Path, provider: str = "resend", **keys: t.Any) -> None:
        self.source = Source(provider)
        self.app = Flask("shop", instance_path=str(folder))
        self.app.config.update(
            MAIL_QUEUE="q.sqlite",
            MAIL_QUEUE_ENGINE="none",
            MAIL_SUPPRESSIONS=True,
            MAIL_DEFAULT_FROM="shop@shop.example",
            MAIL_BASE_URL="https://shop.example",
            MAIL_WEBHOOK_SECRET=SECRET,
        )
        self.app.config.update(KEYS[provider])
        self.app.config.update(keys)
        self.mail = Mail(self.app)
        self.events: list[Event] = []
        self.mail.on_event()(self.events.append)

    def post(self, post: Posted, path: str = PATH) -> TestResponse:
        """Post a request of the provider."""
        self._trust()
        client = self.app.test_client()
        return client.post(path, data=post.body, headers=dict(post.headers))

    def _trust(self) -> None:
        """Let the app trust what stands for the certificate of Amazon."""
        registration_of(self.app).scope.setdefault(TRUSTED, {}).update(self.source.trusted)

    def queued(self, using: str | None = None, **fields: t.Any) -> str:
        """Queue a message, and return its Message-ID."""
        with self.app.app_context():
            message = Message(**{"subject": "Hi", "text": "Hi", "to": ANN, **fields})
            return self.mail.send_later(message, using=using).message_id

    @property
    def suppressed(self) -> list[tuple[str, str]]:
        """The addresses that get no more mail, and of which list."""
        with self.app.app_context():
            return [(str(one.address), one.list_name) for one in self.mail.suppressions]


def changed(post: Posted, **fields: t.Any) -> Posted:
    """Return a request whose body has other values."""
    return post._replace(body=json.dumps({**json.loads(post.body), **fields}).encode())


def resigned(source: Source, body: bytes) -> Posted:
    """Return a request of Resend with any body."""
    assert source.key is not None
    stamp = str(int(datetime.datetime.now(datetime.UTC).timestamp()))
    value = f"v1,{signature(source.key, 'msg_1', stamp, body)}"
    return Posted({"svix-id": "msg_1", "svix-timestamp": stamp, "svix-signature": value}, body)
