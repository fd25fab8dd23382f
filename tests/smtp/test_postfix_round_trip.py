"""Awkward messages through a real Postfix into a Maildir, and back."""

from __future__ import annotations

import email
import email.policy
import typing as t
from pathlib import Path

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import SMTPEmailHandler
from flask_mailhandler.mime import render
from servers.postfix import Postfix

pytestmark = pytest.mark.services

LOGO = Attachment(b"\x89PNG\r\n\x1a\n" + bytes(range(256)), filename="logo.png")

AWKWARD: dict[str, dict[str, t.Any]] = {
    "dots": {"text": ".\n..\n.a\n\n.\n"},
    "smuggling": {"text": "a\n.\r\nMAIL FROM:<x@y.example>\n\r.\r\n.\n"},
    "from-lines": {"text": "From me\n>From you\nFrom us"},
    "nul-and-controls": {"text": "a\x00b\x0cc\x1b[31m\x85d"},
    "long-line": {"text": "x" * 2000 + "\n" + "y" * 997},
    "trailing-space": {"text": "a \nb\t\n \n"},
    "boundary": {"text": "--=_\n--\n--=_x--", "attachments": [LOGO]},
    "unicode": {"subject": "Grüße 🙂 " * 30, "text": "日本語\n" * 50},
    "header-text": {"subject": "  =?utf-8?q?=0A?=  x\ty  ", "text": "x"},
    "names": {"to": [('Ann "the" \\ O\'Brien, Dr.', "ann@example.com"), ("日本", "b@example.com")]},
    "html-only": {"html": "<p>Grüße <a href='https://example.com/?a=1&amp;b=2'>dort</a>"},
    "inline": {
        "html": f'<img src="cid:{LOGO.cid}">',
        "text": "a picture",
        "inline_attachments": [LOGO],
    },
    "calendar": {"alternatives": [("BEGIN:VCALENDAR\n", "text/calendar; method=REQUEST")]},
    "file-names": {
        "attachments": [
            Attachment(b"1", filename='a";b\\c.txt'),
            Attachment(b"2", filename="Übersicht " * 12 + ".pdf"),
            Attachment("é\r\n", filename="text.txt"),
            Attachment(b"", filename="empty.bin"),
        ]
    },
    "message": {
        "attachments": [Attachment(b"Subject: in\n\nGr\xfc\xdfe\n", mimetype="message/rfc822")]
    },
}


@pytest.mark.parametrize("name", AWKWARD)
def test_round_trip(name: str, postfix: Postfix) -> None:
    """C-1, C-9, C-41: what Postfix delivers is octet for octet what was rendered, and one
    message arrives."""
    fields = {"subject": name, "text": "x", "to": "ann@example.com", **AWKWARD[name]}
    message = Message(from_addr="shop@example.com", bcc="boss@example.com", **fields)
    port = postfix.ports["plain"]

    handler = SMTPEmailHandler(host=postfix.host, port=port, timeout=60, connect_timeout=60)
    (report,) = handler.send([message])

    assert report.ok
    delivered = postfix.wait_for(report.message_id, copies=len(report.accepted))
    assert sorted(item.recipient for item in delivered) == sorted(report.accepted)
    for item in delivered:
        assert item.content == bytes(render(message))
        assert item.sender == "shop@example.com"
        assert b"boss" not in item.content


@pytest.mark.parametrize("name", AWKWARD)
def test_read_back(name: str, postfix: Postfix, tmp_path: Path) -> None:
    """What was delivered reads as what was written."""
    fields = {"subject": name, "text": "x", "to": "ann@example.com", **AWKWARD[name]}
    message = Message(from_addr="shop@example.com", **fields)
    port = postfix.ports["plain"]

    handler = SMTPEmailHandler(host=postfix.host, port=port, timeout=60, connect_timeout=60)
    (report,) = handler.send([message])

    found = postfix.wait_for(report.message_id, copies=len(report.accepted))[0]
    parsed = email.message_from_bytes(found.content, policy=email.policy.default)
    assert parsed["Subject"] == message.subject
    assert [(a.display_name, a.addr_spec) for a in parsed["To"].addresses] == [*message.to.named]
    plain: t.Any = parsed.get_body(("plain",))
    if message.text:
        assert plain.get_content().replace("\r\n", "\n").rstrip("\n") == message.text.rstrip("\n")
    attached = [p for p in parsed.walk() if p.get_content_disposition() == "attachment"]
    assert [p.get_filename() for p in attached] == [item.filename for item in message.attachments]
