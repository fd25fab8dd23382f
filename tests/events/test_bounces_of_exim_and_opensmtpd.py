"""Notifications that a real Exim and a real OpenSMTPD have written."""

from __future__ import annotations

import smtplib
import typing as t
import uuid

import pytest

from flask_mailhandler import Event
from servers.waiting import until

if t.TYPE_CHECKING:
    from servers.exim import Exim
    from servers.opensmtpd import OpenSMTPD

pytestmark = pytest.mark.services


class Case(t.NamedTuple):
    """A message to one recipient, and the event of its notification."""

    to: str
    kind: str
    status: str
    code: int | None = None
    severity: str | None = None
    reason: str = ""
    mail: str = ""
    rcpt: str = ""
    recipient: str = ""
    """The recipient of the event, if it is another one."""
    envelope_id: str = ""


def case(words: str, reason: str = "", **more: str) -> Case:
    """Read ``unknown@status.example bounced 5.1.1 550 hard``."""
    to, kind, status, code, severity = (*words.split(), "", "")[:5]
    return Case(
        to, kind, status, int(code) if code.isdigit() else None, severity or None, reason, **more
    )


BOTH = {
    "unknown": case("unknown@status.example bounced 5.1.1 550 hard", "No such user here"),
    "over quota": case("over@status.example bounced 5.2.2 552 soft", "Over quota"),
    "too large": case("large@status.example bounced 5.3.4 552 blocked", "The message is too large"),
    "blocked": case("blocked@status.example bounced 5.7.1 550 blocked", "The sender is blocked"),
    "success": case("ann@example.com delivered 2.0.0", rcpt="NOTIFY=SUCCESS", mail="RET=HDRS"),
    "relayed": case("ok@status.example delivered 2.0.0", rcpt="NOTIFY=SUCCESS,FAILURE"),
    "headers": case(
        "unknown-b@status.example bounced 5.1.1 550 hard", "No such user here", mail="RET=HDRS"
    ),
}
EXIM = {
    **BOTH,
    "success": BOTH["success"]._replace(reason="relayed via non SMTP router"),
    "relayed": BOTH["relayed"]._replace(reason="Ok"),
    "full": case(
        "full@status.example bounced 4.2.2 452 soft",
        "The mailbox is full: retry timeout exceeded",
    ),
    "full here": case(
        "ann@full.example bounced 5.0.0 - soft", "mailbox is full: retry timeout exceeded"
    ),
    "no route": case("ann@nowhere.example bounced 5.0.0 - hard", "Unrouteable address"),
    "delayed": case("later@delayed.example deferred 4.2.0 450 soft", "Greylisted"),
    "alias": case("alias@alias.example bounced 5.1.1 550 hard", "No such user here"),
    "envelope id": case(
        "unknown-c@status.example bounced 5.1.1 550 hard",
        "No such user here",
        mail="ENVID=17+2Bx RET=FULL",
        rcpt="NOTIFY=FAILURE ORCPT=rfc822;Ann+2Bnews@shop.example",
        recipient="Ann+news@shop.example",
        envelope_id="17+x",
    ),
    "internationalized": case(
        "unknown-jörg@status.example bounced 5.1.1 550 hard",
        "No such user here",
        mail="SMTPUTF8 BODY=8BITMIME",
    ),
}
# It names neither the envelope id nor the recipient that an alias had.
OPENSMTPD = {
    **BOTH,
    "delayed": case("later@status.example deferred 4.2.0 450 soft", "Greylisted"),
    "alias": case(
        "alias@alias.example bounced 5.1.1 550 hard",
        "No such user here",
        mail="ENVID=17",
        rcpt="NOTIFY=FAILURE",
        recipient="unknown-alias@status.example",
    ),
}


def send(host: str, port: int, found: Case) -> str:
    """Send a message, and return its mark, which is in its sender and in its Message-ID."""
    mark = uuid.uuid4().hex
    content = (
        f"From: Shop <s{mark}@example.com>\r\nTo: Ann <ann@example.com>\r\n"
        f"Message-ID: <{mark}@shop.example>\r\nSubject: Hi\r\n\r\nHello\r\n"
    )
    with smtplib.SMTP(host, port) as client:
        client.ehlo("client.example")
        client.command_encoding = "utf-8"
        assert client.mail(f"s{mark}@example.com", found.mail.split())[0] == 250
        assert client.docmd("RCPT", f"TO:<{found.to}> {found.rcpt}".strip())[0] == 250
        assert client.data(content)[0] == 250
    return mark


class Row(t.NamedTuple):
    """What a notification says."""

    kind: str
    recipient: str
    status: str
    code: int | None
    severity: str | None
    reason: str
    envelope_id: str
    message_id: str


def expected(found: Case, mark: str) -> Row:
    recipient, message_id = found.recipient or found.to, f"<{mark}@shop.example>"
    what = found.status, found.code, found.severity, found.reason
    return Row(found.kind, recipient, *what, found.envelope_id, message_id)


def row_of(octets: bytes) -> Row:
    (event,) = Event.parse(octets)
    assert (event.time is not None, event.verified) == (True, False)
    what = event.status, event.code, event.severity, event.reason
    return Row(event.kind, event.recipient or "", *what, event.envelope_id, event.message_id)


# One test for each server, so that it is started once. It sends all messages, and waits then.


def test_exim(exim: Exim) -> None:
    """Each notification of Exim names kind, recipient, status, severity and the message."""
    marks = {name: send(exim.host, exim.port, found) for name, found in EXIM.items()}

    def notified(name: str) -> list[bytes]:
        delivered = exim.delivered(f"s{marks[name]}@example.com")
        if name == "delayed" and not delivered:
            exim.try_again()  # it tells of a delay of a second at a try after that
        return delivered

    found = {name: until(lambda: notified(name), 90, exim.log()) for name in EXIM}  # noqa: B023

    assert {name: [*map(row_of, octets)] for name, octets in found.items()} == {
        name: [expected(EXIM[name], marks[name])] for name in EXIM
    }


def test_opensmtpd(opensmtpd: OpenSMTPD) -> None:
    """Each notification of OpenSMTPD names kind, recipient, status, severity and the message. It
    says "delayed" of a message that it has given up, too: this event says "bounced"."""
    marks = {name: send(opensmtpd.host, opensmtpd.port, found) for name, found in OPENSMTPD.items()}

    def notified(name: str) -> list[bytes]:
        delivered = opensmtpd.delivered(f"s{marks[name]}@example.com")
        return delivered if len(delivered) > (name == "delayed") else []

    found = {
        name: until(lambda: notified(name), 90, opensmtpd.log())  # noqa: B023
        for name in OPENSMTPD
    }
    rows = {name: [*map(row_of, octets)] for name, octets in found.items()}
    given_up = expected(
        case("later@status.example bounced 4.4.7 - soft", "Envelope expired"), marks["delayed"]
    )

    assert given_up in rows["delayed"]
    rows["delayed"].remove(given_up)
    assert rows == {name: [expected(OPENSMTPD[name], marks[name])] for name in OPENSMTPD}
    assert not any(b"\nAction: failed\n" in octets for octets in found["delayed"])
