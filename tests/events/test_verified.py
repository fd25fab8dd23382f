"""Signed envelope senders, and the events of the notifications that come back to them."""

from __future__ import annotations

import base64
import re
import typing as t
from email.message import EmailMessage

import pytest
from flask import Flask

from flask_mailhandler import Address
from flask_mailhandler import ConfigurationError
from flask_mailhandler import Event
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import SMTPEmailHandler

ANN, BOB = "ann@example.org", "bob@example.org"
KEY = "a secret that signs"
SIGNED = r"bounces\+[a-z2-7]{42}@example\.com"


def mail_of(**keys: t.Any) -> tuple[Flask, Mail]:
    """An app in a test, whose bounces go to bounces@example.com."""
    app = Flask("shop")
    app.config.update(
        TESTING=True,
        SECRET_KEY=KEY,
        MAIL_BOUNCE_ADDRESS="bounces@example.com",
        MAIL_DEFAULT_FROM="shop@example.com",
    )
    app.config.update(keys)
    return app, Mail(app, cli=None)


def sent(message: t.Any, **keys: t.Any) -> tuple[str, str]:
    """Send a message. Return its envelope sender and its Message-ID."""
    app, mail = mail_of(**keys)
    with app.app_context(), mail.capture() as outbox:
        mail.send(message)
    (captured,) = outbox
    return str(captured.envelope.sender), captured.message_id


def letter(*to: str, **fields: t.Any) -> Message:
    return Message(subject="Hi", text="Hello", to=[*to], **fields)


def bounce(message_id: str, recipient: str = ANN, header: str = "") -> bytes:
    """A bounce, whose header has these fields too."""
    returned = f"Message-ID: {message_id}\n" if message_id else "Subject: Hi\n"
    return (
        f"{header}From: MAILER-DAEMON@mx.example.net\n"
        'Content-Type: multipart/report; boundary="b"\n\n'
        "--b\nContent-Type: message/delivery-status\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: failed\nStatus: 5.1.1\n\n"
        f"--b\nContent-Type: text/rfc822-headers\n\n{returned}\n--b--\n"
    ).encode()


def verified(octets: bytes, recipient: str | None = None, **keys: t.Any) -> bool:
    """Let an app read a bounce. Return whether its event is verified."""
    app, mail = mail_of(**keys)
    heard: list[Event] = []
    mail.on_event()(heard.append)
    with app.app_context():
        (event,) = mail.handle_notification(octets, recipient=recipient)
    assert heard == [event]
    return event.verified


# The envelope sender


def test_the_envelope_sender() -> None:
    """It is made from the bounce address, fits into 64 octets, and its id is that of the
    Message-ID."""
    sender, message_id = sent(letter(ANN))
    octets = base64.b32decode(Address(sender).local.partition("+")[2].upper() + "======")

    assert re.fullmatch(SIGNED, sender)
    assert len(Address(sender).local) <= 64
    assert message_id.startswith(f"<{octets[:16].hex()}@")


@pytest.mark.parametrize("delimiter", ["-", "=", "_"])
def test_another_delimiter(delimiter: str) -> None:
    """The delimiter is an option, for writing and for reading."""
    sender, message_id = sent(letter(ANN), MAIL_BOUNCE_DELIMITER=delimiter)

    assert sender.startswith(f"bounces{delimiter}")
    assert verified(bounce(message_id), sender, MAIL_BOUNCE_DELIMITER=delimiter)
    assert not verified(bounce(message_id), sender)


@pytest.mark.parametrize("given", ["", "list@example.com"])
def test_an_envelope_sender_of_its_own(given: str) -> None:
    """A message that names an envelope sender keeps it, the null sender too."""
    assert sent(letter(ANN, envelope_sender=given))[0] == given


def test_the_same_each_time() -> None:
    """The same mail has the same envelope sender each time, and another mail another one."""
    message = letter(ANN)

    assert sent(message) == sent(message)
    assert sent(message)[0] != sent(message.replace())[0]


