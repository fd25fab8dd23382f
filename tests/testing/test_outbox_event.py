"""Notifications about captured mail, which go through the real reader."""

from __future__ import annotations

import typing as t

import pytest
from flask import Flask

from flask_mailhandler import Event
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Outbox
from flask_mailhandler import SMTPServer
from hooking import HookShop
from hooking import KEYS

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANN, BOB = "ann@example.org", "bob@example.org"


@pytest.fixture
def app() -> Flask:
    app = Flask("shop")
    app.config.update(
        TESTING=True,
        SECRET_KEY="a secret",
        MAIL_DEFAULT_FROM="shop@example.com",
        MAIL_BOUNCE_ADDRESS="bounces@example.com",
    )
    Mail(app)
    return app


@pytest.fixture
def mail(app: Flask) -> Iterator[Mail]:
    with app.app_context():
        yield app.extensions["mailhandler"]


def letter(*to: str, **fields: t.Any) -> Message:
    return Message(subject="Grüße", text="Hello", to=[*to], **fields)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("bounced", (550, "5.1.1", "hard", "No such user")),
        ("deferred", (None, "4.4.1", "soft", "Connection timed out")),
        ("delivered", (None, "2.0.0", None, "Delivered")),
        ("complained", (None, "", None, "")),
    ],
)
@pytest.mark.parametrize("to", [ANN, "jörg@bücher.example"])
def test_each_kind(mail: Mail, outbox: Outbox, kind: str, said: tuple[t.Any, ...], to: str) -> None:
    """The event is verified, is about the message, and is told to the functions of the app."""
    heard: list[Event] = []
    mail.on_event(kind)(heard.append)
    report = mail.send(letter(to))

    (event,) = outbox.event(kind, outbox[0])

    assert heard == [event]
    assert (str(event.kind), event.message_id) == (kind, report.message_id)
    assert event.recipient == outbox[0].envelope.recipients[0]
    assert (event.code, event.status, event.severity, event.reason) == said
    assert event.verified
    assert event.time is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"status": "5.2.2", "code": 552, "reason": "Mailbox full"}, ("soft", 552, "Mailbox full")),
        ({"status": "5.7.1", "reason": "Spam"}, ("blocked", 550, "Spam")),
    ],
)
def test_what_the_server_says(
    mail: Mail, outbox: Outbox, given: dict[str, t.Any], said: tuple[t.Any, ...]
) -> None:
    """A test can choose the codes and the reason."""
    mail.send(letter(ANN))
    (event,) = outbox.event("bounced", outbox[0], **given)

    assert (event.severity, event.code, event.reason) == said


def test_recipients(mail: Mail, outbox: Outbox) -> None:
    """Each recipient has an event, or those that the test names."""
    mail.send(letter(ANN, bcc=BOB))

    assert [event.recipient for event in outbox.event("bounced", outbox[0])] == [ANN, BOB]
    assert [event.recipient for event in outbox.event("bounced", outbox[0], to=BOB)] == [BOB]
    assert [one.recipient for one in outbox.event("complained", outbox[0])] == [ANN, BOB]


def test_outside_a_context_and_with_a_server(app: Flask) -> None:
    """It needs no app context, and a test server has it too."""
    mail: Mail = app.extensions["mailhandler"]
    with SMTPServer() as server, mail.capture(server=server):
        with app.app_context():
            mail.send(letter(ANN))
        (event,) = server.outbox.event("bounced", server.outbox[0])

    assert event.recipient == ANN


