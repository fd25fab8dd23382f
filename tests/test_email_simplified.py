"""What code for Email-Simplified relies on, written as docs/migrating.rst says."""

from __future__ import annotations

import typing as t
from email.headerregistry import Address as TheirAddress

import pytest

from flask_mailhandler import Address
from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler import SMTPServer
from servers.dead_ends import closed_port

TO = [f"ann{n}@example.com" for n in range(10)]


def handler(server: SMTPServer, **options: t.Any) -> SMTPEmailHandler:
    values = {"host": "127.0.0.1", "port": server.port, "default_from": "shop@example.com"}
    return SMTPEmailHandler.from_config({**values, **options, "not_an_option": True})


def test_what_is_sent() -> None:
    """A handler sends messages of both kinds, in groups of recipients, and changes neither; for no
    messages, it opens no connection."""
    with closed_port() as port:
        assert SMTPEmailHandler(host="127.0.0.1", port=port).send([]) == []
    message = Message(subject="Hi", text="Hello", bcc=TO)
    theirs = Message(subject="Ho", text="Hello", to=TO[:1], from_addr="ann@example.com").to_mime()
    with SMTPServer() as server:
        sends = handler(server, recipients_per_message=4)
        reports = sends.send([message, theirs])

    assert [report.ok for report in reports] == [True, True]
    assert [len(sent.envelope.recipients) for sent in server.outbox] == [4, 4, 2, 1]
    assert [str(sent.from_addr) for sent in server.outbox][2:] == [
        "shop@example.com",
        "ann@example.com",
    ]
    assert message.from_addr is None


ADDRESSES: dict[str, tuple[t.Any, str]] = {
    "a text": ("a@a.test", "a@a.test"),
    "an IDN": ("あ@あ.test", "あ@xn--l8j.test"),
    "a name": ("A <a@a.test>", "A <a@a.test>"),
    "the standard library's": (TheirAddress("A", "a", "a.test"), "A <a@a.test>"),
    "the standard library's with an IDN": (
        TheirAddress(username="あ", domain="あ.test"),
        "あ@xn--l8j.test",
    ),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_addresses(name: str) -> None:
    """Each field takes the addresses that Email-Simplified takes, and a changed copy takes the
    place of a changed list."""
    given, formatted = ADDRESSES[name]
    message = Message(from_addr=given, reply_to=given, to=[given], cc=[given], bcc=[given])

    assert message.from_addr is not None and message.from_addr.formatted == formatted
    for found in (message.reply_to, message.to, message.cc, message.bcc):
        assert [address.formatted for address in found] == [formatted]
    longer = message.replace(to=[*message.to, "b@a.test"], from_addr=None, cc=[])
    assert longer.to == [Address(given), "b@a.test"]
    assert (longer.from_addr, longer.cc) == (None, ())
    assert longer.to.index("b@a.test") == 1


def test_a_message_is_written_and_read() -> None:
    """Text, HTML, attachments and images are the same again."""
    message = Message(
        text="a\n",
        html="<p>b</p>\n",
        attachments=[Attachment("null", filename="a.json")],
        inline_attachments=[Attachment(b"null", filename="b.json")],
    )

    again = Message.from_mime(message.to_mime())

    assert (again.text.strip(), again.html.strip()) == ("a", "<p>b</p>")
    assert [found.filename for found in again.attachments] == ["a.json"]
    assert [found.mimetype for found in again.inline_attachments] == ["application/json"]
