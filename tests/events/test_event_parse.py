"""Notifications of many servers, and messages that are none."""

from __future__ import annotations

import base64
import typing as t

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import strategies as st

from flask_mailhandler import Event
from flask_mailhandler import EventKind
from flask_mailhandler import Severity
from flask_mailhandler.events.severity import severity_of

RETURNED = """\
From: shop@example.com
To: ann@example.org
Subject: Your order
Message-ID: <17@shop.example.com>

Hello Ann
"""


def report(
    status: str,
    text: str = "It failed.",
    *,
    returned: str = RETURNED,
    kind: str = "message/delivery-status",
    top: str = "multipart/report; report-type=delivery-status",
    header: str = "",
    encoding: str = "7bit",
) -> bytes:
    """Write a notification. Its status part is *status*."""
    if encoding == "base64":
        status = base64.encodebytes(status.encode()).decode()
    return f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net
To: shop@example.com
Date: Sun, 29 Nov 2026 10:00:00 +0100
{header}MIME-Version: 1.0
Content-Type: {top}; boundary="=_b"

This is a MIME message.
--=_b
Content-Type: text/plain; charset=utf-8

{text}
--=_b
Content-Type: {kind}
Content-Transfer-Encoding: {encoding}

{status}
--=_b
Content-Type: message/rfc822

{returned}
--=_b--
""".encode()


def plain(text: str, header: str = "From: MAILER-DAEMON@mx.example.net\n") -> bytes:
    return f"{header}To: shop@example.com\n\n{text}".encode()


STATUS = """\
Reporting-MTA: dns; mx.example.net
Original-Envelope-Id: 17

Final-Recipient: rfc822; ann@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <ann@example.org>: No such user
"""
EXIM = """\
Reporting-MTA: dns; mx.example.net
Original-Envelope-ID: 17+2Bx

