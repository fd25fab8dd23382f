"""Bounces that a real Postfix has written."""

from __future__ import annotations

import smtplib
import typing as t
import uuid

import pytest
from flask import Flask

from flask_mailhandler import Event
from flask_mailhandler import EventKind
from flask_mailhandler import Mail
from flask_mailhandler import Message
from flask_mailhandler import Severity
from flask_mailhandler import SMTPEmailHandler
from servers.waiting import until

if t.TYPE_CHECKING:
    from pathlib import Path

    from servers.postfix import Postfix

pytestmark = pytest.mark.services


def bounce_of(
    postfix: Postfix,
    recipients: t.Sequence[str],
    *,
    mail: t.Sequence[str] = (),
    rcpt: t.Sequence[str] = (),
) -> tuple[str, list[Event]]:
    """Send a message with smtplib. Return its Message-ID, and the events of its notification."""
    mark = uuid.uuid4().hex
    message_id, sender = f"<{mark}@shop.example>", f"s{mark}@example.com"
    content = (
        f"From: Shop <{sender}>\r\nTo: Ann <ann@status.example>\r\nMessage-ID: {message_id}\r\n"
        "Subject: Hi\r\n\r\nHello\r\n"
    )
    with smtplib.SMTP(postfix.host, postfix.ports["plain"]) as server:
        server.ehlo("client.example")
        server.mail(sender, [*mail])
        for recipient in recipients:
            assert server.docmd("RCPT", " ".join((f"TO:<{recipient}>", *rcpt)))[0] == 250
        assert server.data(content)[0] == 250

    def told() -> bool:
        postfix.flush()  # a notification of a delay is written by a later attempt
        return any(copy.recipient == sender for copy in postfix.delivered())

    until(told, 90, f"a notification for {sender}")
    (copy,) = postfix.wait_for(lambda copy: copy.recipient == sender)
    return message_id, Event.parse(copy.octets)


def test_several_recipients(postfix: Postfix) -> None:
    """Each recipient has an event with its own status."""
    message_id, events = bounce_of(
        postfix, ["5-1-1@status.example", "5-2-2@status.example", "5-7-1@status.example"]
    )

    assert [(event.kind, event.recipient, event.status, event.severity) for event in events] == [
        ("bounced", "5-1-1@status.example", "5.1.1", Severity.HARD),
        ("bounced", "5-2-2@status.example", "5.2.2", Severity.SOFT),
        ("bounced", "5-7-1@status.example", "5.7.1", Severity.BLOCKED),
    ]
    assert {event.message_id for event in events} == {message_id}
    assert events[0].code == 550
    assert "The status is 5.1.1" in events[0].reason
    assert all(event.time and event.time.tzinfo for event in events)


@pytest.mark.parametrize("returned", ["RET=HDRS", "RET=FULL"])
def test_the_envelope_id(returned: str, postfix: Postfix) -> None:
    """The ENVID comes back decoded, and the recipient is the one that the sender named."""
    message_id, (event,) = bounce_of(
        postfix,
        ["5-1-1@status.example"],
        mail=[returned, "ENVID=17+2Bx"],
        rcpt=["NOTIFY=FAILURE", "ORCPT=rfc822;Ann+2Bnews@shop.example"],
    )

    assert (event.envelope_id, event.message_id) == ("17+x", message_id)
    assert event.recipient == "Ann+news@shop.example"


def test_success(postfix: Postfix) -> None:
    """A notification of success has no severity."""
    message_id, (event,) = bounce_of(postfix, ["ann@example.com"], rcpt=["NOTIFY=SUCCESS"])

    assert (event.kind, event.recipient) == (EventKind.DELIVERED, "ann@example.com")
    assert (event.message_id, event.severity, event.code) == (message_id, None, None)
    assert event.status == "2.0.0"


BOUNCES: dict[str, tuple[str, str, EventKind, str, Severity | None]] = {
    "too large": ("5-3-4@status.example", "FAILURE", EventKind.BOUNCED, "5.3.4", Severity.BLOCKED),
    "an alias": ("alias@example.com", "FAILURE", EventKind.BOUNCED, "5.1.1", Severity.HARD),
    "late": ("4-2-2@status.example", "DELAY", EventKind.DEFERRED, "4.2.2", Severity.SOFT),
    "relayed": ("ann@relayed.example", "SUCCESS", EventKind.DELIVERED, "2.0.0", None),
    "a list": ("both@example.com", "SUCCESS", EventKind.DELIVERED, "2.0.0", None),
}


