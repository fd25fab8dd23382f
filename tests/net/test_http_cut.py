"""net/http: exchanges that are cut, dripped, answered early or answered in odd ways. What the
server has read whole is never safe to repeat, and what it cannot have is always."""

from __future__ import annotations

import gzip
import socket
import threading
import typing as t

import pytest

from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.net.http.exchange import NoResponseError
from flask_mailhandler.net.http.exchange import send
from flask_mailhandler.net.http.request import Request
from flask_mailhandler.net.http.response import Response
from flask_mailhandler.net.http.url import split
from flask_mailhandler.phase import Phase
from servers.http_server import chunked
from servers.http_server import CLOSE
from servers.http_server import HTTPServer
from servers.http_server import page
from servers.http_server import RESET
from servers.http_server import SILENCE

if t.TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator

    from servers.certificates import Certificates
    from servers.http_server import Said

BODY = b'{"to": "ann@example.com", "subject": "Hi", "text": "' + b"x" * 80 + b'"}'
# More than the sockets hold of what is not read.
BIG = b"x" * 8_000_000
OK = page(200, b'{"id": "1"}')
# Without the time, which would give a test another name in each process.
PACKED = gzip.compress(b"hi", mtime=0)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"


def post(
    server: HTTPServer,
    body: bytes = BODY,
    phases: list[Phase] | None = None,
    seconds: float = 60,
    **given: t.Any,
) -> Response | NoResponseError:
    """Send a request, and return the response or the error."""
    seen = [] if phases is None else phases
    request = Request("POST", split(f"{server.url}/mail"), headers={}, body=body)
    try:
        return send(request, Deadline(seconds), step=seen.append, **given)
    except NoResponseError as error:
        return error


def length_of(body: bytes) -> int:
    """The octets of a whole request."""
    with HTTPServer(lambda request: [OK, CLOSE]) as server:
        request = Request("POST", split(f"{server.url}/mail"), headers={}, body=body)
        return len(request.head.octets()) + len(body)


@pytest.mark.parametrize("end", [CLOSE, RESET])
def test_cut_at_every_octet_of_the_request(end: str) -> None:
    """Whatever the server has read when it ends the connection: if that was all, the request may
    have been taken; and it is never said to be, unless its last octets were given."""
    total = length_of(BODY)
    limit = 0

    def at(connection: int, octets: int) -> Iterable[Said]:
        return [end] if octets >= limit else ()

    with HTTPServer(lambda request: [end], at=at, piece=1) as server:
        for limit in range(total + 1):
            phases: list[Phase] = []
            before = len(server.requests)
            error = post(server, phases=phases)
            server.wait_ended(limit + 1)

            assert isinstance(error, NoResponseError)
            assert len(server.requests) - before == (limit == total)
            if limit == total:
                assert error.perhaps_taken
            if error.perhaps_taken:
                assert phases[-1] is Phase.END_OF_DATA


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("limit", [0, 1, 100, 50_000])
def test_cut_in_a_large_request(
    certificates: Certificates, encrypted: bool, limit: int, end: str
) -> None:
    """A request of which the kernel could not take the last octets is safe to repeat."""
    tls = certificates.valid if encrypted else None

    def at(connection: int, octets: int) -> Iterable[Said]:
        return [end] if octets >= limit else ()

    with HTTPServer(lambda request: OK, at=at, tls=tls) as server:
        phases: list[Phase] = []
        error = post(server, BIG, phases, tls_context=certificates.client())

        assert isinstance(error, NoResponseError)
        assert not error.perhaps_taken
        assert Phase.END_OF_DATA not in phases
        assert server.requests == []


@pytest.mark.parametrize("response", [OK, chunked(200, b'{"id":', b' "1"}')])
@pytest.mark.parametrize("end", [CLOSE, SILENCE])
def test_cut_at_every_octet_of_the_response(response: bytes, end: str) -> None:
    """A response that breaks off never says that the request was not taken, and what is returned is
    whole."""
    step = 1 if end == CLOSE else 17  # a silence lasts
    limit = 0
    with HTTPServer(lambda request: [response[:limit], end]) as server:
        for limit in range(0, len(response) + 1, step):
            said = post(server, seconds=60 if end == CLOSE else 0.2)

            if isinstance(said, NoResponseError):
                assert said.perhaps_taken
                assert limit < len(response)
            else:
                assert said.body == b'{"id": "1"}'
                # The empty lines after the last chunk have no content.
                assert limit >= len(response) - 4


@pytest.mark.parametrize(
    "early",
    [
        page(413, b"too large"),
        page(429, b"", "Retry-After: 7"),
        chunked(400, b"bad"),
        page(503, b"", version="1.0"),
        HINTS + page(413),
    ],
)
@pytest.mark.parametrize("end", [CLOSE, SILENCE])
def test_early_answers(early: bytes, end: str) -> None:
    """A server that refuses before it has all is heard, and has not the whole request."""

    def at(connection: int, octets: int) -> Iterable[Said]:
        return [early, SILENCE] if octets else ()

    with HTTPServer(lambda request: OK, at=at, piece=1000) as server:
        phases: list[Phase] = []
        response = post(server, BIG, phases)

        assert isinstance(response, Response)
        assert response.status >= 400
        assert not response.whole
        assert phases[-1] is Phase.CONTENT
        assert server.requests == []