def test_an_account_of_its_own() -> None:
    """Each account may have its own bounce address, and inherits the app's."""
    accounts = {"bulk": {"bounce_address": "lists@example.net"}, "other": {"host": "mx.example"}}
    app, mail = mail_of(MAIL_ACCOUNTS=accounts)
    with app.app_context(), mail.capture() as outbox:
        for using in (None, "bulk", "other"):
            mail.send(letter(ANN), using=using)
        events = [
            mail.handle_notification(bounce(one.message_id), recipient=str(one.envelope.sender))
            for one in outbox
        ]

    assert [str(one.envelope.sender).partition("+")[0] for one in outbox] == [
        "bounces",
        "lists",
        "bounces",
    ]
    assert [event.verified for (event,) in events] == [True] * 3


@pytest.mark.parametrize(
    "value", ["x" * 22 + "@example.com", "jörg@example.com", '"a b"@x.example']
)
def test_a_wrong_address(value: str) -> None:
    """An address without room for the signature is an error when the app is made."""
    with pytest.raises(ConfigurationError, match="MAIL_BOUNCE_ADDRESS takes an address in ASCII"):
        mail_of(MAIL_BOUNCE_ADDRESS=value)


def test_the_longest_address() -> None:
    """An address of 21 characters before the @ leaves room for the signature."""
    longest = "x" * 21 + "@example.com"
    sender, message_id = sent(letter(ANN), MAIL_BOUNCE_ADDRESS=longest)

    assert len(Address(sender).local) == 64
    assert verified(bounce(message_id), sender, MAIL_BOUNCE_ADDRESS=longest)


@pytest.mark.parametrize("keys", [{}, {"SECRET_KEY": ""}, {"SECRET_KEY_FALLBACKS": [KEY]}])
def test_no_secret_key(keys: t.Any) -> None:
    """Without a SECRET_KEY, a message that needs it is an error that says what to set."""
    app, mail = mail_of(**{"SECRET_KEY": None, **keys})
    sender, message_id = sent(letter(ANN))

    with app.app_context():
        with pytest.raises(ConfigurationError, match="BOUNCE_ADDRESS needs the app's SECRET_KEY"):
            mail.send(letter(ANN))
        with pytest.raises(ConfigurationError, match="SECRET_KEY"):
            mail.handle_notification(bounce(message_id), recipient=sender)
        mail.send(letter(ANN, envelope_sender="shop@example.com"))
        (event,) = mail.handle_notification(bounce(message_id))
    assert not event.verified


def test_a_handler_without_an_app() -> None:
    """A handler that belongs to no app has no key."""
    handler = SMTPEmailHandler(bounce_address="bounces@example.com", default_from="a@example.com")

    with pytest.raises(ConfigurationError, match="bounce_address= needs the app's SECRET_KEY"):
        handler.send([letter(ANN)])


def test_a_key_that_is_set_later() -> None:
    """The key is read when it is needed, as bytes or text."""
    app, mail = mail_of(SECRET_KEY=None)
    app.config["SECRET_KEY"] = KEY.encode()
    message = letter(ANN)
    with app.app_context(), mail.capture() as outbox:
        mail.send(message)

    assert outbox[0].envelope.sender == sent(message)[0]


# What is verified


@pytest.mark.parametrize(
    "header",
    [
        "Delivered-To: {}\n",
        "X-Original-To: {}\n",
        "To: <{}>\n",
        "X: 1\nTo: other@example.com,\n {}\n",
        "Received: from mx.example.net\n\tby mx.example.com for <{}>\n",
    ],
)
def test_the_header(header: str) -> None:
    """An event is verified if any field of the header names the signed address."""
    sender, message_id = sent(letter(ANN))

    assert verified(bounce(message_id, header=header.format(sender)))
    assert verified(bounce(message_id, header=header.format(sender)).replace(b"\n", b"\r\n"))
    assert not verified(bounce(message_id, header=header.format("bounces@example.com")))