Action: failed
Original-Recipient: rfc822;ann+2Bnews@example.org
Final-Recipient: rfc822;ann+news@example.org
Status: 5.0.0
Remote-MTA: dns; mail.example.org
Diagnostic-Code: smtp; 452 4.2.2 Over quota
"""

Row: t.TypeAlias = tuple[str, str, int | None, str, str | None]
FORMS: dict[str, tuple[bytes, list[Row]]] = {
    "standard": (
        report(STATUS),
        [("bounced", "ann@example.org", 550, "5.1.1", "hard")],
    ),
    "base64": (
        report(STATUS, encoding="base64"),
        [("bounced", "ann@example.org", 550, "5.1.1", "hard")],
    ),
    "several": (
        report(
            STATUS + "\nFinal-Recipient: rfc822; bob@example.org\nAction: delayed\nStatus: 4.4.1\n"
        ),
        [
            ("bounced", "ann@example.org", 550, "5.1.1", "hard"),
            ("deferred", "bob@example.org", None, "4.4.1", "soft"),
        ],
    ),
    "no blank line between recipients": (
        report(
            STATUS + "Final-Recipient: rfc822; bob@example.org\nAction: relayed\nStatus: 2.0.0\n"
        ),
        [
            ("bounced", "ann@example.org", 550, "5.1.1", "hard"),
            ("delivered", "bob@example.org", None, "2.0.0", None),
        ],
    ),
    "no action": (
        report(STATUS.replace("Action: failed\n", "")),
        [("bounced", "ann@example.org", 550, "5.1.1", "hard")],
    ),
    "the server before the next one was wrong": (
        report(STATUS.replace("550 5.1.1", "550 5.7.1")),
        [("bounced", "ann@example.org", 550, "5.7.1", "blocked")],
    ),
    "Exim": (
        report(EXIM),
        [("bounced", "ann+news@example.org", 452, "4.2.2", "soft")],
    ),
    "Exim, local": (
        report(
            "Final-Recipient: rfc822;ann@example.org\nAction: failed\nStatus: 5.0.0\n",
            "The following address(es) failed:\n\n  ann@example.org\n    Unrouteable address\n",
        ),
        [("bounced", "ann@example.org", None, "5.0.0", "hard")],
    ),
    "OpenSMTPD": (
        report(
            "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.0.0\n",
            "The recipients:\n\nann@example.org: 550 5.2.1 Mailbox disabled\n",
            top="multipart/mixed",
        ),
        [("bounced", "ann@example.org", 550, "5.2.1", "blocked")],
    ),
    "internationalized": (
        report(
            STATUS.replace("rfc822; ann@", "utf-8; jörg@"), kind="message/global-delivery-status"
        ),
        [("bounced", "jörg@example.org", 550, "5.1.1", "hard")],
    ),
    "recipients in the text only": (
        report("Reporting-MTA: dns; mx.example.net\n", "It failed for:\n\n   * ann@example.org\n"),
        [("bounced", "ann@example.org", None, "", "blocked")],
    ),
    "qmail": (
        plain(
            "Hi. This is the qmail-send program at mx.example.net.\n\n<ann@example.org>:\n"
            "Sorry, no mailbox here by that name. (#5.1.1)\n\n<bob@example.org>:\n"
            "203.0.113.1 said:\n552 5.2.2 Full\n\n--- Below this line is a copy of the message.\n\n"
            + RETURNED
        ),
        [
            ("bounced", "ann@example.org", None, "5.1.1", "hard"),
            ("bounced", "bob@example.org", 552, "5.2.2", "soft"),
        ],
    ),
    "X-Failed-Recipients": (
        plain(
            "The following address failed:\n\n  ann@example.org\n    550 5.1.1 Unknown user\n\n"
            + RETURNED,
            "From: Mail Delivery System <Mailer-Daemon@mx.example.net>\n"
            "X-Failed-Recipients: ann@example.org\n",
        ),
        [("bounced", "ann@example.org", 550, "5.1.1", "hard")],
    ),
    "X-Failed-Recipients, delayed": (
        plain(
            "Delivery has been delayed. It will be retried.\n\nIt said: 450 4.2.2 Full\n\n"
            + RETURNED,
            "From: mailer-daemon@mx.example.net\nX-Failed-Recipients: ann@example.org\n",
        ),
        [("deferred", "ann@example.org", 450, "4.2.2", "soft")],
    ),
    "Exchange": (
        plain(
            "Your message\n\n  To: ann@example.org\n\ndid not reach the following recipient(s):\n\n"
            "ann@example.org on Fri, 18 Oct 2026 09:13:24 -0600\n"
            "    The recipient name is not found\n    Unknown recipient\n\n" + RETURNED,
            "From: System Administrator <postmaster@example.org>\n",
        ),
        [("bounced", "ann@example.org", None, "", "hard")],
    ),
    "another form": (
        plain(
            "There was an error delivering your mail to <ann@example.org>.\n\n"
            "mx.example.org did not like our RCPT TO:\n550-5.1.1 No such\n550 5.1.1 user\n\n"
            "Message headers follow.\n\n" + RETURNED
        ),
        [("bounced", "ann@example.org", 550, "5.1.1", "hard")],
    ),
    "another form, without a code": (
        plain(
            "User's mailbox is full: SMTP=Ann@example.org.\nUnable to deliver it for"
            " shop@example.com. Questions? Ask postmaster@example.net\n\n"
            "--- Unsent message follows ---\n" + RETURNED
        ),
        [("bounced", "Ann@example.org", None, "", "soft")],
    ),
    "another form, delayed": (
        plain(
            "Delivery to ann@example.org has been delayed. The error was: 450 4.2.2 Full\n\n"
            "----- Original message -----\n" + RETURNED
        ),
        [("deferred", "ann@example.org", 450, "4.2.2", "soft")],
    ),
    "a complaint": (
        report(
            "Feedback-Type: abuse\nUser-Agent: x\nOriginal-Rcpt-To: <ann@example.org>\n",
            kind="message/feedback-report",
        ),
        [("complained", "ann@example.org", None, "", None)],
    ),
    "a complaint that hides the recipient": (
        report("Feedback-Type: fraud\n", kind="message/feedback-report"),
        [("complained", "", None, "", None)],
    ),
    "an unsubscribe": (
        report(
            "Feedback-Type: opt-out\nOriginal-Rcpt-To: ann@example.org\n",
            kind="message/feedback-report",
        ),
        [("unsubscribed", "ann@example.org", None, "", None)],
    ),
    "Microsoft's complaint": (
        report(
            "",
            kind="text/html",
            returned="X-HmXmrOriginalRecipient: ann@example.org\n" + RETURNED,
        ),
        [("complained", "ann@example.org", None, "", None)],
    ),
}


def rows(events: list[Event]) -> list[Row]:
    return [
        (event.kind, event.recipient or "", event.code, event.status, event.severity)
        for event in events
    ]


@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str) -> None:
    """Each server's form names kind, recipient, codes and severity, and leads to the message."""
    octets, expected = FORMS[form]
    events = Event.parse(octets)

    assert rows(events) == expected
    assert {event.message_id for event in events} == {"<17@shop.example.com>"}
    assert not any(event.verified for event in events)


