"""Events of an app with a queue: stored first, told then, and counted once."""

from __future__ import annotations

import contextlib
import multiprocessing
import sqlite3
import typing as t

import pytest
from flask import Flask

from flask_mailhandler import Event
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import message_bounced
from flask_mailhandler import QueueError
from flask_mailhandler.queue.events import telling

if t.TYPE_CHECKING:
    from pathlib import Path


BOUNCE = """\
From: MAILER-DAEMON@mx.example.net
Date: Sun, 29 Nov 2026 12:00:00 +0000
Content-Type: multipart/report; boundary="b"

--b
Content-Type: message/delivery-status

Original-Envelope-Id: {envelope_id}

Final-Recipient: rfc822; ann@example.org
Action: failed
Status: 5.1.1

--b
Content-Type: text/rfc822-headers

{field}

--b--
"""


def bounce(message_id: str = "", envelope_id: str = "") -> bytes:
    """A bounce about a message."""
    field = f"Message-ID: {message_id}" if message_id else "Subject: Hi"
    return BOUNCE.format(field=field, envelope_id=envelope_id).encode()


def app_in(folder: Path, **keys: t.Any) -> tuple[Flask, Mail]:
    """An app whose queue is a file."""
    app = Flask("shop", instance_path=str(folder))
    app.config.update(
        MAIL_QUEUE="q.sqlite", MAIL_QUEUE_ENGINE="none", MAIL_DEFAULT_FROM="shop@example.com"
    )
    app.config.update(keys)
    return app, Mail(app)


@pytest.fixture
def shop(tmp_path: Path) -> t.Iterator[Mail]:
    """The Mail of an app whose queue is a file, in its context."""
    app, mail = app_in(tmp_path)
    with app.app_context():
        yield mail
        mail.queue.close()


def test_once(shop: Mail) -> None:
    """A notification that is read again, or in another copy, tells nothing."""
    heard: list[Event] = []
    shop.on_event()(heard.append)
    signals: list[Event] = []

    def receive(app: Flask, event: Event) -> None:
        signals.append(event)

    with message_bounced.connected_to(receive):
        first = shop.handle_notification(bounce("<1@example.com>"))
        again = shop.handle_notification(b"Received: again\n" + bounce("<1@example.com>"))
        other = shop.handle_notification(bounce("<2@example.com>"))

    assert heard == signals == first + other
    assert again == []


@pytest.mark.parametrize("by", ["message_id", "envelope_id"])
def test_the_account_and_the_tags(shop: Mail, by: str) -> None:
    """An event has those of the message in the queue. It is found by either id."""
    message = Message(subject="Hi", text="Hello", to="ann@example.org", tags=["welcome", "eu"])
    message = message.replace(metadata={"order": "17"})
    ticket = shop.send_later(message)
    shop.send_later(message.replace(tags=[], message_id=None))
    left = ticket.message_id[1:].partition("@")[0]
    given = {"message_id": ticket.message_id} if by == "message_id" else {"envelope_id": left}

    (event,) = shop.handle_notification(bounce(**given))

    assert (event.account, event.tags, event.verified) == ("default", ("welcome", "eu"), False)
    assert event.message_id == ticket.message_id
    assert event.metadata == {"order": "17"}
    row = shop.queue.get(ticket.id)
    assert row is not None
    assert shop.queue.events(row) == [event]


def test_without_a_queue(tmp_path: Path) -> None:
    """An app that has queued no mail, and names no place for it, is told each time."""
    app, mail = app_in(tmp_path, MAIL_QUEUE=None)
    heard: list[Event] = []
    mail.on_event()(heard.append)
    with app.app_context():
        for _ in range(2):
            assert len(mail.handle_notification(bounce("<1@example.com>"))) == 1
        assert [*tmp_path.iterdir()] == []
        mail.send_later(Message(subject="Hi", text="Hello", to="ann@example.org"))
        found = [mail.handle_notification(bounce("<1@example.com>")) for _ in range(2)]
        mail.queue.close()

    assert [*map(len, found)] == [1, 0]
    assert len(heard) == 3


def test_a_store_that_fails(shop: Mail, tmp_path: Path) -> None:
    """Nothing is told if the events cannot be stored, so a mail server may try again."""
    heard: list[Event] = []
    shop.on_event()(heard.append)
    (tmp_path / "q.sqlite").write_bytes(b"not a database" * 100)

    with pytest.raises(QueueError, match=r"q\.sqlite"):
        shop.handle_notification(bounce("<1@example.com>"))
    assert heard == []

    (tmp_path / "q.sqlite").unlink()
    assert len(shop.handle_notification(bounce("<1@example.com>"))) == len(heard) == 1


class Killed(BaseException):
    """What ends a process in the middle of a call."""


def died() -> None:
    raise Killed


