"""Notifications that a real Exim and a real OpenSMTPD have written."""

from __future__ import annotations

import smtplib
import typing as t
import uuid
from collections.abc import Callable
from collections.abc import Mapping

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


def check(found: Case, mark: str, octets: bytes) -> None:
    (event,) = Event.parse(octets)

    assert (event.kind, event.status, event.code, event.severity) == (
        (found.kind, found.status, found.code, found.severity)
    )
    assert event.recipient == (found.recipient or found.to)
    assert event.reason == found.reason or not found.reason
    assert (event.message_id, event.envelope_id) == (f"<{mark}@shop.example>", found.envelope_id)
    assert (event.time is not None, event.verified) == (True, False)


Sent: t.TypeAlias = "tuple[dict[str, str], Callable[[str], list[bytes]]]"


def sent(server: Exim | OpenSMTPD, cases: Mapping[str, Case]) -> Sent:
    """Send all messages at once, so that the tests wait at the same time."""
    marks = {name: send(server.host, server.port, found) for name, found in cases.items()}
    return marks, lambda mark: server.delivered(f"s{mark}@example.com")


@pytest.fixture(scope="module")
def by_exim(exim: Exim) -> Sent:
    return sent(exim, EXIM)


@pytest.fixture(scope="module")
def by_opensmtpd(opensmtpd: OpenSMTPD) -> Sent:
    return sent(opensmtpd, OPENSMTPD)


@pytest.mark.parametrize("name", EXIM)
def test_exim(name: str, by_exim: Sent, exim: Exim) -> None:
    """Each notification of Exim names kind, recipient, status, severity and the message."""
    marks, delivered = by_exim

    def notified() -> list[bytes]:
        if name == "delayed" and not delivered(marks[name]):
            exim.try_again()  # it tells of a delay of a second at a try after that
        return delivered(marks[name])

    (octets,) = until(notified, 90, f"the notification\n{exim.log()}")
    check(EXIM[name], marks[name], octets)


@pytest.mark.parametrize("name", OPENSMTPD)
def test_opensmtpd(name: str, by_opensmtpd: Sent, opensmtpd: OpenSMTPD) -> None:
    """Each notification of OpenSMTPD names kind, recipient, status, severity and the message."""
    marks, delivered = by_opensmtpd

    (octets, *_) = until(lambda: delivered(marks[name]), 90, f"it\n{opensmtpd.log()}")
    check(OPENSMTPD[name], marks[name], octets)


def test_opensmtpd_gives_up(by_opensmtpd: Sent, opensmtpd: OpenSMTPD) -> None:
    """OpenSMTPD says "delayed" of a message that it has given up. The event says "bounced"."""
    marks, delivered = by_opensmtpd

    def last() -> list[bytes]:
        return [octets for octets in delivered(marks["delayed"]) if b"Envelope expired" in octets]

    (octets,) = until(last, 90, f"the end\n{opensmtpd.log()}")

    assert b"\nAction: delayed\n" in octets
    check(
        case("later@status.example bounced 4.4.7 - soft", "Envelope expired"),
        marks["delayed"],
        octets,
    )
