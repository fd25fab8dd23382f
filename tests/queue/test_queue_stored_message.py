"""A message that was stored as octets, and is read when one of its fields is used."""

from __future__ import annotations

import pickle
import typing as t
from email.message import EmailMessage

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import message_sent
from flask_mailhandler.queue.stored_message import StoredMessage
from queueing import shop
from sending import letter
from sending import Scripted

if t.TYPE_CHECKING:
    from pathlib import Path

OCTETS = (
    b"From: Ann <a@example.com>\r\nTo: b@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Message-ID: <1@example.com>\r\nDate: Fri, 20 Nov 2026 12:00:00 +0000\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello.\r\n"
)


def test_it_is_a_message() -> None:
    """It reads as the message that was written, with the recipients that no header names."""
    stored = StoredMessage.of(OCTETS, ["c@example.com"], {})

    assert isinstance(stored, Message)
    assert (stored.subject, stored.text, stored.message_id) == (
        "Grüße",
        "Hello.\n",
        "<1@example.com>",
    )
    assert stored.from_addr is not None
    assert stored.from_addr.formatted == "Ann <a@example.com>"
    assert stored.envelope().recipients == ["b@example.com", "c@example.com"]
    assert stored == StoredMessage.of(OCTETS, ["c@example.com"], {})


@pytest.mark.parametrize(
    "look",
    [
        lambda message: Message.from_dict(message.to_dict()),
        lambda message: message.replace(text="Hello.\n"),
        lambda message: message.completed(),
        lambda message: message.same_mail_as(message),
        lambda message: pickle.loads(pickle.dumps(message)),
        lambda message: Message.from_mime(message.to_mime()),
    ],
)
def test_whatever_is_done_first(look: t.Callable[[Message], Message]) -> None:
    """Whatever is done with it first, it is read."""
    assert look(StoredMessage.of(OCTETS, [], {})).subject == "Grüße"
    assert "Grüße" in repr(StoredMessage.of(OCTETS, [], {}))
    assert hash(StoredMessage.of(OCTETS, [], {})) == hash(StoredMessage.of(OCTETS, [], {}))


def test_no_default_is_filled_in() -> None:
    """If it is sent again it goes to its own recipients, whatever the defaults are."""
    handler = MemoryEmailHandler(default_cc="cc@example.com", default_bcc="archive@example.com")

    (report,) = handler.send([StoredMessage.of(OCTETS, [], {})])

    assert report.accepted == ["b@example.com"]


def test_nobody_reads_it_to_send_it() -> None:
    """A message whose fields are not used is never read."""
    stored = StoredMessage.of(b"\xff" * 10, [], {})

    assert "_unread" in object.__getattribute__(stored, "__dict__")


def test_what_a_receiver_sees(tmp_path: Path, scripted: Scripted) -> None:
    """A receiver of a signal sees text, HTML, images and attachments as they were written."""
    image = Attachment(b"\x89PNG", filename="logo.png")
    message = letter().replace(
        text="Dear Ann\n",
        html=f'<p>Hello Ann<img src="cid:{image.cid}">',
        inline_attachments=[image],
        attachments=[Attachment("a;b\n", filename="table.csv")],
        headers={"X-Order": "17"},
        reply_to="help@example.com",
    )
    seen: list[Message] = []

    def receive(sender: object, **facts: t.Any) -> None:
        seen.append(facts["message"])

    with shop(tmp_path, scripted()) as here:
        message_sent.connect(receive, here.app)
        here.mail.send_later(message)
        here.queue.run_once()

    (found,) = seen
    assert (found.text, found.html) == (message.text, message.html)
    assert [one.filename for one in found.attachments] == ["table.csv"]
    assert found.inline_attachments[0].data == b"\x89PNG"
    assert (found.headers["X-Order"], found.reply_to) == ("17", message.reply_to)


def test_a_foreign_one(tmp_path: Path, scripted: Scripted) -> None:
    """An EmailMessage stays one, and has a subject in the list of the queue."""
    server = scripted()
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@example.com", "b@example.com", "Grüße"
    message.set_content("x")
    with shop(tmp_path, server) as here:
        here.mail.send_later(message, delay=60)

        assert "Grüße" in here.rows[0].options
