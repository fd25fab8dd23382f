"""Messages nested in messages, deeper than the standard library's parser goes."""

from __future__ import annotations

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message
from flask_mailhandler import MessageError


def nested(depth: int, text: bytes = b"x\r\n") -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: in\r\n\r\n" + text


def attached(octets: bytes) -> Message:
    return Message(
        text="x",
        from_addr="shop@example.com",
        to="ann@example.com",
        attachments=Attachment(octets, mimetype="message/rfc822"),
    )


def test_an_attached_message_that_must_be_encoded() -> None:
    """C-49: what is nested too deep to be read, and must be written anew, is refused."""
    with pytest.raises(MessageError, match="too deep"):
        MemoryEmailHandler().send([attached(nested(2000, "Grüße\r\n".encode()))])


def test_to_mime() -> None:
    """What is sent as it is, and too deep to be parsed, has no form in the standard library."""
    with pytest.raises(MessageError, match="too deep"):
        attached(nested(2000)).to_mime()