@pytest.mark.parametrize(
    ("kind", "given", "error"),
    [
        ("bounce", {}, r"Write one of 'bounced', 'deferred', 'delivered', 'complained';"),
        ("clicked", {}, r"webhooks of a provider have more kinds, if MAIL_WEBHOOK_SECRET is set"),
        ("unsubscribed", {}, r"post to the link in List-Unsubscribe"),
        ("subscribed", {}, r"call what your page calls"),
        ("bounced", {"to": BOB}, r"no such recipient; it went to ann@example\.org"),
        ("complained", {"status": "5.1.1"}, r"has no status, code or reason"),
        (
            "bounced",
            {"status": "abc"},
            r"status='abc'\): write an enhanced status code .*'5\.2\.2'",
        ),
        ("bounced", {"status": 550}, r"status=550\): write an enhanced status code"),
        ("deferred", {"status": "4.4"}, r"status='4\.4'\): write an enhanced status code"),
        ("delivered", {"status": "2.0.0\r\nX: y"}, r"write an enhanced status code"),
        ("bounced", {"code": "550"}, r"code='550'\): write the reply code .* such as 552"),
        ("bounced", {"code": 5}, r"code=5\): write the reply code"),
        ("bounced", {"code": True}, r"code=True\): write the reply code"),
        ("bounced", {"reason": "Full\nBcc: x"}, r"write what the server says, in a line"),
        ("bounced", {"reason": b"Full"}, r"write what the server says, in a line"),
    ],
)
def test_wrong_calls(
    mail: Mail, outbox: Outbox, kind: str, given: dict[str, t.Any], error: str
) -> None:
    """The error says what to write."""
    mail.send(letter(ANN))
    with pytest.raises(ValueError, match=error):
        outbox.event(kind, outbox[0], **given)


def test_other_wrong_calls(mail: Mail, outbox: Outbox) -> None:
    """A message that was not captured, and an outbox of no app, are errors."""
    mail.send(letter(ANN))
    with pytest.raises(ValueError, match=r"takes a captured message, such as outbox\[0\]"):
        outbox.event("bounced", t.cast(t.Any, letter(ANN)))
    with pytest.raises(RuntimeError, match=r"use mail\.capture\(\)"):
        Outbox().event("bounced", outbox[0])


# Webhooks


@pytest.fixture
def hooks(tmp_path: Path) -> HookShop:
    return HookShop(tmp_path, "ses", TESTING=True)


@pytest.mark.parametrize("provider", KEYS)
def test_the_webhook_of_a_provider(provider: str, tmp_path: Path) -> None:
    """An account with webhooks gets the provider's own request, through the real URL."""
    hooks = HookShop(tmp_path, provider, TESTING=True)
    with hooks.app.app_context(), hooks.mail.capture() as outbox:
        about: dict[str, t.Any] = {"tags": ["welcome"], "metadata": {"order": "17"}}
        report = hooks.mail.send(letter(ANN, BOB, **about))

        bounced = outbox.event("bounced", outbox[0], to=ANN, status="5.1.6", reason="Moved")
        opened = outbox.event("opened", outbox[0])
        stopped = hooks.mail.send(letter(ANN, BOB))

    (event,) = bounced
    assert hooks.events == [event, *opened]
    assert (event.recipient, event.message_id, event.verified) == (ANN, report.message_id, True)
    assert (event.code, event.status, event.severity) == (550, "5.1.6", "hard")
    assert "Moved" in event.reason
    assert (event.tags, event.metadata) == (("welcome",), {"order": "17"})
    assert [one.recipient for one in opened] == [ANN, BOB]
    assert stopped.refused == [ANN]
    assert stopped.accepted == [BOB]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("bounce",), "ses has no such event"),
        (("bounced", "bob@example.com"), "has no such recipient"),
        (("opened", None, "5.1.1"), "has no status and no code"),
        (("bounced", None, "x"), "write an enhanced status code"),
    ],
)
def test_what_no_webhook_says(arguments: tuple[t.Any, ...], text: str, hooks: HookShop) -> None:
    """The error says what is wrong."""
    kind, to, status, *_ = *arguments, None, None
    with hooks.app.app_context(), hooks.mail.capture() as outbox:
        hooks.mail.send(letter(ANN))

        with pytest.raises(ValueError, match=text):
            outbox.event(kind, outbox[0], to=to, status=status)


def test_a_webhook_that_does_not_arrive(hooks: HookShop) -> None:
    """A test fails if the app does not let the provider in."""
    hooks.app.before_request(lambda: ("Log in", 403))
    with hooks.app.app_context(), hooks.mail.capture() as outbox:
        hooks.mail.send(letter(ANN))

        with pytest.raises(AssertionError, match="The webhook got 403 FORBIDDEN"):
            outbox.event("bounced", outbox[0])