@pytest.mark.parametrize("early", [page(200, b"{}"), page(202), page(302, b"", "Location: /b")])
def test_early_success(early: bytes) -> None:
    """A success for a part of a request is not one."""

    def at(connection: int, octets: int) -> Iterable[Said]:
        return [early, SILENCE] if octets else ()

    with HTTPServer(lambda request: OK, at=at, piece=1000) as server:
        error = post(server, BIG)

        assert isinstance(error, NoResponseError)
        assert not error.perhaps_taken
        assert server.requests == []


@pytest.mark.parametrize("interim", [CONTINUE, HINTS, CONTINUE * 3 + HINTS, HINTS[:-2] + b"\r\n"])
@pytest.mark.parametrize("body", [BODY, BIG])
@pytest.mark.parametrize("when", ["before", "after"])
def test_interim_answers(interim: bytes, body: bytes, when: str) -> None:
    """An interim response that was not asked for changes nothing, whenever it comes (RFC 9110
    section 15.2)."""
    said: set[int] = set()

    def at(connection: int, octets: int) -> Iterator[Said]:
        if when == "before" and connection not in said:
            said.add(connection)
            yield interim

    def response(request: t.Any) -> list[Said]:
        return [interim if when == "after" else b"", OK]

    with HTTPServer(response, at=at) as server:
        got = post(server, body)

        assert isinstance(got, Response)
        assert (got.status, got.body, got.whole) == (200, b'{"id": "1"}', True)
        assert [request.body for request in server.requests] == [body]


