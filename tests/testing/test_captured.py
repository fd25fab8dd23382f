"""Captured messages read as they would have been sent, whichever class they are of."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from pathlib import Path

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import SMTPServer


def signed() -> MIMEMultipart:
    message = MIMEMultipart(
        "signed", "sep", protocol="application/pgp-signature", micalg="pgp-sha256"
    )
    message["From"] = "Shop <shop@example.com>"
    message["To"] = "Ann <ann@example.com>"
    message["Subject"] = "Signed"
    message["X-Tag"] = "yes"
    message.attach(MIMEText("See https://shop.example/1 now"))
    message.attach(MIMEApplication(b"sig", "pgp-signature"))
    return message


def hello(**fields: str) -> EmailMessage:
    message = EmailMessage()
    for name, value in {"To": "ann@example.com", "Subject": "Hello", **fields}.items():
        message[name.replace("_", "-")] = value
    message.set_content("Hello\n")
    return message


def test_a_signed_message() -> None:
    """An EmailMessage that a Message cannot represent can still be read."""
    handler = MemoryEmailHandler()

    handler.send([signed()])

    captured = handler.outbox.one(subject="Signed", to="ann@example.com", text="See https")
    assert captured.from_addr == "shop@example.com"
    assert captured.to == ["ann@example.com"]
    assert captured.to[0].name == "Ann"
    assert captured.cc == captured.bcc == captured.reply_to == []
    assert captured.html == ""
    assert captured.headers["X-Tag"] == "yes"
    assert [item.mimetype for item in captured.attachments] == ["application/pgp-signature"]
    assert captured.attachments[0].data == b"sig"
    assert captured.link("shop") == "https://shop.example/1"
    assert repr(captured) == "<Captured 'Signed' to ann@example.com>"


@pytest.mark.parametrize(
    "fields",
    [
        {"Resent_From": "bob@example.com", "Resent_To": "cid@example.com"},
        {"From": "a@example.com, b@example.com", "Sender": "a@example.com"},
        {"Cc": "Team: bob@example.com, cid@example.com;"},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_one_odd_message_among_others(fields: dict[str, str]) -> None:
    """No message breaks the outbox: others are found, and the error text lists all of them."""
    handler = MemoryEmailHandler(default_from="shop@example.com")
    handler.send([hello(**fields), hello(Subject="Other"), signed()])

    found = handler.outbox.one(subject="Other")

    assert found is handler.outbox[1]
    assert "Captured" in repr(handler.outbox)
    with pytest.raises(AssertionError, match="0 of 3 captured messages"):
        handler.outbox.one(to="nobody@example.com", text="x", html="y")
    odd = handler.outbox[0]
    assert all(getattr(odd, name) is not None for name in ("headers", "attachments", "links"))


def test_an_email_message_has_the_default_from() -> None:
    """A captured message has the defaults that the handler has filled in."""
    handler = MemoryEmailHandler(default_from="shop@example.com")

    handler.send([hello(Bcc="boss@example.com")])

    (captured,) = handler.outbox
    assert captured.from_addr == "shop@example.com"
    assert captured.bcc == ["boss@example.com"]
    assert captured.text == "Hello\n"


@pytest.mark.parametrize(
    ("message", "formatted"),
    [
        (hello(From="The Shop <shop@example.com>"), "The Shop <shop@example.com>"),
        (hello(From="shop@example.com"), "shop@example.com"),
        (
            Message(text="Hi", to="ann@example.com", from_addr=("Zoë", "zoe@example.com")),
            "Zoë <zoe@example.com>",
        ),
    ],
)
def test_the_sender_has_a_name(message: Message | EmailMessage, formatted: str) -> None:
    """The From compares as its address, and has the name too."""
    handler = MemoryEmailHandler()

    handler.send([message])

    sender = handler.outbox.one().from_addr
    assert sender.formatted == formatted
    assert sender == formatted.rpartition("<")[2].removesuffix(">")


def test_a_message_without_a_sender() -> None:
    """What a program sends to a test server need not have a From: it is empty then."""
    with SMTPServer() as server:
        with smtplib.SMTP("127.0.0.1", server.port, "localhost", timeout=60) as client:
            client.sendmail("a@example.com", ["ann@example.com"], b"Subject: x\r\n\r\nHello\r\n")

        sender = server.outbox.one().from_addr
    assert (sender, sender.name, sender.formatted) == ("", "", "")


def test_an_email_message_that_is_redirected() -> None:
    """A redirected message has the recipients to which it would have been sent."""
    handler = MemoryEmailHandler(default_from="shop@example.com", redirect_to="dev@example.com")

    handler.send([hello(Cc="bob@example.com", Bcc="boss@example.com")])

    (captured,) = handler.outbox
    assert captured.to == ["dev@example.com"]
    assert captured.cc == captured.bcc == []
    assert "ann@example.com" in captured.headers["X-Original-To"]


@pytest.mark.parametrize(
    "wanted",
    [
        "ann@exämple.com",
        "ann@xn--exmple-cua.com",
        "ann@EXÄMPLE.com",
        "Ann <ann@exämple.com>",
    ],
)
def test_asking_for_an_address(wanted: str) -> None:
    """An address is found in any valid spelling, not only in that of the envelope."""
    handler = MemoryEmailHandler()
    message = Message(text="x", from_addr="shop@example.com", to="Ann <ann@exämple.com>")

    handler.send([message])

    assert handler.outbox.find(to=wanted) == handler.outbox
    assert handler.outbox.find(to="Ann") == []


@pytest.fixture
def attached(tmp_path: Path) -> tuple[Path, Message]:
    path = tmp_path / "bill.txt"
    path.write_bytes(b"12 EUR")
    message = Message(
        text="x",
        from_addr="shop@example.com",
        to="ann@example.com",
        attachments=Attachment.from_path(path),
    )
    return path, message


def test_a_file_that_is_gone_afterwards(attached: tuple[Path, Message]) -> None:
    """A test can read an attached file after the app has deleted it."""
    path, message = attached
    handler = MemoryEmailHandler()

    handler.send([message])
    path.unlink()

    (captured,) = handler.outbox
    assert captured.attachments[0].data == b"12 EUR"
    assert captured.attachments[0].cid == message.attachments[0].cid
    assert captured.attachments[0].filename == "bill.txt"
    assert b"MTIgRVVS" in bytes(captured.content)
    assert captured.message_id == message.message_id
    assert isinstance(captured.message, Message)
    assert captured.message.message_id == message.message_id


def test_a_file_that_changed(attached: tuple[Path, Message]) -> None:
    """C-100: a message that SMTP would refuse while reading it is refused, and not captured."""
    path, message = attached
    handler = MemoryEmailHandler()
    path.write_bytes(b"1200000 EUR")

    (report,) = handler.send([message])

    assert report.refused == ["ann@example.com"]
    assert "has changed" in str(report.error)
    assert handler.outbox == []
