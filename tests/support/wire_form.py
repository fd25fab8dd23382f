"""Rules for every content, whichever code made it: clauses of the standards that need no
context."""

from __future__ import annotations

import email.policy
import re
import typing as t
from email.errors import ObsoleteHeaderDefect

if t.TYPE_CHECKING:
    from email.message import EmailMessage

    from flask_mailhandler.content import Content

ONCE = (
    *("date", "from", "sender", "reply-to", "to", "cc", "message-id", "subject", "mime-version"),
    *("in-reply-to", "references", "content-type", "content-transfer-encoding"),
)


def judge(content: Content) -> EmailMessage:
    """Check the octets of a content, and return the message as a reader sees it."""
    octets = bytes(content)
    # C-67: the size is exact, and reading again gives the same.
    assert len(octets) == content.size == len(bytes(content))
    # C-1, C-8, C-54: lines end with CRLF, are not too long, and there is no NUL.
    assert octets.endswith(b"\r\n")
    assert not re.search(rb"\r(?!\n)|(?<!\r)\n|\x00", octets)
    assert max(map(len, octets.split(b"\r\n"))) <= 998
    # C-53: 7-bit, if it does not say otherwise.
    if not content.eightbit and not content.smtputf8:
        assert octets.isascii()
    _judge_header(octets.partition(b"\r\n\r\n")[0])
    message = (
        # Raw UTF-8 in a header is read as such only from a str.
        email.message_from_string(octets.decode(), policy=email.policy.default)
        if content.smtputf8
        else email.message_from_bytes(octets, policy=email.policy.default)
    )
    for part in message.walk():
        assert part.defects == []
        # C-36
        found = [defect for value in part.values() for defect in value.defects]
        assert not any(isinstance(defect, ObsoleteHeaderDefect) for defect in found)
        _judge_part(part)
    return message


def _judge_header(block: bytes) -> None:
    lines = block.split(b"\r\n")
    # C-28: no continuation is of white space only. C-27: a line else starts with a name.
    assert all(line.strip() for line in lines)
    names = [line.partition(b":")[0].decode().lower() for line in lines if line[:1] not in b" \t"]
    assert all(re.fullmatch("[!-9;-~]+", name) for name in names)
    # C-29, C-34, C-38
    assert all(names.count(name) <= 1 for name in ONCE)
    assert {"date", "from", "message-id", "mime-version"} <= {*names}
    assert "bcc" not in names
    assert "resent-bcc" not in names
    # C-46
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^?\s]+\?[bq]\?[^?\s]*\?=", block))


def _judge_part(part: EmailMessage) -> None:
    encoding = part.get("Content-Transfer-Encoding", "7bit").lower()
    if part.is_multipart():
        # C-39
        assert encoding in ("7bit", "8bit", "binary")
        if part.get_content_maintype() == "multipart":
            # C-43, C-49
            boundary = part.get_boundary()
            assert boundary is not None
            assert len(boundary) <= 70
            assert len(part.get_payload()) > 0
    elif encoding in ("base64", "quoted-printable"):
        # C-40, C-41
        lines = str(part.get_payload()).splitlines()
        assert all(len(line) <= 76 for line in lines)
        if encoding == "quoted-printable":
            assert not any(line[-1:] in (" ", "\t") for line in lines)