@pytest.mark.parametrize("by", ["the next notification", "a worker"])
def test_a_process_that_dies(shop: Mail, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """Events that were stored, and not told, are told by another process."""
    heard: list[str] = []

    @shop.on_event()
    def note(event: Event) -> None:
        if not heard:
            heard.append("killed")
            raise Killed
        heard.append(event.message_id)

    with pytest.raises(Killed):
        shop.handle_notification(bounce("<1@example.com>"))
    assert shop.handle_notification(bounce("<1@example.com>")) == []
    assert heard == ["killed"]  # the other process may still be telling it

    history = shop.queue.store.history
    later = history.now() + telling.TELLING + 1
    monkeypatch.setattr(type(history), "now", lambda self: later)
    if by == "a worker":
        worker = shop.queue.worker()
        worker.upkeep.sweep(idle=True)
    else:
        shop.handle_notification(bounce("<2@example.com>"))
        heard.remove("<2@example.com>")

    assert heard == ["killed", "<1@example.com>"]


def test_an_event_that_cannot_be_read(
    shop: Mail, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that a later release wrote, or that is damaged, hides no other event."""
    shop.on_event()(lambda event: died())
    for number in (1, 2, 3):
        with pytest.raises(Killed):
            shop.handle_notification(bounce(f"<{number}@example.com>"))
    with contextlib.closing(sqlite3.connect(tmp_path / "q.sqlite")) as file, file:
        file.execute("UPDATE mail_queue_event SET untold = 1")
        for number, facts in (1, '{"kind": "exploded", "recipient": null}'), (2, "[]"):
            change = "UPDATE mail_queue_event SET facts = ? WHERE id = ?"
            file.execute(change, (facts, number))
    other, mail = app_in(tmp_path)
    heard: list[str] = []
    mail.on_event()(lambda event: heard.append(event.message_id))

    with other.app_context():
        assert len(mail.handle_notification(bounce("<4@example.com>"))) == 1
        mail.queue.close()

    assert heard == ["<4@example.com>", "<3@example.com>"]
    assert caplog.text.count("cannot be read") == 2


def test_a_store_that_fails_then(shop: Mail, caplog: pytest.LogCaptureFixture) -> None:
    """If the store fails after the app was told, the mail server hears of success, also if the
    app could not be told of earlier events."""
    history: t.Any = shop.queue.store.history

    @shop.on_event()
    def note(event: Event) -> None:
        def fail(*args: object) -> None:
            raise QueueError("The disk is full.")

        history.take_untold = fail

    assert len(shop.handle_notification(bounce("<1@example.com>"))) == 1
    assert "told later: The disk is full." in caplog.text


def test_old_events(shop: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker deletes events after MAIL_QUEUE_KEEP."""
    shop.handle_notification(bounce("<1@example.com>"))
    history = shop.queue.store.history
    later = history.now() + shop.queue.settings.queue_keep + 1
    monkeypatch.setattr(type(history), "now", lambda self: later)

    shop.queue.worker().upkeep.sweep(idle=True)

    assert len(shop.handle_notification(bounce("<1@example.com>"))) == 1


def _read(folder: Path, barrier: t.Any, told: t.Any) -> None:
    app, mail = app_in(folder)
    mail.on_event()(lambda event: told.put(event.message_id))
    with app.app_context():
        for number in range(10):
            barrier.wait(60)
            mail.handle_notification(bounce(f"<{number}@example.com>"))
        mail.queue.close()
    told.put(None)


def test_two_processes(tmp_path: Path) -> None:
    """Of two processes that read the same notification at the same time, one tells the app."""
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(2), context.Queue()
    readers = [context.Process(target=_read, args=(tmp_path, barrier, told)) for _ in range(2)]
    for reader in readers:
        reader.start()
    heard: list[str | None] = []
    while heard.count(None) < 2:
        heard.append(told.get(timeout=120))
    for reader in readers:
        reader.join(60)

    assert [reader.exitcode for reader in readers] == [0, 0]
    assert sorted(filter(None, heard)) == [f"<{number}@example.com>" for number in range(10)]


def test_a_flood_of_recipients(shop: Mail) -> None:
    """A notification that names one address a thousand times is one event."""
    status = "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n\n"
    octets = bounce("<1@example.com>").replace(
        b"\n\n--b\nContent-Type: text", b"\n\n%s--b\nContent-Type: text" % (status.encode() * 3000)
    )

    assert len(shop.handle_notification(octets)) == 1


def test_an_error_while_it_is_marked(shop: Mail, caplog: pytest.LogCaptureFixture) -> None:
    """If the store fails after the app was told, that is logged, and the mail server hears of
    success."""
    history = shop.queue.store.history

    @shop.on_event()
    def note(event: Event) -> None:
        def fail(number: int) -> None:
            raise QueueError("The disk is full.")

        t.cast(t.Any, history).told = fail

    assert len(shop.handle_notification(bounce("<1@example.com>"))) == 1
    assert "may be told again: The disk is full." in caplog.text
