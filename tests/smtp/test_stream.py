"""Octets in and out of a real socket, and connecting it."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
import typing as t

import pytest

from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.secret import Secret
from flask_mailhandler.smtp.stream import _begin
from flask_mailhandler.smtp.stream import _NEXT_ATTEMPT
from flask_mailhandler.smtp.stream import connect
from flask_mailhandler.smtp.stream import LostError
from flask_mailhandler.smtp.stream import MAX_LINE
from flask_mailhandler.smtp.stream import ProtocolError
from flask_mailhandler.smtp.stream import Stream
from flask_mailhandler.smtp.stream import TimedOutError
from sending import letter
from sending import Scripted
from sending import smtp
from servers.dead_ends import black_hole
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from collections.abc import Iterator

HERE = "127.0.0.1"


@pytest.fixture
def pair(no_leaks: None) -> Iterator[tuple[Stream, socket.socket]]:
    """A stream and the other side of it."""
    with socket.create_server((HERE, 0)) as listener:
        stream = connect(HERE, listener.getsockname()[1], Deadline(60))
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


# Connecting

Address: t.TypeAlias = tuple[int, int, int, str, t.Any]


def to(host: str, port: int) -> Address:
    """An entry of getaddrinfo's answer."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sockaddr = (host, port, 0, 0) if ":" in host else (host, port)
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", sockaddr)


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Declare what a name resolves to."""

    def declare(*addresses: Address) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: list(addresses))

    return declare


Resolve: t.TypeAlias = t.Callable[..., None]


@contextlib.contextmanager
def connected(seconds: float = 60.0) -> Iterator[Stream]:
    stream = connect("mail.example.com", 25, Deadline(seconds))
    try:
        yield stream
    finally:
        stream.close()


def test_first_address_is_dead(
    scripted: Scripted, resolve: Resolve, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    """F-3: if the first address refuses, the second is tried at once, and not after 250 ms."""
    monkeypatch.setattr("flask_mailhandler.smtp.stream._NEXT_ATTEMPT", 1000)
    server = scripted()
    with closed_port() as port, closed_port("127.0.0.2") as other:
        resolve(to(HERE, port), to("127.0.0.2", other), to(HERE, server.port))
        (report,) = smtp(server, host="mail.example.com", security="none").send([letter()])

    assert report.ok


def test_first_address_is_a_black_hole(
    scripted: Scripted, resolve: Resolve, no_leaks: None
) -> None:
    """F-3, F-4, PROTOCOL 21: if the first address does not answer, the second is tried too after
    250 ms."""
    server = scripted()
    begin = time.monotonic()
    with black_hole() as port:
        resolve(to(HERE, port), to(HERE, server.port))
        (report,) = smtp(server, host="mail.example.com", security="none").send([letter()])

    assert report.ok
    assert 0.25 == _NEXT_ATTEMPT <= time.monotonic() - begin < 40


def test_ipv6_refuses(scripted: Scripted, resolve: Resolve, no_leaks: None) -> None:
    """F-5: IPv6 first, and it refuses; IPv4 answers."""
    server = scripted(host=HERE)
    with closed_port("::1") as port:
        resolve(to("::1", port), to(HERE, server.port))
        (report,) = smtp(server, host="mail.example.com", security="none").send([letter()])

    assert report.ok


def test_localhost(scripted: Scripted) -> None:
    """F-5: as this machine itself resolves its own name."""
    server = scripted(host="localhost")

    assert smtp(server, host="localhost").send([letter()])[0].ok


def test_families_take_turns(
    resolve: Resolve, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    """PROTOCOL 21: after an address of one family comes one of the other (RFC 8305 section 4)."""
    begun: list[int] = []

    def begin(family: int, *rest: t.Any) -> socket.socket:
        begun.append(family)
        return _begin(family, *rest)

    monkeypatch.setattr("flask_mailhandler.smtp.stream._begin", begin)
    with (
        closed_port() as port,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as listener,
        black_hole() as hole,
    ):
        resolve(to(HERE, hole), to(HERE, hole), to(HERE, port), to(*listener.getsockname()[:2]))
        with connected() as stream:
            assert stream.local_address == "::1"
    assert begun == [socket.AF_INET, socket.AF_INET6]


def test_slow_one_may_win(resolve: Resolve, no_leaks: None) -> None:
    """PROTOCOL 21: the first attempt goes on while others begin; the first connection wins."""
    with black_hole() as hole, socket.create_server((HERE, 0)) as listener:
        resolve(to(HERE, listener.getsockname()[1]), to(HERE, hole))
        with connected() as stream:
            stream.check_quiet()


@pytest.mark.parametrize("seconds", [0.05, 0.4])
def test_all_are_black_holes(resolve: Resolve, seconds: float, no_leaks: None) -> None:
    """F-4: if no address answers, the attempts end at the deadline, and each is closed."""
    begin = time.monotonic()
    with black_hole() as port:
        resolve(*[to(HERE, port)] * 3)
        with pytest.raises(TimeoutError):
            connect("mail.example.com", 25, Deadline(seconds))

    assert seconds <= time.monotonic() - begin < 60  # the kernel would try for longer


def test_all_refuse(resolve: Resolve, monkeypatch: pytest.MonkeyPatch, no_leaks: None) -> None:
    """F-1: the first error is raised."""
    deadline = Deadline(60)

    def begin(*address: t.Any) -> socket.socket:
        # That the first one is refused is waited for without it.
        deadline.at = time.monotonic() + 0.1
        return _begin(*address)

    monkeypatch.setattr("flask_mailhandler.smtp.stream._begin", begin)
    monkeypatch.setattr("flask_mailhandler.smtp.stream._NEXT_ATTEMPT", 1000)
    with closed_port() as port, black_hole() as hole:
        resolve(to(HERE, port), to(HERE, hole))
        with pytest.raises(ConnectionRefusedError):
            connect("mail.example.com", 25, deadline)


def test_addresses_that_cannot_be_tried(resolve: Resolve, no_leaks: None) -> None:
    """F-5: an address family that this machine does not have, or an unreachable address."""
    with socket.create_server((HERE, 0)) as listener:
        strange = (9999, socket.SOCK_STREAM, 0, "", (HERE, 1))
        resolve(strange, to("255.255.255.255", 25), to(HERE, listener.getsockname()[1]))
        with connected() as stream:
            assert stream.local_address == HERE


def test_no_address(resolve: Resolve) -> None:
    """F-2: a name without addresses."""
    resolve()

    with pytest.raises(OSError, match="no address"):
        connect("mail.example.com", 25, Deadline(1))


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
