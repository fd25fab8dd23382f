"""net/http/pool: connections that are kept, that die, and that belong to one process."""

from __future__ import annotations

import ssl
import threading
import typing as t

import pytest

from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.net.http.exchange import NoResponseError
from flask_mailhandler.net.http.pool import Pool
from flask_mailhandler.net.http.request import Request
from flask_mailhandler.net.http.url import split
from flask_mailhandler.phase import Phase
from forking import in_child
from servers.http_server import chunked
from servers.http_server import CLOSE
from servers.http_server import HTTPRequest
from servers.http_server import HTTPServer
from servers.http_server import page
from servers.http_server import RESET
from servers.http_server import SILENCE

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator

    from flask_mailhandler.net.http.response import Response
    from servers.certificates import Certificates
    from servers.http_server import Said

BIG = b"x" * 8_000_000
OK = page(200, b"hi")


def pool_of(context: t.Callable[[], ssl.SSLContext] = ssl.create_default_context) -> Pool:
    return Pool(context, size=2, idle=600, connect_timeout=60)


def post(
    pool: Pool,
    server: HTTPServer,
    body: bytes = b"{}",
    phases: list[Phase] | None = None,
    seconds: float = 60,
) -> Response:
    seen = [] if phases is None else phases
    request = Request("POST", split(server.url), headers={}, body=body)
    return pool.send(request, Deadline(seconds), step=seen.append)


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("response", [OK, chunked(200, b"h", b"i"), page(400, b"hi")])
def test_one_connection(
    certificates: Certificates, no_leaks: None, response: bytes, encrypted: bool
) -> None:
    """A connection is used again after any whole response."""
    tls = certificates.valid if encrypted else None
    with HTTPServer(lambda request: response, tls=tls) as server:
        pool = pool_of(certificates.client)
        bodies = [post(pool, server).body for _ in range(3)]
        pool.close()

    assert bodies == [b"hi"] * 3
    assert server.opened == 1


@pytest.mark.parametrize(
    "response",
    [
        page(200, b"hi", "Connection: close"),
        page(200, b"hi", version="1.0"),
        b"HTTP/1.1 200 OK\r\n\r\nhi",
        page(200, b"hi") + b"HTTP/1.1 200 x\r\nContent-Length: 4\r\n\r\nevil",
        page(200, b"hi", "Keep-Alive: timeout=1, max=100"),
        page(200, b"hi", "Keep-Alive: timeout=0"),
    ],
)
def test_not_kept(response: bytes) -> None:
    """A connection is not used again if the server closes it, or has said more than a response."""

    def said(request: HTTPRequest) -> list[Said]:
        ends = request.connection == 1 and b"\r\n\r\n" in response[-6:]
        return [response, *([CLOSE] if ends or b"Length" not in response else [])]

    with HTTPServer(said) as server:
        pool = pool_of()
        bodies = [post(pool, server).body for _ in range(2)]
        pool.close()

    assert bodies == [b"hi"] * 2
    assert server.opened == 2


def test_an_end_that_is_announced() -> None:
    """After a close in any Connection field, no request is sent, even if the server is slow to
    close."""
    said = page(200, b"hi", "Connection: x", "Connection: Y , Close")
    with HTTPServer(lambda request: said) as server:
        pool = pool_of()
        bodies = [post(pool, server).body for _ in range(2)]
        pool.close()

    assert bodies == [b"hi"] * 2
    assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_dies_while_idle(end: str) -> None:
    """A connection that the server has closed meanwhile is replaced, and nothing is sent on it."""
    with HTTPServer(lambda request: [OK, *([end] if request.connection == 1 else [])]) as server:
        pool = pool_of()
        post(pool, server)
        server.wait_ended(1)
        phases: list[Phase] = []
        post(pool, server, phases=phases)
        pool.close()

    assert phases == [Phase.CONNECT, Phase.CONTENT, Phase.END_OF_DATA]
    assert [request.connection for request in server.requests] == [1, 2]


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_dies_while_the_app_is_told(end: str) -> None:
    """A connection that ends while the app stores that the end of data begins gets nothing, and the
    request is sent over another one."""
    told = threading.Event()

    def response(request: HTTPRequest) -> Iterator[Said]:
        yield OK
        if request.connection == 1:
            told.wait(60)
            yield end

    def step(phase: Phase) -> None:
        if phase is Phase.END_OF_DATA and not told.is_set():
            told.set()
            server.wait_ended(1)

    with HTTPServer(response) as server:
        pool = pool_of()
        post(pool, server)
        request = Request("POST", split(server.url), headers={}, body=b"{}")
        said = pool.send(request, Deadline(60), step=step)
        pool.close()

    assert said.status == 200
    assert [one.connection for one in server.requests] == [1, 2]


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize("early", [[], [page(408)], [page(400, b"left over")], [page(200), OK]])
def test_dies_under_a_request(early: list[Said], end: str) -> None:
    """If a used connection dies before it has the whole request, or brings a response that may be
    about another one, the request is sent once more."""
    answered = threading.Event()

    def at(connection: int, octets: int) -> Iterator[Said]:
        if connection == 1 and answered.is_set() and octets > 200_000:
            yield from [*early, SILENCE if early else end]

    def response(request: HTTPRequest) -> bytes:
        answered.set()
        return OK

    with HTTPServer(response, at=at) as server:
        pool = pool_of()
        post(pool, server)
        phases: list[Phase] = []
        said = post(pool, server, BIG, phases)
        pool.close()

    assert said.status == 200
    assert phases == [Phase.CONTENT, Phase.CONNECT, Phase.CONTENT, Phase.END_OF_DATA]
    assert [(one.connection, len(one.body)) for one in server.requests] == [(1, 2), (2, len(BIG))]


