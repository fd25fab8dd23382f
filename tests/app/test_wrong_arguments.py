"""An argument that a method of Mail or of a Mailer does not take."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

from flask_mailhandler import Mail
from flask_mailhandler import Mailer
from flask_mailhandler import Message
from mail_templates import app_with
from sending import letter

LATER = "at=, delay=, expires=, key=, priority=, session= and using="


class ShopMailer(Mailer):
    """Sets nothing."""


def error_of(call: t.Callable[[t.Any], object]) -> str:
    """Return the text of the TypeError that a call of the Mail raises."""
    app = app_with({}, MAIL_HANDLER="memory")
    with app.app_context(), pytest.raises(TypeError) as caught:
        call(app.extensions["mailhandler"])
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("foo", f"send_later() takes no foo=. Its arguments are {LATER}."),
        ("prioriy", "send_later() takes no prioriy=: write priority=."),
        ("expire", "send_later() takes no expire=: write expires=."),
        ("account", "send_later() takes no account=: write using=."),
        ("eta", "send_later() takes no eta=: write at=."),
        ("countdown", "send_later() takes no countdown=: write delay=."),
        (
            "subject",
            "send_later() takes a message, and subject is one of its fields: write"
            " Message(subject=...), or message.replace(subject=...).",
        ),
        (
            "tags",
            "send_later() takes a message, and tags is one of its fields: write"
            " Message(tags=...), or message.replace(tags=...).",
        ),
        ("timeout", f"send_later() takes no timeout=. Its arguments are {LATER}."),
    ],
)
def test_send_later(name: str, said: str) -> None:
    """send_later names itself, and says what to write instead of an argument that it lacks."""
    assert error_of(lambda mail: mail.send_later(letter(), **{name: 1})) == said


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda mail, more: mail.send_later_each([letter()], **more),
            "send_later_each() takes no usng=: write using=.",
        ),
        (
            lambda mail, more: mail.send_each([letter()], **more),
            "send_each() takes no usng=: write using=.",
        ),
        (lambda mail, more: mail.send(letter(), **more), "send() takes no usng=: write using=."),
        (lambda mail, more: mail.send([letter()], **more), "send() takes no usng=: write using=."),
        (
            lambda mail, more: mail.send("Hi", subject="Hi", to="a@example.com", **more),
            "send() takes no usng=: write using=.",
        ),
        (
            lambda mail, more: asyncio.run(mail.send_async(letter(), **more)),
            "send_async() takes no usng=: write using=.",
        ),
        (
            lambda mail, more: asyncio.run(mail.send_async("Hi", to="a@example.com", **more)),
            "send_async() takes no usng=: write using=.",
        ),
    ],
)
def test_each_method_names_itself(call: t.Callable[..., object], said: str) -> None:
    """Each method that sends raises at once, and names the method that the user called."""
    assert error_of(lambda mail: call(mail, {"usng": "news"})) == said


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda mail: mail.send(letter(), foo=1),
            "send() takes no foo=. Its arguments are recipients=, timeout= and using=.",
        ),
        (
            lambda mail: mail.send_each([letter()], workers=4),
            "send_each() takes no workers=: write connections=.",
        ),
        (
            lambda mail: mail.send_each([letter()], key="x"),
            "send_each() sends now: key is an argument of send_later_each().",
        ),
        (
            lambda mail: asyncio.run(mail.send_async(letter(), delay=5)),
            "send_async() sends now: delay is an argument of send_later(), which takes a message.",
        ),
        (
            lambda mail: asyncio.run(mail.send_async(letter(), subject="Hi", text="x")),
            "send_async() takes subject, text only with a text; a message has its own: write"
            " message.replace(subject=..., text=...).",
        ),
        (
            lambda mail: asyncio.run(mail.send_async([letter()], recipients="a@example.com")),
            "send_async() takes recipients= only for a single message.",
        ),
        (
            lambda mail: mail.send_later(letter(), 60),
            "Mail.send_later() takes 2 positional arguments but 3 were given",
        ),
        (
            lambda mail: mail.handler_for(),
            "Mail.handler_for() missing 1 required positional argument: 'using'",
        ),
        (
            lambda mail: mail.send("Hi", foo=1),
            "A Message has no field 'foo': it has alternatives, attachments, bcc, cc, date,"
            " dsn_notify, dsn_return, envelope_sender, from_addr, headers, html,"
            " inline_attachments, message_id, metadata, provider_options, reply_to, stream,"
            " subject, tags, text, to, track_clicks, track_opens, unsubscribe.",
        ),
    ],
)
def test_other_errors(call: t.Callable[[t.Any], object], said: str) -> None:
    """No error names an internal class, and each says what there is."""
    assert error_of(call) == said


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda mails: mails.send(letter(), foo=1),
            "ShopMailer.send() takes no foo=. Its arguments are recipients= and timeout=.",
        ),
        (
            lambda mails: mails.send(letter(), using="news"),
            "ShopMailer.send() takes using from the attribute of the mailer: for another value,"
            " write mail.send(..., using=...).",
        ),
        (
            lambda mails: mails.send(letter(), key="x"),
            "ShopMailer.send() sends now: key is an argument of send_later().",
        ),
        (
            lambda mails: mails.send_later(letter(), delya=1),
            "ShopMailer.send_later() takes no delya=: write delay=.",
        ),
        (
            lambda mails: mails.send_later(letter(), priority="high"),
            "ShopMailer.send_later() takes priority from the attribute of the mailer: for another"
            " value, write mail.send_later(..., priority=...).",
        ),
        (
            lambda mails: mails.send_later(letter(), reply_to="a@example.com"),
            "ShopMailer.send_later() takes a message, and reply_to is one of its fields: write"
            " Message(reply_to=...), or message.replace(reply_to=...).",
        ),
        (
            lambda mails: mails.send_later_each([letter()], using="news"),
            "ShopMailer.send_later_each() takes using from the attribute of the mailer: for"
            " another value, write mail.send_later_each(..., using=...).",
        ),
    ],
)
def test_mailers(call: t.Callable[[t.Any], object], said: str) -> None:
    """The error names the mailer's own class, and says which arguments are its attributes."""
    assert error_of(lambda mail: call(ShopMailer(mail))) == said


def test_the_messages_were_not_sent() -> None:
    """Nothing is sent or queued by a call with a wrong argument."""
    app = app_with({}, MAIL_HANDLER="memory")
    mail = t.cast(Mail, app.extensions["mailhandler"])
    with mail.capture(app) as outbox, app.app_context():
        for send in (mail.send, mail.send_later, ShopMailer(mail).send_later):
            with pytest.raises(TypeError):
                t.cast(t.Any, send)(Message(subject="Hi", text="Hi", to="a@example.com"), foo=1)

    assert outbox == []
