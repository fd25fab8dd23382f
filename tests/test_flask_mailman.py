"""A backend for Flask-Mailman."""

from __future__ import annotations

import typing as t
import warnings

import flask_mailman
import pytest
from flask import Flask

import flask_mailhandler as mh
from flask_mailhandler import SMTPServer
from flask_mailhandler.flask_mailman import EmailBackend

BACKENDS = [
    "flask_mailhandler.flask_mailman",
    "flask_mailhandler.flask_mailman.EmailBackend",
    EmailBackend,
]


@pytest.fixture
def server() -> t.Iterator[SMTPServer]:
    with SMTPServer() as server:
        yield server


def create_app(server: SMTPServer, backend: object, **keys: object) -> Flask:
    app = Flask("shop")
    app.config.update(
        MAIL_SERVER="127.0.0.1",
        MAIL_PORT=server.port,
        MAIL_DEFAULT_SENDER="shop@example.com",
        MAIL_BACKEND=backend,
    )
    app.config.update(keys)
    return app


@pytest.mark.parametrize("backend", BACKENDS, ids=str)
def test_messages(backend: object, server: SMTPServer) -> None:
    """Each way to send a message of Flask-Mailman sends it by our handler."""
    app = create_app(server, backend)
    mail = mh.Mail(app)
    old = flask_mailman.Mail(app)
    with app.app_context():
        message = flask_mailman.EmailMultiAlternatives(
            "1", "Hello", to=["ann@example.com"], bcc=["bcc@example.com"]
        )
        message.attach_alternative("<p>Hello", "text/html")
        message.attach("bill.pdf", b"%PDF", "application/pdf")
        assert message.send() == 1
        assert old.send_mail("2", "Hello", None, ["ann@example.com"]) == 1
        several = [(str(count), "Hello", None, ["ann@example.com"]) for count in (3, 4)]
        assert old.send_mass_mail(several) == 2
        assert flask_mailman.EmailMessage("5", "Hello").send() == 0
        with mail.capture() as outbox:
            flask_mailman.EmailMessage("6", "Hello", to=["ann@example.com"]).send()

    assert [sent.subject for sent in server.outbox] == ["1", "2", "3", "4"]
    assert server.outbox[0].envelope.recipients == ("ann@example.com", "bcc@example.com")
    assert server.outbox[0].html.strip() == "<p>Hello"
    assert server.outbox[0].attachment("bill.pdf").mimetype == "application/pdf"
    assert "bcc" not in bytes(server.outbox[0].content).decode()
    assert [captured.subject for captured in outbox] == ["6"]


def test_failures(server: SMTPServer) -> None:
    """The first message that cannot be sent raises, unless the app asks for silence."""
    app = create_app(server, BACKENDS[0])
    mh.Mail(app)
    old = flask_mailman.Mail(app)
    server.reply("RCPT", "550 5.1.1 No such user", times=2)
    with app.app_context():
        with pytest.raises(mh.RefusedError, match="No such user"):
            old.send_mail("1", "Hello", None, ["ann@example.com"])
        several = [(str(count), "Hello", None, ["ann@example.com"]) for count in (2, 3)]
        assert old.send_mass_mail(several, fail_silently=True) == 1

    assert [sent.subject for sent in server.outbox] == ["3"]


def test_silent_failures(server: SMTPServer, caplog: pytest.LogCaptureFixture) -> None:
    """A message that is left out is in the log once, whether the server has refused it or not."""
    app = create_app(server, BACKENDS[0])
    mh.Mail(app)
    flask_mailman.Mail(app)
    server.reply("RCPT", "550 5.1.1 No such user", times=1)
    with app.app_context():
        for address in ("ann@example.com", "ann lee@example.com"):
            message = flask_mailman.EmailMessage("1", "Hello", to=[address])
            assert message.send(fail_silently=True) == 0

    refused, wrong = caplog.messages
    assert "No such user" in refused
    assert "was left out" in wrong


