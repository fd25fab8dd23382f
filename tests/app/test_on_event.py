"""What an app does with events."""

from __future__ import annotations

import logging
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import Event
from flask_mailhandler import Mail
from flask_mailhandler import message_bounced
from flask_mailhandler import message_complained
from flask_mailhandler import message_event
from flask_mailhandler import message_unsubscribed

STATUS = "Final-Recipient: rfc822; {}@example.org\nAction: {}\nStatus: {}\n"
BOUNCE = (
    "From: MAILER-DAEMON@mx.example.net\nReferences: <17@shop.example.com>\n"
    'Content-Type: multipart/report; boundary="b"\n\n'
    "--b\nContent-Type: message/delivery-status\n\n"
    + STATUS.format("ann", "failed", "5.1.1")
    + "\n"
    + STATUS.format("bob", "delivered", "2.0.0")
    + "\n--b--\n"
).encode()
COMPLAINT = (
    b'From: fbl@isp.example\nContent-Type: multipart/report; boundary="b"\n\n'
    b"--b\nContent-Type: message/feedback-report\n\nFeedback-Type: %s\n"
    b"Original-Rcpt-To: ann@example.org\n\n--b--\n"
)


@pytest.fixture
def mail() -> t.Iterator[Mail]:
    app = Flask(__name__)
    mail = Mail(app)
    with app.app_context():
        yield mail


def test_functions(mail: Mail) -> None:
    """A function is called with the events of its kinds, or with every event, in order."""
    heard: list[tuple[str, str]] = []

    @mail.on_event("bounced", "complained")
    def bad(event: Event) -> None:
        heard.append(("bad", str(event.recipient)))

    @mail.on_event()
    def every(event: Event) -> None:
        heard.append((str(event.kind), str(event.recipient)))

    events = mail.handle_notification(BOUNCE)
    mail.handle_notification(COMPLAINT % b"abuse")

    assert heard == [
        ("bad", "ann@example.org"),
        ("bounced", "ann@example.org"),
        ("delivered", "bob@example.org"),
        ("bad", "ann@example.org"),
        ("complained", "ann@example.org"),
    ]
    assert [event.kind for event in events] == ["bounced", "delivered"]
    assert mail.handle_notification(b"Subject: Hi\n\nHello\n") == []


def test_signals(mail: Mail) -> None:
    """Each event is sent as message_event, and some as a signal of their own."""
    heard: list[str] = []
    signals = {
        "event": message_event,
        "bounced": message_bounced,
        "complained": message_complained,
        "unsubscribed": message_unsubscribed,
    }
    receivers = []
    for name, signal in signals.items():

        def receive(app: Flask, event: Event, name: str = name) -> None:
            heard.append(f"{name} {event.kind}")

        receivers.append(receive)
        signal.connect(receive)
    for notification in (BOUNCE, COMPLAINT % b"abuse", COMPLAINT % b"opt-out"):
        mail.handle_notification(notification)

    assert heard == [
        "event bounced",
        "bounced bounced",
        "event delivered",
        "event complained",
        "complained complained",
        "event unsubscribed",
        "unsubscribed unsubscribed",
    ]


def test_an_error(mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    """An error in a function is logged, and the next function is called."""
    heard: list[Event] = []

    @mail.on_event("bounced")
    def wrong(event: Event) -> None:
        raise LookupError("no such user")

    mail.on_event()(heard.append)
    mail.handle_notification(BOUNCE)

    assert len(heard) == 2
    (record,) = [record for record in caplog.records if record.exc_info]
    assert "A function of on_event raised" in record.getMessage()
    assert "ann@" not in record.getMessage()


def test_the_log(mail: Mail, caplog: pytest.LogCaptureFixture) -> None:
    """An event is a line of the log: a warning if the message was not delivered."""
    caplog.set_level(logging.INFO, "flask_mailhandler")
    mail.handle_notification(BOUNCE)

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "<17@shop.example.com>: an…@example.org bounced: 5.1.1"),
        ("INFO", "<17@shop.example.com>: bo…@example.org delivered: 2.0.0"),
    ]


@pytest.mark.parametrize("kinds", [["bounce"], ["bounced", "failure"], [""], ["Bounced"]])
def test_a_wrong_kind(kinds: list[str], mail: Mail) -> None:
    """The error names the kinds that exist."""
    with pytest.raises(ValueError, match=r"write one of sent, delivered, deferred, bounced"):
        mail.on_event(*kinds)


def test_no_parentheses(mail: Mail) -> None:
    """A decorator without parentheses says what to write."""
    with pytest.raises(TypeError, match=r"write @mail\.on_event\(\)"):

        @mail.on_event  # type: ignore[arg-type]
        def note(event: Event) -> None: ...
