"""Connecting to a host that has several addresses (RFC 8305)."""

from __future__ import annotations

import contextlib
import socket
import time
import typing as t

import pytest

from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.net.tcp import _begin
from flask_mailhandler.net.tcp import _NEXT_ATTEMPT
from flask_mailhandler.net.tcp import create_connection
from sending import letter
from sending import Scripted
from sending import smtp
from servers.dead_ends import black_hole
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    from collections.abc import Iterator

HERE = "127.0.0.1"
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
def connected() -> Iterator[socket.socket]:
    with create_connection("mail.example.com", 25, Deadline(60)) as sock:
        yield sock


def test_first_address_is_dead(
    scripted: Scripted, resolve: Resolve, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    """F-3: if the first address refuses, the second is tried at once, and not after 250 ms."""
    monkeypatch.setattr("flask_mailhandler.net.tcp._NEXT_ATTEMPT", 1000)
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

    monkeypatch.setattr("flask_mailhandler.net.tcp._begin", begin)
    with (
        closed_port() as port,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as listener,
        black_hole() as hole,
    ):
        resolve(to(HERE, hole), to(HERE, hole), to(HERE, port), to(*listener.getsockname()[:2]))
        with connected() as sock:
            assert sock.getsockname()[0] == "::1"
    assert begun == [socket.AF_INET, socket.AF_INET6]


def test_slow_one_may_win(resolve: Resolve, no_leaks: None) -> None:
    """PROTOCOL 21: the first attempt goes on while others begin; the first connection wins."""
    with black_hole() as hole, socket.create_server((HERE, 0)) as listener:
        resolve(to(HERE, listener.getsockname()[1]), to(HERE, hole))
        with connected() as sock:
            assert sock.getpeername() == listener.getsockname()


@pytest.mark.parametrize("seconds", [0.05, 0.4])
def test_all_are_black_holes(resolve: Resolve, seconds: float, no_leaks: None) -> None:
    """F-4: if no address answers, the attempts end at the deadline, and each is closed."""
    begin = time.monotonic()
    with black_hole() as port:
        resolve(*[to(HERE, port)] * 3)
        with pytest.raises(TimeoutError):
            create_connection("mail.example.com", 25, Deadline(seconds))

    assert seconds <= time.monotonic() - begin < 60  # the kernel would try for longer


def test_all_refuse(resolve: Resolve, monkeypatch: pytest.MonkeyPatch, no_leaks: None) -> None:
    """F-1: the first error is raised."""
    deadline = Deadline(60)

    def begin(*address: t.Any) -> socket.socket:
        # That the first one is refused is waited for without it.
        deadline.at = time.monotonic() + 0.1
        return _begin(*address)

    monkeypatch.setattr("flask_mailhandler.net.tcp._begin", begin)
    monkeypatch.setattr("flask_mailhandler.net.tcp._NEXT_ATTEMPT", 1000)
    with closed_port() as port, black_hole() as hole:
        resolve(to(HERE, port), to(HERE, hole))
        with pytest.raises(ConnectionRefusedError):
            create_connection("mail.example.com", 25, deadline)


def test_addresses_that_cannot_be_tried(resolve: Resolve, no_leaks: None) -> None:
    """F-5: an address family that this machine does not have, or an unreachable address."""
    with socket.create_server((HERE, 0)) as listener:
        strange = (9999, socket.SOCK_STREAM, 0, "", (HERE, 1))
        resolve(strange, to("255.255.255.255", 25), to(HERE, listener.getsockname()[1]))
        with connected() as sock:
            assert sock.getsockname()[0] == HERE


def test_no_address(resolve: Resolve) -> None:
    """F-2: a name without addresses."""
    resolve()

    with pytest.raises(OSError, match="no address"):
        create_connection("mail.example.com", 25, Deadline(1))