@pytest.mark.parametrize("name", BOUNCES)
def test_other_notifications(name: str, postfix: Postfix) -> None:
    """Each names the recipient as the sender wrote it, the Message-ID and the envelope id."""
    recipient, notify, kind, status, severity = BOUNCES[name]

    message_id, (event,) = bounce_of(
        postfix,
        [recipient],
        mail=["ENVID=17"],
        rcpt=[f"NOTIFY={notify}", f"ORCPT=rfc822;{recipient}"],
    )

    assert (event.kind, event.recipient, event.status) == (kind, recipient, status)
    assert (event.severity, event.message_id, event.envelope_id) == (severity, message_id, "17")


def test_internationalized(postfix: Postfix) -> None:
    """With SMTPUTF8, Postfix writes the notification in the form of RFC 6533."""
    message_id, (event,) = bounce_of(
        postfix, ["5-1-1@status.example"], mail=["SMTPUTF8", "BODY=8BITMIME"]
    )

    assert b"message/global-delivery-status" in event.raw
    assert (event.recipient, event.status) == ("5-1-1@status.example", "5.1.1")
    assert event.message_id == message_id


@pytest.mark.parametrize(
    ("recipient", "events"),
    [
        ("5-1-1@status.example", [(EventKind.BOUNCED, "5.1.1")]),
        ("ann+news@example.com", [(EventKind.DELIVERED, "2.0.0")]),
        ("jörg@example.com", [(EventKind.DELIVERED, "2.0.0")]),
    ],
)
def test_what_a_message_asks_for(
    recipient: str, events: list[tuple[EventKind, str]], postfix: Postfix
) -> None:
    """The notification that a message asks for names the recipient and the envelope id."""
    sender = f"s{uuid.uuid4().hex}@example.com"
    message = Message(
        subject="Hi",
        text="Hello",
        from_addr=sender,
        to=recipient,
        dsn_notify=["failure", "success"],
        dsn_return="headers",
    )

    (report,) = SMTPEmailHandler(host=postfix.host, port=postfix.ports["plain"]).send([message])
    (copy,) = postfix.wait_for(lambda copy: copy.recipient == sender)
    found = Event.parse(copy.octets)

    assert report.ok
    assert [(event.kind, event.status) for event in found] == events
    assert [(event.recipient, event.message_id) for event in found] == [
        (recipient, message.message_id)
    ]
    assert f"<{found[0].envelope_id}@example.com>" == message.message_id


def test_never(postfix: Postfix) -> None:
    """A message that asks for no notification gets none, and the one after it gets its own."""
    sender = f"s{uuid.uuid4().hex}@example.com"
    silent = Message(
        subject="Hi", text="Hello", from_addr=sender, to="5-1-1@status.example", dsn_notify="never"
    )

    loud = silent.replace(dsn_notify="failure")

    SMTPEmailHandler(host=postfix.host, port=postfix.ports["plain"]).send([silent, loud])
    copies = postfix.wait_for(lambda copy: copy.recipient == sender)

    assert [event.message_id for copy in copies for event in Event.parse(copy.octets)] == [
        loud.message_id
    ]


@pytest.mark.parametrize("queued", [False, True])
def test_a_verified_bounce(queued: bool, postfix: Postfix, tmp_path: Path) -> None:
    """A bounce that comes back to the signed envelope sender is verified, of queued mail too."""
    app = Flask("shop", instance_path=str(tmp_path))
    app.config.update(
        SECRET_KEY=uuid.uuid4().hex,
        MAIL_URL=f"smtp://{postfix.host}:{postfix.ports['plain']}",
        MAIL_BOUNCE_ADDRESS="bounces@example.com",
        MAIL_QUEUE_ENGINE="none",
    )
    mail = Mail(app, cli=None)
    message = Message(
        subject="Hi", text="Hello", from_addr="shop@example.com", to="5-1-1@status.example"
    )

    with app.app_context():
        if queued:
            mail.send_later(message)
            mail.queue.run_once()
            mail.queue.close()
        else:
            mail.send(message)
        (copy,) = postfix.wait_for(lambda copy: str(message.message_id) in str(copy.message))
        (event,) = mail.handle_notification(copy.octets)

    assert copy.recipient.startswith("bounces+")
    assert (event.kind, event.status) == (EventKind.BOUNCED, "5.1.1")
    assert event.message_id == message.message_id
    assert event.verified
