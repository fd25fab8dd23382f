"""Messages, handlers and verdicts for the tests of providers."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_mailhandler import About
from flask_mailhandler import Attachment
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler import State
from flask_mailhandler import UnknownOutcomeError
from flask_mailhandler.handlers import find
from flask_mailhandler.handlers import parse_url
from sending import letter
from sending import PATIENT
from servers.http_server import json_page
from servers.http_server import page
from servers.providers.fake import LOST
from servers.providers.fake import taken_and

if t.TYPE_CHECKING:
    from pathlib import Path

    from flask_mailhandler import Report
    from flask_mailhandler.handlers.providers.api import APIEmailHandler
    from servers.providers.fake import FakeProvider
    from servers.providers.fake import Manner

ACCEPTED, DEFERRED, REFUSED, UNKNOWN = State
Case: t.TypeAlias = "tuple[Manner, State, type[Exception] | None, About | None]"
"""How a provider behaves, and the state, the error and the cause of its outcome."""
SILENT: list[Case] = [
    (taken_and(page(200, b"<html>")), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(json_page(200, {})), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(json_page(200, [1])), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(page(500, b"oops")), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(page(502)), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(page(504)), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (taken_and(page(503)), UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
    (
        taken_and(page(503, b"upstream connect error or disconnect/reset before headers")),
        UNKNOWN,
        UnknownOutcomeError,
        About.ACCOUNT,
    ),
    (LOST, UNKNOWN, UnknownOutcomeError, About.ACCOUNT),
]
"""What may mean that a message was taken."""


def handler_of(fake: FakeProvider, **options: t.Any) -> APIEmailHandler:
    """The handler that an app with the fake's MAIL_URL has."""
    values = parse_url(fake.mail_url, "MAIL_URL")
    cls = t.cast("type[APIEmailHandler]", find(values.pop("handler")))
    return cls.from_config({**PATIENT, **values, **options})


def send(fake: FakeProvider, *messages: Message, **options: t.Any) -> list[Report]:
    handler = handler_of(fake, **options)
    try:
        return handler.send(messages or [letter()])
    finally:
        handler.close()


def rich() -> Message:
    """A message with all that every provider takes."""
    return Message(
        subject="Grüße, \N{SNOWMAN}",
        text="Hello\n.dot",
        html='<p>Hello <img src="cid:logo@shop" alt=""></p>',
        from_addr=("Shop, Inc.", "shop@example.com"),
        reply_to=["help@example.com", ("Ä Ö", "sales@example.com")],
        to=[('Ann "A" Lee', "ann@example.com"), "bob@example.com"],
        cc="carl@example.com",
        bcc="dora@example.com",
        headers={"X-Order": "17", "X-Name": "Grüße"},
        inline_attachments=[Attachment(b"png", filename="logo.png", cid="logo@shop")],
        attachments=[Attachment("ä,b\n", filename="ä.csv"), Attachment(b"x", mimetype="image/gif")],
    )


def judged(fake: FakeProvider, case: Case) -> None:
    manner, state, error, about = case
    fake.manners.append(manner)
    (report,) = send(fake)

    (outcome,) = report.outcomes
    assert (outcome.state, type(report.error), outcome.about) == (state, error, about)
    assert fake.key not in f"{report.error} {outcome.text}"


def refuses(
    kind: type[FakeProvider], message: Message, text: str, call: str, instance_path: Path
) -> None:
    """Assert that an app cannot send a message, and that the provider is not asked."""
    app = Flask("shop", instance_path=str(instance_path))
    with kind() as fake:
        app.config["MAIL_URL"] = fake.mail_url
        app.config["MAIL_QUEUE_ENGINE"] = "none"
        mail = Mail(app, cli=None)
        with app.app_context():
            with pytest.raises(MessageError, match=text):
                getattr(mail, call)(message)
            mail.queue.close()

    assert fake.opened == 0