@pytest.mark.parametrize(
    ("response", "body"),
    [
        (page(200, b"hi", version="1.0"), b"hi"),
        (b"HTTP/1.0 200 OK\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", b"hi"),
        (b"HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (chunked(200), b""),
        (chunked(200, b"h", b"i"), b"hi"),
        (chunked(200, b"hi").replace(b"2\r\n", b"2;name=value\r\n"), b"hi"),
        (chunked(200, b"hi")[:-2] + b"X-Trailer: 1\r\n\r\n", b"hi"),
        (page(200, b"hi") + b"HTTP/1.1 500 x\r\n\r\n", b"hi"),
        (b"HTTP/1.1 200 OK\r\nX-A: \xff\xfe\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK \r\nContent-Length:\t2 \t\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (chunked(200, b"hi").replace(b"chunked", b"Chunked "), b"hi"),
        (chunked(200, b"hi").replace(b"2\r\n", b"2 \r\n"), b"hi"),
        (page(200, PACKED, "Content-Encoding: gzip"), b"hi"),
        (page(200, PACKED, "content-encoding: X-GZIP"), b"hi"),
        (page(200, b"", "Content-Encoding: gzip"), b""),
    ],
)
def test_legal_answers(response: bytes, body: bytes) -> None:
    """Every form of a response that the standard or its users know is read."""
    with HTTPServer(lambda request: [response, CLOSE]) as server:
        got = post(server)

        assert isinstance(got, Response)
        assert got.body == body


@pytest.mark.parametrize(
    "body",
    [
        PACKED[:-1],
        PACKED[:-8] + bytes(8),
        PACKED + b"x",
        gzip.compress(b"x" * 1_000_001, mtime=0),
        b"hi",
    ],
    ids=["cut off", "another checksum", "more", "too long", "not compressed"],
)
def test_compressed_badly(body: bytes) -> None:
    """What is not whole, or would be too long, is not taken for what it begins with. The status is
    read."""
    with HTTPServer(lambda request: page(403, body, "Content-Encoding: gzip")) as server:
        got = post(server, max_response=1_000_000)

    assert isinstance(got, Response)
    assert (got.status, got.body) == (403, body)


def test_values_of_fields() -> None:
    """A value ends before the spaces after it, and is one line if it was folded."""
    fields = b"X-Message-Id: a \t\r\nX-Folded: a\r\n  b \r\n\tc\r\nX-Twice: a\r\nX-Twice: b\r\n"
    head = b"HTTP/1.1 202 x\r\n" + fields + b"Content-Length: 2\r\n\r\nhi"
    with HTTPServer(lambda request: head) as server:
        got = post(server)

    assert isinstance(got, Response)
    values = [got.headers[f"x-{name}"] for name in ("message-id", "folded", "twice")]
    assert values == ["a", "a b c", "a, b"]
    assert got.body == b"hi"


HOSTILE = {
    "nothing": b"",
    "SMTP": b"220 mail.example.com ESMTP\r\n",
    "HTTP/2": b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64",
    "TLS alert": b"\x15\x03\x01\0\x02\x02\x46",
    "HTML": b"<html>hello</html>\r\n\r\n",
    "version": b"HTTP/3 200 OK\r\n\r\n",
    "status": b"HTTP/1.1 2OO OK\r\n\r\n",
    "status out of range": b"HTTP/1.1 42 x\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\0\r\nContent-Length: 2\0\r\n\r\nhi",
    "long line": b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    "long field": b"HTTP/1.1 200 x\r\nX-A: " + b"x" * 100_000 + b"\r\n\r\n",
    "many fields": b"HTTP/1.1 200 x\r\n" + b"X-A: b\r\n" * 5000 + b"\r\n",
    "endless head": b"HTTP/1.1 200 x\r\n" + b"X-A: " + b"x" * 60_000 + b"\r\n" * 1_000_000,
    "endless interim": CONTINUE * 50_000,
    "two lengths": b"HTTP/1.1 200 x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    "list of lengths": b"HTTP/1.1 200 x\r\nContent-Length: 2, 3\r\n\r\nhi!",
    "signed length": b"HTTP/1.1 200 x\r\nContent-Length: +2\r\n\r\nhi",
    "negative length": b"HTTP/1.1 200 x\r\nContent-Length: -2\r\n\r\nhi",
    "length with underscore": b"HTTP/1.1 200 x\r\nContent-Length: 1_0\r\n\r\n0123456789",
    "huge length": b"HTTP/1.1 200 x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nhi",
    "length and chunks": b"HTTP/1.1 200 x\r\nContent-Length: 2\r\n" + chunked(200)[16:],
    "coding": b"HTTP/1.1 200 x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "other coding": b"HTTP/1.1 200 x\r\nTransfer-Encoding: identity\r\n\r\nhi",
    "two codings": chunked(200).replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: x\r\n\r\n", 1),
    "negative chunk": chunked(200, b"hi").replace(b"2\r\n", b"-1\r\n"),
    "chunk without size": chunked(200, b"hi").replace(b"2\r\n", b"\r\n"),
    "huge chunk": chunked(200, b"hi").replace(b"2\r\n", b"F" * 5000 + b"\r\n"),
    "endless chunks": chunked(200) [:-5] + b"5000\r\n" + b"x" * 2_000_000,
    "endless body": b"HTTP/1.0 200 x\r\n\r\n" + b"x" * 2_000_000,
    "endless trailer": chunked(200)[:-2] + b"X-A: b\r\n" * 500_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers(name: str) -> None:
    """What is not a response leaves a whole request unknown, at once and within bounds."""
    with HTTPServer(lambda request: [HOSTILE[name], CLOSE]) as server:
        error = post(server)

        assert isinstance(error, NoResponseError) or (
            name in ("upgrade", "NUL") and error.status in (101, 200)
        )
        if isinstance(error, NoResponseError):
            assert error.perhaps_taken
            assert len(str(error)) < 120
        assert len(server.requests) == 1


@pytest.mark.parametrize("part", ["head", "body", "interim"])
def test_a_slow_response(part: str) -> None:
    """An octet now and then does not move the deadline, and the request may have been taken."""
    over = threading.Event()
    dripped = {"head": OK, "body": OK, "interim": CONTINUE * 1000}[part]
    begun = OK.index(b"{") if part == "body" else 0

    def response(request: t.Any) -> Iterator[Said]:
        yield dripped[:begun]
        for octet in dripped[begun:]:
            over.wait(0.05)
            yield bytes([octet])
        yield SILENCE

    with HTTPServer(response) as server:
        limit = 0.3
        error = post(server, seconds=limit)
        over.set()

    assert isinstance(error, NoResponseError)
    assert (str(error), error.perhaps_taken) == ("no response within the time allowed.", True)


def test_a_slow_reader() -> None:
    """A server that reads an octet now and then does not move the deadline either."""
    over = threading.Event()

    def at(connection: int, octets: int) -> Iterable[Said]:
        return [CLOSE] if over.wait(0.02) else ()

    with HTTPServer(lambda request: OK, at=at, piece=1) as server:
        error = post(server, BIG, seconds=0.3)
        over.set()

    assert isinstance(error, NoResponseError)
    assert (str(error), error.perhaps_taken) == ("no response within the time allowed.", False)


class Interrupted(socket.socket):
    """A socket whose last write is complete when a signal handler of the app raises an error."""

    raised: t.ClassVar[OSError]

    def sendall(self, octets: t.Any, flags: int = 0, /) -> None:
        super().sendall(octets, flags)
        if bytes(octets).endswith(BODY[-8:]):
            raise self.raised


@pytest.mark.parametrize("raised", [TimeoutError(), TimeoutError("alarm"), OSError("alarm")])
def test_a_signal_after_the_last_octets(raised: OSError) -> None:
    """An error that is not the socket's does not say that the server cannot have the request."""
    Interrupted.raised = raised
    with HTTPServer(lambda request: OK) as server:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("flask_mailhandler.net.http.connection.socket.socket", Interrupted)
            error = post(server)
        server.wait_ended(1)

    assert isinstance(error, NoResponseError)
    assert error.perhaps_taken
    assert len(server.requests) == 1
