"""The mail of an app that sends by a provider, captured in a test."""

from __future__ import annotations

import contextlib
import datetime
import re
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import Attachment
from flask_mailhandler import LoginError
from flask_mailhandler import Mail
from flask_mailhandler import MessageError
from flask_mailhandler import Phase
from sending import letter
from servers.providers import FAKES

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers.providers.fake import FakeProvider


@pytest.fixture(params=FAKES)
def fake(request: pytest.FixtureRequest) -> Iterator[FakeProvider]:
    """Each provider's fake."""
    with FAKES[request.param]() as started:
        yield started


def app_of(url: str, folder: Path, **config: t.Any) -> tuple[Flask, Mail]:
    app = Flask("shop", instance_path=str(folder))
    app.config.update(MAIL_URL=url, MAIL_QUEUE_ENGINE="none", **config)
    return app, Mail(app, cli=None)


@pytest.mark.parametrize("captured", [True, False])
@pytest.mark.parametrize("call", ["send", "send_later"])
def test_what_a_provider_cannot_express(
    fake: FakeProvider, call: str, captured: bool, tmp_path: Path
) -> None:
    """A message that the provider could not send fails in a test too."""
    app, mail = app_of(fake.mail_url, tmp_path, TESTING=True)
    capture = mail.capture() if captured else contextlib.nullcontext()
    with app.app_context(), capture, pytest.raises(MessageError, match="SMTPUTF8"):
        getattr(mail, call)(letter("ä@example.com"))

    assert fake.opened == 0


def test_what_the_provider_would_get(fake: FakeProvider, tmp_path: Path) -> None:
    """The outbox shows the request that the provider gets when the same message is sent."""
    app, mail = app_of(fake.mail_url, tmp_path)
    attached = Attachment(b"x", filename="x.pdf")
    message = letter().replace(
        html="<p>Hi",
        cc="carl@example.com",
        attachments=[attached],
        date=datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC),
    )
    with app.app_context():
        with mail.capture() as outbox:
            mail.send(message)
        mail.send(message)

    (request,) = outbox[0].requests
    (got,) = fake.requests
    assert (request.method, request.url) == ("POST", fake.url + got.target)
    boundary = rb"[0-9a-f]{32}"  # of a form, made anew each time
    assert re.sub(boundary, b"", request.body) == re.sub(boundary, b"", got.body)
    assert fake.key not in repr(request)


def test_a_request_for_each_recipient(tmp_path: Path) -> None:
    """If each recipient gets a request of its own, the outbox shows each."""
    app, mail = app_of("resend://key@default", tmp_path)
    message = letter().replace(to=(), bcc=["ann@example.com", "bob@example.com"])
    with app.app_context(), mail.capture() as outbox:
        mail.send(message)

    assert [request.json["to"] for request in outbox[0].requests] == [
        ["ann@example.com"],
        ["bob@example.com"],
    ]


def test_no_provider(tmp_path: Path) -> None:
    """An account that sends by SMTP has no requests."""
    app, mail = app_of("smtp://mail.example.com", tmp_path)
    with app.app_context(), mail.capture() as outbox:
        mail.send(letter())

    assert outbox[0].requests == ()


def test_without_credentials(tmp_path: Path) -> None:
    """A request that needs credentials says so, and the message is captured all the same."""

    def none() -> t.NoReturn:
        raise LoginError("no role in tests", phase=Phase.AUTH)

    app, mail = app_of("ses://eu-west-1", tmp_path, MAIL_API_CREDENTIALS=none)
    with app.app_context(), mail.capture() as outbox:
        mail.send(letter())

    with pytest.raises(LoginError, match="no role in tests"):
        outbox[0].requests  # noqa: B018