def test_the_staging_guard(server: SMTPServer) -> None:
    """Mail of Flask-Mailman is redirected too, so nothing warns of it."""
    app = create_app(server, BACKENDS[0], MAIL_REDIRECT_TO="staging@example.com")
    mh.Mail(app)
    flask_mailman.Mail(app)
    with app.app_context(), warnings.catch_warnings():
        warnings.simplefilter("error")
        flask_mailman.EmailMessage("1", "Hello", to=["ann@example.com"]).send()

    assert server.outbox.one().envelope.recipients == ("staging@example.com",)


SENDERS: dict[str, tuple[str, dict[str, str], str]] = {
    "one address": ("Shop <shop@example.com>", {}, "VERIFIED"),
    "the same From": ("shop@example.com", {"From": "Shop <shop@example.com>"}, "VERIFIED"),
    "the same IDN": ("shop@bücher.example", {}, "VERIFIED"),
    "another From": (
        "bounces@example.com",
        {"From": "Ann Lee <ann@example.com>"},
        "bounces@example.com",
    ),
    "a Sender": ("bounces@example.com", {"Sender": "list@example.com"}, "bounces@example.com"),
    "a long one": (
        f"srs0={'a' * 80}@example.com",
        {"From": "ann@example.com"},
        f"srs0={'a' * 80}@example.com",
    ),
}


@pytest.mark.parametrize("name", SENDERS)
def test_the_envelope_sender(name: str, server: SMTPServer) -> None:
    """Bounces go to ``from_email`` if the header names another sender; otherwise to the address of
    ``MAIL_BOUNCE_ADDRESS``, which verifies them."""
    from_email, headers, expected = SENDERS[name]
    app = create_app(
        server, BACKENDS[0], MAIL_BOUNCE_ADDRESS="b@example.com", SECRET_KEY="of a test"
    )
    mh.Mail(app)
    flask_mailman.Mail(app)
    with app.app_context():
        message = flask_mailman.EmailMessage(
            "1", "Hello", from_email, ["ann@example.org"], headers=headers
        )
        assert message.send() == 1

    sent = server.outbox.one()
    sender = str(sent.envelope.sender)
    assert ("VERIFIED" if sender.startswith("b+") else sender) == expected


def test_no_from_email(server: SMTPServer) -> None:
    """``MAIL_DEFAULT_FROM``, which Flask-Mailman does not read, is filled in; without it, the error
    says what to set."""
    for sender, sent in (("The Shop <shop@example.com>", True), (None, False)):
        app = create_app(server, BACKENDS[0], MAIL_DEFAULT_SENDER=None, MAIL_DEFAULT_FROM=sender)
        mh.Mail(app)
        flask_mailman.Mail(app)
        with app.app_context():
            message = flask_mailman.EmailMessage("1", "Hello", to=["ann@example.org"])
            if sent:
                assert message.send() == 1
            else:
                with pytest.raises(mh.MessageError, match="or set MAIL_DEFAULT_FROM"):
                    message.send()

    assert server.outbox.one().from_addr.formatted == "The Shop <shop@example.com>"


def test_a_wrong_envelope_sender(server: SMTPServer) -> None:
    """An address that cannot be one is an error that names ``from_email``, and may be silent."""
    app = create_app(server, BACKENDS[0])
    mh.Mail(app)
    flask_mailman.Mail(app)
    with app.app_context():
        letters = [
            flask_mailman.EmailMessage(
                "1", "Hello", "shop", ["ann@example.org"], headers={"From": "ann@example.com"}
            )
            for _ in range(2)
        ]
        assert letters[0].send(fail_silently=True) == 0
        with pytest.raises(mh.MessageError, match="from_email is not an address"):
            letters[1].send()

    assert len(server.outbox) == 0


def test_without_our_mail(server: SMTPServer) -> None:
    """The error names our ``Mail``, as Flask-Mailman has one of the same name."""
    app = create_app(server, BACKENDS[0])
    flask_mailman.Mail(app)
    with (
        app.app_context(),
        pytest.raises(RuntimeError, match=r"write flask_mailhandler\.Mail\(app"),
    ):
        flask_mailman.EmailMessage("1", "Hello", to=["ann@example.com"]).send()
