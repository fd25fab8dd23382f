"""A message given to the standard library, and written by it: the octets that SMTP sends."""

from __future__ import annotations

import copy
import io
import pickle
import smtplib
import typing as t
from email.generator import BytesGenerator
from email.generator import Generator

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.mime import render
from servers import ScriptedServer

LONG = "a" * 90
IMAGE = Attachment(b"\x89PNG", filename="logo.png", cid="logo@shop.example")
ORIGINAL = (
    b"From: Ann <ann@example.com>\r\nSubject: " + b"x" * 120 + b"\r\n\r\nHello\r\n-- \r\nAnn\r\n"
)
FIELDS: dict[str, dict[str, t.Any]] = {
    "ids": {"headers": {"References": f"<{LONG}@x.example> <b@x.example>  <{LONG}@y.example>"}},
    "one id": {"headers": {"In-Reply-To": f"<{LONG}@x.example>"}},
    "a long message_id": {"message_id": f"<{'b' * 200}@x.example>"},
    "unsubscribe": {
        "headers": {
            "List-Unsubscribe": f"<https://shop.example/u/{'t' * 120}>, <mailto:u@shop.example>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": "Größe <news.shop.example>",
        }
    },
    "json": {"headers": {"X-SMTPAPI": '{"category":["' + "c" * 300 + '"]}'}},
    "one word": {"headers": {"Feedback-ID": "campaign:" * 30}},
    "white space": {"headers": {"X-A": "a  b\tc", "X-B": "", "X-C": " x "}},
    "an encoded word": {"headers": {"X-A": "=?utf-8?q?literally?="}},
    "sender": {"headers": {"Sender": f"Zoë {'Z' * 90} <zoe@example.com>"}},
    "subject": {"subject": "Größe " * 40},
    "a subject of one word": {"subject": "x" * 400},
    "names": {"to": [(f"Zoë {n}", f"{'z' * 60}@{'y' * 50}.example") for n in range(20)]},
    "a quoted name": {"cc": [('"A", B\\ ' * 20, "a@b.example")]},
    "text": {"text": "From me\nFrom you\n.\n..\n--=_\n" + "x" * 2000 + "\n\n\n"},
    "no text": {"text": "", "html": ""},
    "html": {"html": "<p>Grüße</p>\n" * 50},
    "inline": {"html": '<img src="cid:logo@shop.example">', "inline_attachments": [IMAGE]},
    "all": {
        "html": '<img src="cid:logo@shop.example">',
        "inline_attachments": [IMAGE],
        "alternatives": [("BEGIN:VCALENDAR\nMETHOD:REQUEST\n", "text/calendar")],
        "attachments": [
            Attachment(b"\0\r\n\xff" * 1000, filename="Größe " * 30 + ".bin"),
            Attachment("a;ü\n", filename="x.csv"),
            Attachment(ORIGINAL, filename="original.eml"),
        ],
    },
    "a calendar": {"text": "", "alternatives": [(b"BEGIN:VCALENDAR", "text/calendar")]},
    "smtputf8": {"to": [(f"Zoë {'Z' * 80}", "zoë@example.com")], "cc": "日本@example.com"},
}


def message(**fields: t.Any) -> Message:
    return Message(
        **{
            "subject": "News",
            "text": "Hello\n",
            "to": "ann@example.com",
            "from_addr": "shop@example.com",
            **fields,
        }
    )


@pytest.mark.parametrize("name", FIELDS)
def test_written_by_the_standard_library(name: str) -> None:
    """Every way to write the message with the standard library gives the octets that SMTP sends."""
    one = message(**FIELDS[name])
    octets = bytes(render(one))

    theirs = one.to_mime()

    assert bytes(theirs) == octets
    assert theirs.as_bytes() == octets
    assert bytes(copy.deepcopy(theirs)) == octets
    buffer = io.BytesIO()
    BytesGenerator(buffer).flatten(theirs)
    assert buffer.getvalue() == octets
    assert theirs.as_string() == octets.decode()
    text = io.StringIO()
    Generator(text, mangle_from_=False).flatten(theirs)
    assert text.getvalue() == octets.decode()
    # Reading it changes nothing.
    assert [str(value) for part in theirs.walk() for value in part.values()]
    assert bytes(theirs) == octets