@pytest.mark.parametrize("change", [str.upper, str.title, str.swapcase])
def test_another_case(change: t.Callable[[str], str]) -> None:
    """The case of the address and of the recipient does not matter."""
    sender, message_id = sent(letter("Ann@example.org"))

    assert verified(bounce(message_id, "aNN@example.org"), change(sender))


def test_without_a_message_id() -> None:
    """A notification does not have to name the Message-ID."""
    sender, _ = sent(letter(ANN))

    assert verified(bounce(""), sender)


def test_a_message_id_of_the_app() -> None:
    """A Message-ID that the app chose is proven by its hash."""
    message = letter(ANN, message_id="<order-17@shop.example>")
    sender, message_id = sent(message)

    assert verified(bounce(message_id), sender)
    assert not verified(bounce("<order-18@shop.example>"), sender)


def test_email_message() -> None:
    """An EmailMessage is sent with such an address too."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", ANN, "Hi"
    message.set_content("Hello")
    sender, message_id = sent(message)

    assert re.fullmatch(SIGNED, sender)
    assert verified(bounce(message_id), sender)


def test_forgeries() -> None:
    """A changed address, another key, another message and another recipient are not verified."""
    sender, message_id = sent(letter(ANN))
    _, other_id = sent(letter(ANN))
    local, _, domain = sender.partition("@")
    last = "b" if local[-2] == "a" else "a"

    assert verified(bounce(message_id), sender)
    assert not verified(bounce(message_id), f"{local[:-2]}{last}{local[-1]}@{domain}")
    assert not verified(bounce(message_id), f"{local[:-1]}@{domain}")
    assert not verified(bounce(message_id), f"{local}a@{domain}")
    assert not verified(bounce(message_id), f"x{sender}")
    assert not verified(bounce(message_id), f"{sender}.example")
    assert not verified(bounce(message_id), f"{local}@example.net")
    assert not verified(bounce(message_id), sender, SECRET_KEY="another")
    assert not verified(bounce(other_id), sender)
    assert not verified(bounce(message_id, BOB), sender)
    assert not verified(bounce(message_id) + sender.encode())
    assert not verified(bounce(f"{message_id}\nTo: {sender}"))


def test_several_recipients() -> None:
    """One of several recipients could write a bounce for another, so none is verified. An archive
    of the account does not count."""
    sender, message_id = sent(letter(ANN, BOB))
    archived, archived_id = sent(letter(ANN), MAIL_DEFAULT_BCC="archive@example.com")

    assert not verified(bounce(message_id), sender)
    assert not verified(bounce(message_id, BOB), sender)
    assert verified(bounce(archived_id), archived)
    assert not verified(bounce(archived_id, "archive@example.com"), archived)


def test_keys_that_were_changed() -> None:
    """An address stays valid while its key is one of the fallbacks."""
    sender, message_id = sent(letter(ANN))

    assert verified(
        bounce(message_id), sender, SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", KEY]
    )
    assert not verified(
        bounce(message_id), sender, SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older"]
    )


def test_only_the_recipient_that_fits() -> None:
    """Of the events of one notification, only the one of the recipient is verified."""
    sender, message_id = sent(letter(ANN))
    octets = bounce(message_id).replace(
        b"Final", b"Final-Recipient: rfc822; bob@example.org\nAction: failed\n\nFinal"
    )
    app, mail = mail_of()

    with app.app_context():
        events = mail.handle_notification(octets, recipient=sender)

    assert {str(event.recipient): event.verified for event in events} == {ANN: True, BOB: False}


def test_many_addresses() -> None:
    """Only the first addresses of this kind are tried, so that a forged header costs little."""
    forged = [
        f"bounces+{base64.b32encode(b'%026d' % n).decode()[:42]}@example.com" for n in range(999)
    ]
    sender, message_id = sent(letter(ANN))
    fields = [f"To: {one}\n" for one in forged]

    assert verified(bounce(message_id, header="".join([f"To: {sender}\n", *fields])))
    assert verified(bounce(message_id, header="".join([*fields[:19], f"To: {sender}\n"])))
    assert not verified(bounce(message_id, header="".join([*fields, f"To: {sender}\n"])))
