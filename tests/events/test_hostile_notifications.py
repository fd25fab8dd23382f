"""Notifications that are written to do harm."""

from __future__ import annotations

import base64
import tracemalloc

import pytest
from flask import Flask

from flask_mailhandler import Event
from flask_mailhandler import Mail
from flask_mailhandler.events import prose
from signed_bounces import bounce_to
from signed_bounces import BOUNCES
from signed_bounces import signed_address

MIB = 1 << 20
ANN = "Final-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n"


def report(status: str | bytes, text: str = "It failed.", header: str = "") -> bytes:
    """Write a notification with this status part."""
    octets = status.encode() if isinstance(status, str) else status
    return (
        f"From: MAILER-DAEMON@mx.example.net\n{header}Content-Type: multipart/report;"
        ' report-type=delivery-status; boundary="=_b"\n\n'
        f"--=_b\nContent-Type: text/plain\n\n{text}\n--=_b\n"
    ).encode() + b"Content-Type: message/delivery-status\n\n%b\n--=_b--\n" % octets


def plain(text: str, header: str = "") -> bytes:
    return f"From: mailer-daemon@mx.example.net\n{header}\n{text}".encode()


def nested(depth: int, boundary: str = "b{}") -> bytes:
    inner = report(ANN).decode()
    for n in range(depth):
        name = boundary.format(n)
        inner = (
            f'Content-Type: multipart/mixed; boundary="{name}"\n\n--{name}\n{inner}\n--{name}--\n'
        )
    return inner.encode()


def blocks(number: int, recipient: str = "n{}@example.org") -> str:
    return "".join(
        f"Final-Recipient: rfc822; {recipient.format(n)}\nAction: failed\nStatus: 5.1.1\n\n"
        for n in range(number)
    )


