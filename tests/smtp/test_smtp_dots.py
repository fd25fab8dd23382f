"""Dots at the start of a line, and the one end of data."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from flask_mailhandler import Message
from flask_mailhandler.smtp.stuffing import END
from flask_mailhandler.smtp.stuffing import stuffed
from flask_mailhandler.smtp.stuffing import stuffed_whole
from sending import deliver
from sending import job
from sending import letter
from sending import Scripted
from sending import smtp

if t.TYPE_CHECKING:
    from collections.abc import Iterator

DOTTED = {
    b"": b"",
    b"\r\n": b"\r\n",
    b"a": b"a\r\n",
    b"a\r\n": b"a\r\n",
    b".": b"..\r\n",
    b".\r\n": b"..\r\n",
    b"..\r\n": b"...\r\n",
    b"a.\r\n": b"a.\r\n",
    b"a\r\n.": b"a\r\n..\r\n",
    b"\r\n.\r\n": b"\r\n..\r\n",
    b".\r\n.\r\n.": b"..\r\n..\r\n..\r\n",
    b".a\r\n..b\r\nc.d\r\n": b"..a\r\n...b\r\nc.d\r\n",
}


def splits(octets: bytes) -> Iterator[list[bytes]]:
    """All ways to cut *octets* into one, two and three pieces, empty ones among them."""
    places = range(len(octets) + 1)
    for first, second in itertools.combinations_with_replacement(places, 2):
        yield [octets[:first], octets[first:second], octets[second:]]


@pytest.mark.parametrize("octets", DOTTED)
def test_stuffed(octets: bytes) -> None:
    """C-9: a leading dot is doubled, however the octets are cut; the last line has its end."""
    for pieces in splits(octets):
        assert b"".join(stuffed(pieces)) == DOTTED[octets]
    assert b"".join(stuffed([octets[n : n + 1] for n in range(len(octets))])) == DOTTED[octets]
    assert stuffed_whole(octets) == DOTTED[octets] + END


def test_large_pieces() -> None:
    """C-9: this also holds if we cut a large piece."""
    line = b"." + b"x" * 61 + b"\r\n"  # 64 octets
    for start in (b"", b"a" * 62 + b"\r\n", b"a" * 61 + b"\r\n", b"\r\n"):
        octets = start + line * 10_000

        assert b"".join(stuffed([octets])) == start + (b"." + line) * 10_000


@pytest.mark.parametrize("octets", DOTTED)
@pytest.mark.parametrize("header", [b"Subject: x\r\n\r\n", b""])
def test_content_arrives(scripted: Scripted, header: bytes, octets: bytes) -> None:
    """C-9: the content arrives as it was given, and the next message follows."""
    # Without SIZE, which a line end that we add would belie; rendered contents have theirs.
    server = scripted(extensions=["8BITMIME"])
    content = header + octets

    reports = deliver(smtp(server), job([header, octets]), job())

    assert all(report.ok for report in reports)
    expected = content if content.endswith(b"\r\n") or not content else content + b"\r\n"
    assert [accepted.content for accepted in server.accepted] == [
        expected,
        b"Subject: Hi\r\n\r\nHello.\r\n",
    ]


EVIL = "MAIL FROM:<evil@example.com>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nevil\r\n.\r\n"


@pytest.mark.parametrize(
    "end",
    [
        "\n.\n",
        "\r.\r",
        "\n.\r\n",
        "\r\n.\n",
        "\r\n.\r",
        "\r\n.\r\n",
        "\r.\n",
        "\n\n.\r\n",
        "\n\r.\r\n",
    ],
)
def test_smuggling(scripted: Scripted, end: str) -> None:
    """SMTP smuggling: whatever a text looks like, one message arrives."""
    server = scripted()
    texts = [f"a{end}{EVIL}", f"{end}{EVIL}", end, f"a{end[:-1]}", f"{end}x"]
    messages = [letter(text=text) for text in texts]
    messages += [
        Message(html=f"<p>{text}</p>", from_addr="a@example.com", to="b@example.com")
        for text in texts
    ]

    reports = smtp(server).send(messages)
    server.settle()

    assert all(report.ok for report in reports)
    assert len(server.received) == len(messages)
    assert not [line for line in server.commands if "evil" in line]
    assert {accepted.sender for accepted in server.received} == {"a@example.com"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        ".a",
        "a\n.",
        "a\n..\nb\n",
        ".\n.\n.\n",
        "From x\n",
        "x" * 2000,
        "é." * 500,
        "\n",
    ],
)
def test_texts(scripted: Scripted, text: str) -> None:
    """C-1, C-8, C-9: a text arrives as it was written."""
    import email
    import email.policy

    server = scripted()

    (report,) = smtp(server).send([letter(text=text)])

    assert report.ok
    parsed = email.message_from_bytes(server.accepted[0].content, policy=email.policy.default)
    assert parsed.get_content().replace("\r\n", "\n").rstrip("\n") == text.rstrip("\n")
