"""Messages nested in messages, too deep for the standard library's parser."""

from __future__ import annotations

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import Message
from flask_mailhandler import MessageError
from flask_mailhandler.mime import render


def nested(depth: int, text: bytes = b"x\r\n") -> bytes:
    return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: in\r\n\r\n" + text


def attached(octets: bytes) -> Message:
    return Message(
        text="x",
        from_addr="shop@example.com",
        to="ann@example.com",
        attachments=Attachment(octets, mimetype="message/rfc822"),
    )


def test_a_deep_message_in_seven_bits() -> None:
    """C-49: a message nested too deep to be read is sent as it is, and has no form in 7 bits."""
    content = render(attached(nested(2000, "Grüße\r\n".encode())))

    assert content.eightbit
    assert content.in_seven_bits() is None


def test_to_mime() -> None:
    """A message too deep to be parsed can be sent, but not converted to the standard library's."""
    with pytest.raises(MessageError, match="too deep"):
        attached(nested(2000)).to_mime()