# The octets, and how many events they have.
HOSTILE: dict[str, tuple[bytes, int]] = {
    "deep": (nested(2_000), 0),
    "deep, with one boundary": (nested(3_000, "b"), 0),
    "100,000 parts": (
        b'Content-Type: multipart/report; boundary="b"\n\n' + b"--b\n\nx\n" * 100_000,
        0,
    ),
    "60 status parts": (
        b'Content-Type: multipart/report; boundary="b"\n\n'
        + (b"--b\nContent-Type: message/delivery-status\n\n" + blocks(100).encode()) * 60,
        1_000,
    ),
    "20,000 recipients": (report(blocks(20_000)), 1_000),
    "20,000 recipients, each in the text": (
        report(blocks(10_000), "".join(f"n{n}@example.org: 550 x\n\n" for n in range(9_000))),
        1_000,
    ),
    "one recipient 5,000 times": (
        report(blocks(5_000, "ann@example.org"), "ann@example.org x\n" * 8_000),
        1_000,
    ),
    "20,000 lines with an address": (
        report("Reporting-MTA: dns; x\n", "\n".join(f"u{n}@example.org" for n in range(20_000))),
        1_000,
    ),
    "20,000 paragraphs": (
        plain("".join(f"<n{n}@example.org>:\nno\n\n" for n in range(20_000))),
        1_000,
    ),
    "a paragraph without end": (plain("<ann@example.org>:\n" + "x\n" * 500_000), 1),
    "an address without end": (plain("a" * 64 + "@" + "b" * MIB), 0),
    "a table of Exchange": (
        plain("did not reach the following recipient" + "\na@example.org on x\n  y" * 40_000),
        1_000,
    ),
    "20,000 failed recipients": (
        plain("x", f"X-Failed-Recipients: {', '.join(['ann@example.org'] * 8_000)}\n"),
        1_000,
    ),
    "a line without end": (report(ANN, "x" * MIB), 0),
    "signs": (report(ANN, "@" * 900_000), 1),
    "a field without end": (report(f"{ANN}Diagnostic-Code: smtp; {'550 ' * 200_000}\n"), 1),
    "a folded field": (report(f"{ANN}Diagnostic-Code: smtp; x\n" + " 550-5.1.1 y\n" * 70_000), 1),
    "an envelope id without end": (report(f"Original-Envelope-Id: {'+41' * 300_000}\n\n{ANN}"), 1),
    "100,000 fields": (report("".join(f"X-{n}: y\n" for n in range(80_000)) + f"\n{ANN}"), 1),
    "a header without end": (b"X: y\n" * 250_000 + report(ANN), 0),
    "parameters": (b"Content-Type: multipart/report" + b"; a*1=x" * 100_000 + report(ANN), 0),
    "quotes": (b'Content-Type: multipart/report; boundary="' + b'\\"' * 60_000 + report(ANN), 0),
    "references": (plain("x", f"References: {'<a' * 60_000}\n"), 0),
    "base64": (report(base64.encodebytes(ANN.encode()).decode()), 0),
    "a date after all dates": (report(ANN, header="Date: Fri, 31 Dec 9999 23:59:59 -2359\n"), 1),
    "a date before all dates": (report(ANN, header="Date: Mon, 1 Jan 0001 00:00:00 +2359\n"), 1),
    "a number as a date": (report(ANN, header=f"Date: {'9' * 100_000}\n"), 1),
    "octets": (report(ANN.replace("ann", "a\0\x1b").encode() + b"\xff\xfe"), 1),
    "half of a pair": (report(ANN.encode().replace(b"ann", b"\xed\xa0\x80")), 1),
    "line ends": (b"\r" * MIB, 0),
    "25 MB": (report(ANN) + b"x" * 25_000_000, 1),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.slow
def test_bounds(name: str) -> None:
    """Whatever it holds, a notification is read in bounded memory, and nothing is verified."""
    octets, number = HOSTILE[name]
    tracemalloc.start()
    try:
        events = Event.parse(octets)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(events) == number
    assert peak < 48 * MIB
    assert not any(event.verified for event in events)
    assert not any("\x1b" in str(event) or "\0" in str(event) for event in events)


@pytest.mark.parametrize("name", ["one recipient 5,000 times", "20,000 lines with an address"])
def test_the_text_is_searched_a_bounded_number_of_times(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The more recipients there are, the less is read about each."""
    read: list[int] = []
    said_in = prose.said_in

    def counted(text: str) -> prose.Said:
        read.append(len(text))
        return said_in(text)

    monkeypatch.setattr(prose, "said_in", counted)

    Event.parse(HOSTILE[name][0])

    assert sum(read) < MIB


def test_no_zone() -> None:
    """A date with -0000 is in UTC (RFC 5322 section 3.3), wherever the app runs."""
    (event,) = Event.parse(report(ANN, header="Date: Sun, 29 Nov 2026 10:00:00 -0000\n"))

    assert str(event.time) == "2026-11-29 10:00:00+00:00"


def test_forged() -> None:
    """A signed address verifies events of its own recipient only, however often it is written."""
    app = Flask("shop")
    app.config.update(SECRET_KEY="secret", MAIL_BOUNCE_ADDRESS=BOUNCES)
    mail = Mail(app, cli=None)
    own, changed = signed_address("mallory@example.org"), "bounces+" + "a" * 42 + "@example.com"
    header = "".join(f"To: {address}\n" for address in (own, changed) * 500)
    octets = report(blocks(1_000) + bounce_to("x").decode() + ANN, header=header)

    with app.app_context():
        events = mail.handle_notification(octets, recipient=f"{own} ann@example.org")
        (mine,) = mail.handle_notification(bounce_to("mallory@example.org", header))

    assert len(events) == 1_000
    assert not any(event.verified for event in events)
    assert mine.verified


def test_a_bounce_in_a_bounce() -> None:
    """What stands in a returned message, or in a status part that is encoded twice, is not read."""
    inner = HOSTILE["20,000 recipients"][0]
    twice = base64.encodebytes(base64.encodebytes(ANN.encode()))
    octets = report(ANN).replace(
        b"--=_b--", b"--=_b\nContent-Type: message/rfc822\n\n" + inner.replace(b"=_b", b"=_c")
    )

    assert [event.recipient for event in Event.parse(octets)] == ["ann@example.org"]
    assert (
        Event.parse(
            report(twice).replace(
                b"Content-Type: message/delivery-status\n",
                b"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n",
            )
        )
        == []
    )
