"""The console prints every message that SMTP would send, to any stream."""

from __future__ import annotations

import io
import typing as t
from email import message_from_bytes
from email.message import Message as Parsed
from email.mime.text import MIMEText
from pathlib import Path

import pytest

from flask_mailhandler import Attachment
from flask_mailhandler import ConfigurationError
from flask_mailhandler import ConsoleEmailHandler
from flask_mailhandler import MemoryEmailHandler
from flask_mailhandler import Message

HELLO = Message(
    subject="Grüße", text="Hello 🎈\n", from_addr="shop@example.com", to="ann@example.com"
)


def printed(message: Message | Parsed) -> str:
    stream = io.StringIO()
    (report,) = ConsoleEmailHandler(stream=stream).send([message])
    assert report.ok
    return stream.getvalue()


def parsed(*fields: str, text: str = "Hello") -> Parsed:
    lines = ["From: shop@example.com", "To: ann@example.com", *fields, "", text]
    return message_from_bytes("\r\n".join(lines).encode())


@pytest.mark.parametrize("charset", ["x-foo", "rot13", "idna", "undefined", "utf-16", '"a b"'])
@pytest.mark.parametrize("text", ["Hello", "Grüße"])
def test_charsets(charset: str, text: str) -> None:
    """C-100: a text in an unknown charset is shown as far as possible."""
    kind = f"Content-Type: text/plain; charset={charset}"
    message = parsed(kind, "MIME-Version: 1.0", text=text)

    assert "From: shop@example.com" in printed(message)


@pytest.mark.parametrize(
    "field",
    [
        "Message-ID: <a@[",
        "Message-ID: <[x@y>",
        "Message-ID: <x@[>",
        "Subject: =?x-foo?q?a?= =?idna?q?=FF?= =?utf-8?b?=FF?=",
        "Content-Type: text/plain; name*=idna''%FF",
        "Content-Disposition: attachment; filename*=x-foo''%FF",
        "Content-Disposition: attachment; filename*0*=idna'",
        "X-Odd: =?utf-8?q?",
    ],
)
def test_fields_that_the_standard_library_fails_at(field: str) -> None:
    """C-100: a message that SMTP accepts is printed, even if no parser can read it."""
    message = parsed(field)
    (report,) = MemoryEmailHandler().send([message])
    assert report.ok

    assert "Envelope to:   ann@example.com" in printed(message)


@pytest.mark.parametrize("message_id", ["<x@[>", "<[x@y>", "<x@[y>"])
def test_message_ids(message_id: str) -> None:
    """C-100: any Message-ID of a Message is printed."""
    assert f"Message-ID: {message_id}" in printed(HELLO.replace(message_id=message_id))


@pytest.mark.parametrize("depth", [3, 200, 1500, 3000])
def test_messages_in_messages(depth: int) -> None:
    """C-100: messages nested in an attached message are printed, or at least their header."""
    octets = b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: in\r\n\r\nx\r\n"
    message = HELLO.replace(attachments=Attachment(octets, mimetype="message/rfc822"))

    assert "Subject: Grüße" in printed(message)


def test_encoded_words_are_read() -> None:
    """The header is shown decoded, as a mail program shows it."""
    message = MIMEText("x", "plain", "utf-8")
    message["From"] = "=?utf-8?q?Zo=C3=AB?= <zoe@example.com>"
    message["To"] = "ann@example.com"
    message["Subject"] = "=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?_aus?= Wien"

    shown = printed(message)

    assert "From: Zoë <zoe@example.com>" in shown
    assert "Subject: Grüße aus Wien" in shown


def test_a_stream_in_ascii() -> None:
    """A character that the stream's encoding lacks is printed as an escape."""
    octets = io.BytesIO()
    stream = io.TextIOWrapper(octets, encoding="ascii")

    (report,) = ConsoleEmailHandler(stream=stream).send([HELLO])

    assert report.ok
    assert rb"Subject: Gr\xfc\xdfe" in octets.getvalue()
    assert rb"Hello \U0001f388" in octets.getvalue()


def test_a_closed_stream() -> None:
    """A stream that is closed defers the message."""
    stream = io.StringIO()
    stream.close()

    (report,) = ConsoleEmailHandler(stream=stream).send([HELLO])

    assert report.deferred == ["ann@example.com"]
    assert "console cannot be written" in str(report.error)


def test_a_full_disk() -> None:
    """An error of the operating system defers the message."""
    with open("/dev/full", "w", encoding="utf-8", buffering=1) as stream:
        handler = ConsoleEmailHandler(stream=stream)
        try:
            (report,) = handler.send([HELLO])
        finally:
            # What is in the buffer still has nowhere to go.
            with pytest.raises(OSError, match="space"):
                stream.close()

    assert report.deferred == ["ann@example.com"]


@pytest.mark.parametrize("stream", [5, "stdout", b"x", object()])
def test_no_stream(stream: t.Any) -> None:
    """An object that cannot be written to is refused as an option."""
    with pytest.raises(ConfigurationError, match="stream= takes a text file"):
        ConsoleEmailHandler(stream=stream)


def test_an_attachment_that_changed(tmp_path: Path) -> None:
    """C-100: a file that changed after it was attached is refused, and nothing is printed."""
    path = tmp_path / "report.txt"
    path.write_text("first")
    message = HELLO.replace(attachments=Attachment.from_path(path))
    path.write_text("second, and longer")
    stream = io.StringIO()

    (report,) = ConsoleEmailHandler(stream=stream).send([message])

    assert report.refused == ["ann@example.com"]
    assert "has changed" in str(report.error)
    assert stream.getvalue() == ""
