"""A write of which the kernel takes a part before the connection is lost."""

from __future__ import annotations

import socket
import typing as t

import pytest

from flask_mailhandler import Message
from sending import ACCEPTED
from sending import DEFERRED
from sending import letter
from sending import letters
from sending import Scripted
from sending import smtp
from sending import states

# The first octets of the write with the end of data, and lines: a small content goes in the same.
ENDS = {"small": (b"Date:", 1), "large": (b".\r\n", 3000)}


def cut(monkeypatch: pytest.MonkeyPatch, beginning: bytes, taken: int, last: bytes = b"") -> None:
    """Of the first write that begins so, the kernel takes some octets, and nothing after them.

    :param last: Where it stands last in the write, the octets are counted from there.
    """
    whole = socket.socket.send
    gone: list[socket.socket] = []

    def send(sock: socket.socket, data: t.Any, flags: int = 0) -> int:
        octets = bytes(data)
        if sock in gone:
            raise ConnectionResetError(104, "Connection reset by peer")
        if gone or not octets.startswith(beginning):
            return whole(sock, octets, flags)
        gone.append(sock)
        some = octets[: taken + (octets.rindex(last) if last else 0)]
        if not some:
            raise ConnectionResetError(104, "Connection reset by peer")
        return whole(sock, some, flags)

    monkeypatch.setattr(socket.socket, "send", send, raising=False)


def sized(lines: int) -> list[Message]:
    """Two messages of so many lines."""
    return [letter(f"r{number}@example.com", text="Hello\n" * lines) for number in (1, 2)]


@pytest.mark.parametrize("taken", [0, 1, 2])
@pytest.mark.parametrize("extensions", [[], ["PIPELINING"]])
@pytest.mark.parametrize("size", ENDS)
def test_an_end_in_part(
    scripted: Scripted,
    monkeypatch: pytest.MonkeyPatch,
    size: str,
    taken: int,
    extensions: list[str],
) -> None:
    """A message whose end was not fully written cannot have been accepted: deferred, not
    unknown."""
    beginning, lines = ENDS[size]
    cut(monkeypatch, beginning, taken, last=b".\r\n")
    server = scripted(extensions=extensions)

    first, second = smtp(server).send(sized(lines))
    server.settle()

    assert states(first) == [DEFERRED]
    assert second.ok
    assert [accepted.recipients for accepted in server.accepted] == [("r2@example.com",)]


@pytest.mark.parametrize("taken", [3, 4, 20])
@pytest.mark.parametrize("size", ENDS)
def test_an_end_without_what_follows(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, size: str, taken: int
) -> None:
    """If only the octets after the end are cut, the message may have been accepted, and the reply
    decides; the next one is sent over another connection."""
    # However long the server takes to say it.
    monkeypatch.setattr("flask_mailhandler.smtp.dialogue._LAST_REPLY", 60)
    beginning, lines = ENDS[size]
    cut(monkeypatch, beginning, taken, last=b".\r\n")
    server = scripted(extensions=["PIPELINING"])

    first, second = smtp(server).send(sized(lines))

    assert states(first) == states(second) == [ACCEPTED]
    assert [accepted.connection for accepted in server.accepted] == [0, 1]


@pytest.mark.parametrize("taken", [0, 1, 100])
@pytest.mark.parametrize("beginning", [b"Date:", b"MAIL"])
def test_a_content_in_part(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch, beginning: bytes, taken: int
) -> None:
    """A message whose content or envelope is partly written is deferred: it has no end of data."""
    cut(monkeypatch, beginning, taken)
    server = scripted(extensions=["PIPELINING"])

    first, second = smtp(server).send(letters(2))
    server.settle()

    assert states(first) == [DEFERRED]
    assert second.ok
    assert [accepted.recipients for accepted in server.accepted] == [("r2@example.com",)]


@pytest.mark.parametrize("taken", [0, 1, 80, 300])
def test_a_chunk_in_part(scripted: Scripted, monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    """A flight that is partly written holds no complete content: deferred."""
    server = scripted(extensions=["PIPELINING", "CHUNKING"])
    handler = smtp(server, one_flight=True)
    assert handler.send(letters(1))[0].ok
    cut(monkeypatch, b"MAIL", taken)

    (report,) = handler.send(letters(1))
    server.settle()

    assert states(report) == [DEFERRED]
    assert len(server.accepted) == 1
