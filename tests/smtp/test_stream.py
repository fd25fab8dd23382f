"""Octets in and out of a real socket."""

from __future__ import annotations

import select
import socket
import struct
import typing as t

import pytest

from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.net.tcp import create_connection
from flask_mailhandler.secret import Secret
from flask_mailhandler.smtp.stream import LostError
from flask_mailhandler.smtp.stream import MAX_LINE
from flask_mailhandler.smtp.stream import ProtocolError
from flask_mailhandler.smtp.stream import Stream
from flask_mailhandler.smtp.stream import TimedOutError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

HERE = "127.0.0.1"


@pytest.fixture
def pair(no_leaks: None) -> Iterator[tuple[Stream, socket.socket]]:
    """A stream and the other side of it."""
    with socket.create_server((HERE, 0)) as listener:
        deadline = Deadline(60)
        stream = Stream(create_connection(HERE, listener.getsockname()[1], deadline), deadline)
        other, _ = listener.accept()
    with other:
        yield stream, other
    stream.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


Pair: t.TypeAlias = tuple[Stream, socket.socket]


# Lines


def test_lines(pair: Pair) -> None:
    """F-84, F-56: a line ends with CRLF or LF, whatever the segments."""
    stream, other = pair
    other.sendall(b"one\r\ntwo\nthr")
    assert [stream.read_line(), stream.read_line()] == [b"one", b"two"]
    assert stream.buffered
    other.sendall(b"ee\r")
    other.sendall(b"\n\r\n")

    assert [stream.read_line(), stream.read_line()] == [b"three", b""]
    assert not stream.buffered


def test_lines_alike(pair: Pair) -> None:
    """Only the next lines that are equal are skipped, and no more than allowed."""
    stream, other = pair
    other.sendall(b"ok\r\n" * 4 + b"no\r\nok\r\n" + b"ok\n")
    assert stream.read_line() == b"ok"

    assert [stream.skip_lines(b"ok", most) for most in (0, 2, 5, 5)] == [0, 2, 1, 0]
    assert stream.read_line() == b"no"
    assert [stream.skip_lines(b"ok", most) for most in (-1, 9)] == [0, 1]
    assert stream.read_line() == b"ok"


@pytest.mark.parametrize("more", [b"", b"\r\n"])
def test_long_lines(pair: Pair, more: bytes) -> None:
    """F-82: a line has an end, or the stream ends."""
    stream, other = pair
    other.sendall(b"x" * (MAX_LINE - 2) + b"\r\n" + b"y" * MAX_LINE + more)

    assert len(stream.read_line()) == MAX_LINE - 2
    with pytest.raises(ProtocolError, match="longer than 4096 octets"):
        stream.read_line()


def test_ends(pair: Pair) -> None:
    """PROTOCOL 20: octets without a line end are not a line."""
    stream, other = pair
    other.sendall(b"one\r\ntwo")
    other.close()

    assert stream.read_line() == b"one"
    with pytest.raises(LostError, match="the server closed the connection"):
        stream.read_line()


def test_resets(pair: Pair) -> None:
    """Octets that arrived before a reset can still be read."""
    stream, other = pair
    other.sendall(b"421 bye\r\n")
    reset(other)

    _until_arrived(stream, select.POLLERR)
    with pytest.raises(LostError):
        stream.write(b"x")
    assert stream.read_line() == b"421 bye"
    with pytest.raises(LostError):
        stream.read_line()


def test_deadline(pair: Pair) -> None:
    """F-81: a read ends at the deadline, and after it there is none, nor a write."""
    stream, other = pair
    stream.deadline = Deadline(0.05)

    with pytest.raises(TimedOutError):
        stream.read_line()
    other.sendall(b"late\r\n")
    for data in (b"x", Secret("x")):
        with pytest.raises(TimedOutError):
            stream.write(data)


def test_writes(pair: Pair) -> None:
    """Octets and secrets arrive alike."""
    stream, other = pair
    stream.write(b"a" * 100_000)
    stream.write(Secret("b"))
    stream.close()

    with other.makefile("rb") as file:
        assert file.read() == b"a" * 100_000 + b"b"


# Silence


def test_quiet(pair: Pair) -> None:
    """PROTOCOL 18: a connection on which nothing happened is alive, and stays readable."""
    stream, other = pair

    stream.check_quiet()
    other.sendall(b"220 hi\r\n")

    assert stream.read_line() == b"220 hi"
    stream.check_quiet()


@pytest.mark.parametrize("buffered", [True, False])
def test_spoken(pair: Pair, buffered: bool) -> None:
    """PROTOCOL 18: a connection that receives something unasked is dead, and the octets can be
    read."""
    stream, other = pair
    other.sendall(b"250 ok\r\n421 bye\r\n" if buffered else b"250 ok\r\n")
    stream.read_line()
    if not buffered:
        other.sendall(b"421 bye\r\n")
        _until_arrived(stream)

    with pytest.raises(LostError, match="sent a reply without a command"):
        stream.check_quiet()
    assert stream.read_line() == b"421 bye"


@pytest.mark.parametrize("end", [socket.socket.close, reset])
def test_closed(pair: Pair, end: t.Callable[[socket.socket], None]) -> None:
    """PROTOCOL 18: a connection that has ended is dead."""
    stream, other = pair
    end(other)
    _until_arrived(stream)

    with pytest.raises(LostError):
        stream.check_quiet()


def _until_arrived(stream: Stream, event: int = select.POLLIN) -> None:
    """Wait until the other side has sent something, without reading it."""
    poll = select.poll()
    poll.register(t.cast("t.Any", stream)._sock, event)
    ((_, found),) = poll.poll(60_000)
    assert found & event


def test_socket_options(pair: Pair) -> None:
    """PROTOCOL 21: small writes are not delayed, and a dead peer is noticed in the end."""
    sock = t.cast("t.Any", pair[0])._sock

    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_reprs(pair: Pair) -> None:
    """State prints itself; closing twice is closing once."""
    stream, other = pair
    other.sendall(b"a\r\nbc")
    stream.read_line()

    assert repr(stream) == "<Stream plain, 2 octets unread>"
    stream.close()
    stream.close()
    assert repr(stream) == "<Stream closed, 2 octets unread>"
