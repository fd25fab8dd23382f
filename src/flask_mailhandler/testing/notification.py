"""Notifications about a captured message, as a mail server or a provider writes them."""

from __future__ import annotations

import datetime
import email.utils
import re
import secrets
import typing as t
from collections.abc import Sequence

from ..address import Address
from ..address import Addresses
from ..events.kinds import EventKind
from ..smtp.notifications import envelope_id
from .captured import Captured
from .criteria import Criterion
from .criteria import is_recipient

_LINE = "\r\n"


class Said(t.NamedTuple):
    """What a server says of a message, for each of its recipients."""

    action: str
    status: str
    code: int | None
    reason: str


_SAID = {
    EventKind.BOUNCED: Said("failed", "5.1.1", 550, "No such user"),
    EventKind.DEFERRED: Said("delayed", "4.4.1", None, "Connection timed out"),
    EventKind.DELIVERED: Said("delivered", "2.0.0", 250, "Delivered"),
}
_OTHER = {
    EventKind.UNSUBSCRIBED: "for this event, post to the link in List-Unsubscribe, as a mail"
    " program does",
    EventKind.SUBSCRIBED: "for this event, call what your page calls",
}
_OF_WEBHOOKS = "the webhooks of a provider have more kinds, if MAIL_WEBHOOK_SECRET is set"


def notification(
    kind: EventKind | str,
    captured: Captured,
    to: Criterion = None,
    status: str | None = None,
    code: int | None = None,
    reason: str | None = None,
) -> bytes:
    """Write a notification about a captured message; see :meth:`.Outbox.event`.

    :raises ValueError: if no notification says this. The error says what to write.
    """
    known = _kind(kind)
    recipients = recipients_of(captured, to)
    sender = str(captured.envelope.sender)
    if not sender:
        raise ValueError("The message has no envelope sender, so servers send no notification.")
    if known is EventKind.COMPLAINED:
        if (status, code, reason) != (None, None, None):
            raise ValueError("A complaint has no status, code or reason: leave them out.")
        parts = _complaint(captured, recipients)
        return _report(sender, "feedback-report", "Complaint about a message", parts)
    said = said_of(known, status, code, reason)
    assert said is not None
    parts = _status(captured, recipients, said)
    return _report(sender, "delivery-status", "Delivery Status Notification", parts)


def said_of(
    kind: EventKind, status: str | None, code: int | None, reason: str | None
) -> Said | None:
    """Return what a server says, checked; None if it says nothing of this kind.

    :raises ValueError: if no server can say it.
    """
    plain = _SAID.get(kind)
    if plain is None:
        return None
    said = Said(
        plain.action,
        plain.status if status is None else status,
        plain.code if code is None else code,
        plain.reason if reason is None else reason,
    )
    _check(said)
    return said


def recipients_of(captured: Captured, to: Criterion) -> Addresses:
    """Return the recipients of a captured message that a test means.

    :raises ValueError: if there is none.
    """
    if not isinstance(captured, Captured):
        raise ValueError(
            f"outbox.event() takes a captured message, such as outbox[0], not {captured!r:.60}."
        )
    found = Addresses(
        one for one in captured.envelope.recipients if to is None or is_recipient(one, to)
    )
    if not found:
        raise ValueError(f"The message has no such recipient; it went to {_names(captured)}.")
    return found


def _check(said: Said) -> None:
    """Check what a test lets the server say.

    :raises ValueError: if no server can say it.
    """
    # https://www.rfc-editor.org/rfc/rfc3463#section-2
    if not re.fullmatch(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", str(said.status)):
        raise ValueError(
            f"outbox.event(status={said.status!r}): write an enhanced status code of a server, such"
            " as '5.2.2'."
        )
    if said.code is not None and (type(said.code) is not int or not 200 <= said.code <= 599):
        raise ValueError(
            f"outbox.event(code={said.code!r}): write the reply code of a server, such as 552."
        )
    reason: object = said.reason  # a test need not be type-checked
    if not isinstance(reason, str) or len(reason.splitlines()) > 1:
        raise ValueError(f"outbox.event(reason={reason!r}): write what the server says, in a line.")


def _kind(kind: EventKind | str) -> EventKind:
    written = [*_SAID, EventKind.COMPLAINED]
    for known in written:
        if known == kind:
            return known
    names = ", ".join(repr(str(known)) for known in written)
    why = next((what for known, what in _OTHER.items() if known == kind), _OF_WEBHOOKS)
    raise ValueError(
        f"outbox.event({kind!r}, ...): no notification says this. Write one of {names}; {why}."
    )


def _names(captured: Captured) -> str:
    return ", ".join(map(str, captured.envelope.recipients))


def _status(captured: Captured, recipients: Sequence[Address], said: Said) -> list[str]:
    utf8 = not all(map(str.isascii, recipients))
    kind = "message/global-delivery-status" if utf8 else "message/delivery-status"
    address_type = "utf-8" if utf8 else "rfc822"
    reply = " ".join(filter(None, (str(said.code or ""), said.status, said.reason)))
    blocks = [["Reporting-MTA: dns; mx.example.net"]]
    if captured.message_id:
        blocks[0].append(f"Original-Envelope-Id: {envelope_id(captured.message_id)}")
    blocks += [
        [
            f"Final-Recipient: {address_type}; {str.__str__(recipient)}",
            f"Action: {said.action}",
            f"Status: {said.status}",
            f"Diagnostic-Code: smtp; {reply}",
        ]
        for recipient in recipients
    ]
    text = [f"<{str.__str__(recipient)}>: {reply}" for recipient in recipients]
    return [
        _part("text/plain; charset=utf-8", _LINE.join(text)),
        _part(kind, (_LINE * 2).join(map(_LINE.join, blocks))),
        _part("text/rfc822-headers", _header_of(captured)),
    ]


def _complaint(captured: Captured, recipients: Sequence[Address]) -> list[str]:
    fields = [
        "Feedback-Type: abuse",
        "User-Agent: example/1.0",
        "Version: 1",
        f"Original-Mail-From: <{captured.envelope.sender}>",
        *(f"Original-Rcpt-To: <{str.__str__(recipient)}>" for recipient in recipients),
    ]
    return [
        _part("text/plain", "This is a complaint about a message."),
        _part("message/feedback-report", _LINE.join(fields)),
        _part("text/rfc822-headers", _header_of(captured)),
    ]


def _part(media_type: str, body: str) -> str:
    return f"Content-Type: {media_type}{_LINE * 2}{body}{_LINE}"


def _header_of(captured: Captured) -> str:
    header = bytes(captured.content).partition(b"\r\n\r\n")[0]
    return header.decode("utf-8", "surrogateescape")


def _report(sender: str, kind: str, subject: str, parts: Sequence[str]) -> bytes:
    boundary = f"=_{secrets.token_hex(10)}"
    now = email.utils.format_datetime(datetime.datetime.now(datetime.UTC))
    fields = [
        "Return-Path: <>",
        f"Delivered-To: {sender}",
        "From: MAILER-DAEMON@mx.example.net",
        f"To: {sender}",
        f"Subject: {subject}",
        f"Date: {now}",
        f"Message-ID: {email.utils.make_msgid(domain='mx.example.net')}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={kind}; boundary="{boundary}"',
    ]
    lines = [*fields, ""]
    for part in parts:
        lines += [f"--{boundary}", part]
    text = _LINE.join([*lines, f"--{boundary}--", ""])
    return text.encode("utf-8", "surrogateescape")
