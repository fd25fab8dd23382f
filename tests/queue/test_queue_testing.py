"""Sending later in the tests of an app: into the outbox at once."""

from __future__ import annotations

import contextlib
import datetime
import email
import typing as t

import pytest

from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import message_queued
from flask_mailhandler import message_sent
from flask_mailhandler import MessageError
from flask_mailhandler import SMTPServer
from queueing import shop
from sending import letter
from sending import letters
from sending import Scripted

if t.TYPE_CHECKING:
    from pathlib import Path


def test_it_is_in_the_outbox_at_once(tmp_path: Path) -> None:
    """With TESTING, a message that is sent later is captured at once and marked, and no file is
    created."""
    with shop(tmp_path, TESTING=True) as here:
        ticket = here.mail.send_later(letter(subject="Later"), delay=3600)
        here.mail.send(letter(subject="Now"))

        handler = here.mail.handler
        assert isinstance(handler, MemoryEmailHandler)
        later, now = handler.outbox
        assert (later.queued, now.queued) == (True, False)
        assert repr(later) == "<Captured 'Later' to b@example.com queued>"
        assert later.message_id == ticket.message_id
        assert [*tmp_path.iterdir()] == []


def test_a_capture(tmp_path: Path) -> None:
    """A captured message has its account, its key and its due time. A key is one message."""
    with shop(tmp_path, MAIL_ACCOUNTS={"news": {}}) as here, here.mail.capture() as outbox:
        at = datetime.datetime(2031, 5, 17, 12, 0, tzinfo=datetime.UTC)
        first = here.mail.send_later(letter(), key="k", using="news", at=at)
        again = here.mail.send_later(letter(), key="k", using="news")
        other = here.mail.send_later(letter(), key="k")

        assert (again.created, again.message_id) == (False, first.message_id)
        assert (other.created, len(outbox)) == (True, 2)
        assert (outbox[0].using, outbox[0].key, outbox[0].queued) == ("news", "k", True)
        date = email.message_from_bytes(bytes(outbox[0].content))["Date"]
        assert email.utils.parsedate_to_datetime(date) == at
        assert isinstance(outbox[0].message, Message)
        assert outbox[0].message.date == at


def test_many(tmp_path: Path) -> None:
    """send_later_each captures too, lazily."""
    with shop(tmp_path, TESTING=True) as here, here.mail.capture() as outbox:
        tickets = here.mail.send_later_each(letters(3))
        assert outbox == []

        assert [ticket.created for ticket in tickets] == [True] * 3
        assert len(outbox) == 3


def test_what_the_queue_would_refuse(tmp_path: Path) -> None:
    """A message that the queue would refuse fails in a test too."""
    with shop(tmp_path, TESTING=True, MAIL_QUEUE_MAX_SIZE="1kB") as here:
        with pytest.raises(MessageError, match="MAIL_QUEUE_MAX_SIZE"):
            here.mail.send_later(letter(text="x\n" * 1000))
        with pytest.raises(MessageError, match="delay="):
            here.mail.send_later(letter(), delay=-1)


def test_what_is_stopped(tmp_path: Path) -> None:
    """A message that a before_send function stops is not captured, and is not an error."""
    with shop(tmp_path, TESTING=True) as here, here.mail.capture() as outbox:
        here.mail.before_send(lambda message: None)
        here.mail.send_later(letter())

        assert outbox == []


def test_signals(tmp_path: Path) -> None:
    """A test sees the signals that the app would see."""
    told = []

    def queued(sender: object, **facts: t.Any) -> None:
        told.append(("queued", facts["ticket"].message_id))

    def sent(sender: object, **facts: t.Any) -> None:
        told.append(("sent", facts["report"].message_id))

    with shop(tmp_path, TESTING=True) as here:
        message_queued.connect(queued, here.app)
        message_sent.connect(sent, here.app)
        ticket = here.mail.send_later(letter())

        assert told == [("queued", ticket.message_id), ("sent", ticket.message_id)]


def test_the_real_queue(tmp_path: Path) -> None:
    """With MAIL_TESTING_QUEUE = "configured" there is a queue, and the mail that it sends is
    captured."""
    with (
        shop(tmp_path, TESTING=True, MAIL_TESTING_QUEUE="configured") as here,
        here.mail.capture() as outbox,
    ):
        here.mail.send_later(letter(subject="Hi").replace(bcc="c@example.com"))
        assert (outbox, here.states) == ([], ["waiting"])
        here.queue.run_once()

        (captured,) = outbox
        assert captured.queued
        assert captured.subject == "Hi"
        assert captured.bcc == ["c@example.com"]
        assert here.states == ["sent"]


def test_another_handler_of_tests(tmp_path: Path, scripted: Scripted) -> None:
    """With MAIL_TESTING_HANDLER = "configured" the message is sent at once."""
    server = scripted()
    with shop(tmp_path, server, TESTING=True, MAIL_TESTING_HANDLER="configured") as here:
        assert here.mail.send_later(letter(), delay=3600).created

    assert len(server.accepted) == 1


@pytest.mark.parametrize("way", ["configured", "server"])
def test_a_key_over_the_wire(way: str, tmp_path: Path, scripted: Scripted) -> None:
    """A key is one message of its account, also if a test sends it to a server."""
    server = scripted()
    keys = {"TESTING": True, "MAIL_TESTING_HANDLER": "configured", "MAIL_ACCOUNTS": {"news": {}}}
    with shop(tmp_path, server, **keys) as here, SMTPServer() as wire:
        captured = here.mail.capture(server=wire) if way == "server" else contextlib.nullcontext()
        with captured:
            first = here.mail.send_later(letter(), key="k")
            again, *_ = here.mail.send_later_each([letter()], key=lambda _: "k")
            others = [
                here.mail.send_later(letter(), key="k", using="news"),
                here.mail.send_later(letter(), key="l"),
                here.mail.send_later(letter()),
                here.mail.send_later(letter()),
            ]
        number = len(wire.outbox) if way == "server" else len(server.accepted)

        assert (first.created, again.created) == (True, False)
        assert again.message_id == first.message_id
        assert [other.created for other in others] == [True] * 4
        assert number == 5


def test_a_key_of_the_next_test(tmp_path: Path) -> None:
    """Each server is a test of its own: a message that was sent to one is not known at the next."""
    with shop(tmp_path, TESTING=True) as here:
        for _ in range(2):
            with SMTPServer() as wire, here.mail.capture(server=wire):
                assert here.mail.send_later(letter(), key="k").created
                assert len(wire.outbox) == 1