@pytest.mark.parametrize("form", FORMS)
def test_line_ends(form: str) -> None:
    """Lines may end in CRLF, LF or CR, and a mbox's first line may stand before the message."""
    octets, expected = FORMS[form]

    assert rows(Event.parse(octets.replace(b"\n", b"\r\n"))) == expected
    assert rows(Event.parse(octets.replace(b"\n", b"\r"))) == expected
    assert rows(Event.parse(b"From MAILER-DAEMON Sun Nov 29 10:00:00 2026\n" + octets)) == expected


def test_facts() -> None:
    """The envelope id, the time, and what the server said."""
    (event,) = Event.parse(report(EXIM))

    assert event.envelope_id == "17+x"
    assert str(event.time) == "2026-11-29 09:00:00+00:00"
    assert event.reason == "Over quota"
    assert str(event) == "ann+news@example.org bounced: 452 4.2.2 Over quota"


def test_references() -> None:
    """Without the returned message, the Message-ID is that of the References."""
    octets = report(EXIM, returned="", header="References: <1@x.example> <17@shop.example.com>\n")

    assert [event.message_id for event in Event.parse(octets)] == ["<17@shop.example.com>"]


NO_EVENTS = {
    "empty": b"",
    "a text that names two": plain("ann@example.org or bob@example.net: 550 5.1.1 unknown\n"),
    "a text that names the sender": plain("We refuse mail from news@example.com: 550 5.7.1 no\n"),
    "a text that names a server": plain("It failed: 550 5.1.1. Write to postmaster@example.org\n"),
    "a text of a person": plain(
        "I told you that ann@example.org is gone: 550 5.1.1\n", "From: bob@example.org\n"
    ),
    "an absence": plain(
        "I am away. Write to ann@example.org.\n",
        "Return-Path: <>\nFrom: bob@example.org\nAuto-Submitted: auto-replied\n",
    ),
    "a reply": plain("550 5.1.1 No such user, said ann@example.org:\n", "From: ann@example.org\n"),
    "out of office": plain("I am away.\n", "From: ann@example.org\nAuto-Submitted: auto-replied\n"),
    "a challenge": plain(
        "<ann@example.org>: please confirm that you are a person.\n", "From: ann@example.org\n"
    ),
    "a read receipt": report(
        "Final-Recipient: rfc822; ann@example.org\nDisposition: manual-action; displayed\n",
        kind="message/disposition-notification",
        top="multipart/report; report-type=disposition-notification",
    ),
    "a forwarded bounce": report(
        "see below",
        kind="text/plain",
        returned=report(STATUS).decode().replace("=_b", "=_c"),
        top="multipart/mixed",
    ).replace(b"MAILER-DAEMON@mx.example.net", b"bob@example.com", 1),
    "a report about authentication": report(
        "Feedback-Type: auth-failure\n", kind="message/feedback-report"
    ),
    "a complaint that was taken back": report(
        "Feedback-Type: not-spam\n", kind="message/feedback-report"
    ),
}


