"""An address beyond ASCII at a server without SMTPUTF8 affects no other recipient (C-52)."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import typing as t

import pytest

from flask_mailhandler import Message
from flask_mailhandler.content import Content
from flask_mailhandler.mime.downgrade import downgraded
from sending import ACCEPTED
from sending import deliver
from sending import job
from sending import REFUSED
from sending import Scripted
from sending import smtp
from sending import states

ANN, BOB, ZOE, JOE = "ann@example.com", "bob@example.com", "zoë@example.com", "jörg@example.com"


def message(**fields: t.Any) -> Message:
    return Message(**{"subject": "Größe", "text": "Grüße\n", "from_addr": "a@example.com"} | fields)


def field(content: bytes, name: str) -> t.Any:
    """A header field, as a reader parses it."""
    return email.message_from_bytes(content, policy=email.policy.default)[name]


@pytest.mark.parametrize(
    ("fields", "expect"),
    [
        ({"to": [ANN, ZOE]}, [ACCEPTED, REFUSED]),
        ({"to": [ZOE, ANN]}, [REFUSED, ACCEPTED]),
        ({"to": ANN, "cc": ZOE}, [ACCEPTED, REFUSED]),
        ({"to": ZOE, "cc": [JOE, ANN]}, [REFUSED, REFUSED, ACCEPTED]),
        ({"to": ZOE, "bcc": ANN}, [REFUSED, ACCEPTED]),
        ({"to": [("Doe, Ann", ANN), ("Zoë, x", ZOE), BOB]}, [ACCEPTED, REFUSED, ACCEPTED]),
    ],
)
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"], ["SMTPUTF8"], ["8BITMIME"]])
def test_others_go_on(
    scripted: Scripted, extensions: list[str], fields: dict[str, t.Any], expect: list[t.Any]
) -> None:
    """The address that needs it is refused and named; the others get the message."""
    server = scripted(extensions=extensions)

    (report,) = smtp(server).send([message(**fields)])

    assert states(report) == expect
    for outcome in report.outcomes:
        assert (outcome.state is REFUSED) is (outcome.recipient in outcome.text)
    (accepted,) = server.accepted
    assert accepted.content.isascii()
    assert accepted.parameters == {}


def test_a_list(scripted: Scripted) -> None:
    """In a list, and in batches, each message has its own header."""
    server = scripted(extensions=["PIPELINING"])
    messages = [message(to=[ANN, ZOE]), message(to=[ANN, BOB]), message(to=[JOE, ANN, BOB])]

    reports = smtp(server, recipients_per_message=1).send(messages)

    assert [len(report.accepted) for report in reports] == [1, 2, 2]
    assert len(server.accepted) == 5
    assert all(accepted.content.isascii() for accepted in server.accepted)


def test_the_header(scripted: Scripted) -> None:
    """The header keeps the others and names the address, as a group without members (RFC 6857
    section 3.1.8); all else is as it was."""
    server = scripted()
    long = f"{'ü' * 30}@{'x' * 60}.example"
    written = message(to=[("Ann Ä", ANN), ("Zoë", ZOE), long], cc=[JOE, BOB])

    smtp(server).send([written])

    (accepted,) = server.accepted
    to, cc = field(accepted.content, "To"), field(accepted.content, "Cc")
    assert [(a.display_name, a.addr_spec) for a in to.addresses] == [("Ann Ä", ANN)]
    # The parser keeps white space between encoded words, which other readers drop.
    named = ["".join(group.display_name.split()) for group in to.groups if not group.addresses]
    assert named == [f"Zoë{ZOE}", long]
    assert [a.addr_spec for a in cc.addresses] == [BOB]
    assert [group.display_name for group in cc.groups if not group.addresses] == [JOE]
    assert field(accepted.content, "Subject") == "Größe"
    assert max(map(len, accepted.content.splitlines())) <= 78
    assert (
        accepted.content.partition(b"\r\n\r\n")[2]
        == bytes(
            smtp(server).prepare(written).job.content  # type: ignore[union-attr]
        ).partition(b"\r\n\r\n")[2]
    )


@pytest.mark.parametrize("fields", [{"from_addr": ZOE}, {"reply_to": ZOE}])
def test_a_header_that_needs_it(scripted: Scripted, fields: dict[str, t.Any]) -> None:
    """Another field needs it: the message itself cannot be written, and is refused for all."""
    server = scripted()

    (report,) = smtp(server).send([message(to=[ANN, BOB], **fields)])

    assert states(report) == [REFUSED, REFUSED]
    assert "SMTPUTF8" in str(report.error)
    assert server.accepted == []


def test_without_a_message(scripted: Scripted) -> None:
    """The octets are changed, so the same holds for queued mail."""
    server = scripted()
    octets = f"To: {ZOE},\r\n\t{ANN}\r\nSubject: x\r\n\r\nbody\r\n".encode()

    (report,) = deliver(smtp(server), job(octets, [ANN], smtputf8=True))

    assert states(report) == [ACCEPTED]
    assert [a.addr_spec for a in field(server.accepted[0].content, "To").addresses] == [ANN]
    assert server.accepted[0].content.endswith(b"\r\nSubject: x\r\n\r\nbody\r\n")


@pytest.mark.parametrize(
    "header",
    [
        "From: zoë@example.com\r\nTo: ann@example.com",
        "To: friends: zoë@example.com;",
        "To: zoë@example.com (Zoë)",
        'To: "Zoë <zoë@example.com>',
        "Subject: Größe\r\nTo: zoë@example.com",
    ],
)
def test_what_cannot_be_taken_apart(header: str) -> None:
    """A header in which more than an address of To or Cc is beyond ASCII is not changed."""
    assert downgraded(Content(f"{header}\r\n\r\nx\r\n".encode(), smtputf8=True)) is None


def test_octets_that_are_no_utf8() -> None:
    """The same for octets that are not UTF-8."""
    assert downgraded(Content(b"To: zo\xeb@example.com\r\n\r\n", smtputf8=True)) is None


def test_eight_bits_too(scripted: Scripted) -> None:
    """A server that has neither SMTPUTF8 nor 8BITMIME gets a content that does without both."""
    server = scripted(extensions=[])
    octets = f"To: {ZOE}, {ANN}\r\nMIME-Version: 1.0\r\n\r\nGrüße\r\n".encode()
    plain = job(octets, [ANN], smtputf8=True, eightbit=True)
    content = Content(
        octets,
        smtputf8=True,
        eightbit=True,
        rewrite=lambda whole: whole.replace("Grüße".encode(), b"Gruesse"),
    )

    (report,) = deliver(smtp(server), dataclasses.replace(plain, content=content))

    assert states(report) == [ACCEPTED]
    assert server.accepted[0].content.endswith(b"\r\n\r\nGruesse\r\n")