def test_a_new_connection_is_not_tried_twice() -> None:
    """A request on a new connection that dies is not repeated."""
    with HTTPServer(
        lambda request: OK, at=lambda number, octets: [CLOSE] if octets else ()
    ) as server:
        pool = pool_of()
        with pytest.raises(NoResponseError) as caught:
            post(pool, server, BIG)
        pool.close()

    assert not caught.value.perhaps_taken
    assert server.opened == 1


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize("said", [b"", OK[:20]])
def test_dies_after_a_whole_request(said: bytes, end: str) -> None:
    """A request that the server has read whole is never repeated."""

    def response(request: HTTPRequest) -> list[Said]:
        return [OK] if len(server.requests) == 1 else [said, end]

    with HTTPServer(response) as server:
        pool = pool_of()
        post(pool, server)
        with pytest.raises(NoResponseError) as caught:
            post(pool, server)
        pool.close()

    assert caught.value.perhaps_taken
    assert len(server.requests) == 2
    assert server.opened == 1


def test_after_a_failure() -> None:
    """After a request without a response, the next one gets a new connection."""
    with HTTPServer(lambda request: CLOSE if request.connection == 1 else OK) as server:
        pool = pool_of()
        with pytest.raises(NoResponseError):
            post(pool, server)
        assert post(pool, server).body == b"hi"
        pool.close()

    assert server.opened == 2


def test_fork(no_leaks: None) -> None:
    """A child of a fork has connections of its own, and its parent keeps its own."""
    with HTTPServer(lambda request: page(200, str(request.connection).encode())) as server:
        pool = pool_of()
        first = post(pool, server).body
        in_child_of = in_child(lambda: [post(pool, server).body for _ in range(2)])
        last = post(pool, server).body
        pool.close()

    assert (first, in_child_of, last) == (b"1", [b"2", b"2"], b"1")


def test_waits_for_a_connection() -> None:
    """No more connections are opened than allowed: the next caller waits, until its deadline."""
    entered, over = threading.Semaphore(0), threading.Event()

    def response(request: HTTPRequest) -> Iterable[Said]:
        entered.release()
        over.wait(60)
        return [OK]

    with HTTPServer(response) as server:
        pool = pool_of()
        threads = [threading.Thread(target=post, args=(pool, server)) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert entered.acquire(timeout=60)
        assert entered.acquire(timeout=60)
        with pytest.raises(NoResponseError, match="all 2 connections are in use") as caught:
            post(pool, server, seconds=0.1)
        over.set()
        for thread in threads:
            thread.join()
        pool.close()

    assert not caught.value.perhaps_taken
    assert len(server.requests) == 3
    assert server.opened == 2


def test_an_interrupt_closes_the_connection(no_leaks: None) -> None:
    """An interrupt between two phases leaves no connection with half of a request."""

    def interrupted(phase: Phase) -> None:
        if phase is Phase.END_OF_DATA:
            raise KeyboardInterrupt

    with HTTPServer(lambda request: OK) as server:
        pool = pool_of()
        request = Request("POST", split(server.url), headers={}, body=b"{}")
        with pytest.raises(KeyboardInterrupt):
            pool.send(request, Deadline(60), step=interrupted)
        assert post(pool, server).body == b"hi"
        pool.close()

    assert server.opened == 2
    assert len(server.requests) == 1