@pytest.mark.parametrize("name", NO_EVENTS)
def test_no_events(name: str) -> None:
    """A message that does not say what became of another message has no events."""
    assert Event.parse(NO_EVENTS[name]) == []


def test_a_text() -> None:
    """The error for a text says how to read a notification."""
    text: t.Any = report(STATUS).decode()

    with pytest.raises(TypeError, match=r"octets, not a text: read it as sys\.stdin\.buffer"):
        Event.parse(text)


def test_what_is_not_an_address() -> None:
    """A recipient that is not an address is None. The event is still told."""
    (event,) = Event.parse(report(STATUS.replace("ann@example.org", "/C=DE/S=Ann/")))

    assert (event.kind, event.recipient, event.status) == (EventKind.BOUNCED, None, "5.1.1")


def test_bounds() -> None:
    """At most 1,000 recipients and the first MiB are read, and a text from outside is escaped."""
    many = "".join(
        f"\nFinal-Recipient: rfc822; n{n}@example.org\nAction: failed\nStatus: 5.1.1\n"
        for n in range(1_500)
    )
    assert len(Event.parse(report(STATUS + many))) == 1_000

    large = report(STATUS, returned=RETURNED + "x" * 2_000_000)
    (event,) = Event.parse(large)
    assert event.raw == large[: 1 << 20]

    (event,) = Event.parse(report(STATUS.replace("No such user", "\x1b[31m" + "y" * 3_000)))
    assert "\\x1b[31m" in event.reason
    assert len(event.reason) < 600


def test_depth() -> None:
    """A multipart in a multipart is read, up to 100 parts in all."""
    inner = report(STATUS).decode()
    for n in range(60):
        inner = f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n{inner}\n--b{n}--\n'
    assert rows(Event.parse(inner.encode())) == FORMS["standard"][1]

    for n in range(60, 2_000):
        inner = f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n{inner}\n--b{n}--\n'
    assert Event.parse(inner.encode()) == []


@given(
    st.binary(max_size=2_000) | st.sampled_from([octets for octets, _ in FORMS.values()]), st.data()
)
@example(b"Content-Type: multipart/report; boundary*0=\n\n--\n", None)
def test_nothing_raises(octets: bytes, data: t.Any) -> None:
    """Whatever a message holds, reading it does not raise."""
    if data is not None and octets:
        at = data.draw(st.integers(0, len(octets)))
        octets = octets[:at] + data.draw(st.binary(max_size=20)) + octets[at:]

    assert isinstance(Event.parse(octets), list)


SEVERITIES = {
    ("5.1.1", 550, ""): Severity.HARD,
    ("5.1.10", 550, "null MX"): Severity.HARD,
    ("5.0.0", None, "Unrouteable address"): Severity.HARD,
    ("5.4.4", None, "Host or domain name not found"): Severity.HARD,
    ("", 550, "User unknown in virtual mailbox table"): Severity.HARD,
    ("4.2.2", 452, "Over quota"): Severity.SOFT,
    ("5.1.1", 450, "try later"): Severity.SOFT,
    ("5.2.2", 552, ""): Severity.SOFT,
    ("5.0.0", None, "retry timeout exceeded"): Severity.SOFT,
    ("5.7.515", 550, "user unknown or blocked"): Severity.BLOCKED,
    ("5.3.4", 552, "Message too large"): Severity.BLOCKED,
    ("5.6.1", 554, ""): Severity.BLOCKED,
    ("5.0.0", 550, "Denied"): Severity.BLOCKED,
    ("", None, ""): Severity.BLOCKED,
}


@pytest.mark.parametrize("facts", SEVERITIES)
def test_severity(facts: tuple[str, int | None, str]) -> None:
    """Only an address that does not exist is hard."""
    assert severity_of(*facts) is SEVERITIES[facts]