DRAFTS: dict[str, dict[str, t.Any]] = {
    "nothing": {},
    "a text": {"text": "Hello\n", "subject": "Grüße"},
    "HTML": {"html": "<p>Hello</p>", "reply_to": "help@example.com"},
    "a file": {"text": "Hello\n", "attachments": [Attachment(b"%PDF", filename="bill.pdf")]},
    "recipients": {"text": "Hello\n", "to": ["Zoë <zoë@example.com>"], "cc": "bob@example.com"},
}


@pytest.mark.parametrize("name", DRAFTS)
def test_a_draft(name: str) -> None:
    """A message without a From can be written to look at it, and read again: it has no From and no
    Message-ID."""
    draft = Message(**DRAFTS[name])

    theirs = draft.to_mime()

    assert {"From", "Message-ID"}.isdisjoint(theirs.keys())
    assert theirs.as_bytes() == bytes(theirs)
    again = Message.from_mime(theirs)
    assert (again.from_addr, again.subject) == (None, draft.subject)
    assert (again.to, again.cc, again.reply_to) == (draft.to, draft.cc, draft.reply_to)
    assert again.text.strip() == draft.text.strip()
    assert len(again.attachments) == len(draft.attachments)


@pytest.mark.parametrize("name", ["a text", "HTML", "a file", "recipients"])
def test_a_draft_is_sent(name: str) -> None:
    """What a draft lacks is filled in when its standard library form is sent; without a default
    From, it is refused."""
    theirs = Message(**DRAFTS[name]).to_mime()
    (report,) = MemoryEmailHandler(default_from="shop@example.com").send(
        [theirs], recipients="ann@example.com"
    )

    assert report.ok
    with pytest.raises(MessageError, match="has no From"):
        MemoryEmailHandler().send([theirs], recipients="ann@example.com")
    with pytest.raises(MessageError, match="no From: give it from_addr="):
        render(Message(**DRAFTS[name]))


@pytest.mark.parametrize("name", FIELDS)
def test_sent_by_the_standard_library(name: str, scripted: t.Callable[..., ScriptedServer]) -> None:
    """smtplib sends what we send."""
    server = scripted(extensions=["8BITMIME", "SMTPUTF8"])
    one = message(**FIELDS[name])

    with smtplib.SMTP(server.host, server.port, local_hostname="localhost", timeout=60) as client:
        client.send_message(one.to_mime())

    assert server.accepted[0].content == bytes(render(one))


def test_attached_octets_above_127() -> None:
    """An attached message in 8 bits keeps its octets in every way to write the outer message."""
    original = ORIGINAL.replace(b"Hello", "Größe".encode())
    one = message(attachments=[Attachment(original, filename="original.eml")])

    octets = bytes(one.to_mime())

    assert octets == bytes(render(one))
    assert original in octets


@pytest.mark.parametrize(
    "head",
    [
        "Subject:x",
        "X-A: \r\nX-B:\r\nSubject: x",
        "Subject:\tx\r\n\ty\r\n   z",
        "Subject:\r\n x",
        "Subject: =?utf-8?q?a?=\r\n  =?utf-8?q?b?= ",
        f"DKIM-Signature: v=1;\r\n\tb={'c' * 300}",
        "Received: from a\r\n\tby b; Fri, 20 Nov 2026 14:05:06 +0000",
    ],
)
def test_fields_of_other_writers(head: str) -> None:
    """The fields of an attached message stay as another program wrote them, also in copies."""
    original = f"{head}\r\n\r\nHello\r\n".encode()
    theirs = message(attachments=[Attachment(original, filename="original.eml")]).to_mime()

    for found in (theirs, copy.deepcopy(theirs), pickle.loads(pickle.dumps(theirs))):
        assert original in bytes(found)


def test_what_is_added_to_it() -> None:
    """A signer can add its field at the top, and nothing else changes."""
    one = message(**FIELDS["ids"])
    theirs = one.to_mime()

    theirs["X-Signature"] = "s" * 40

    head, _, body = bytes(render(one)).partition(b"\r\n\r\n")
    field = b"\r\nX-Signature: " + b"s" * 40
    assert bytes(theirs) == head + field + b"\r\n\r\n" + body
