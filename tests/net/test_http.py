"""net/http: one request, and how far it came if there is no response."""

from __future__ import annotations

import contextlib
import socket
import threading
import traceback
import typing as t

import pytest

from flask_mailhandler.net.deadline import Deadline
from flask_mailhandler.net.http.connection import verifying_context
from flask_mailhandler.net.http.exchange import NoResponseError
from flask_mailhandler.net.http.exchange import send
from flask_mailhandler.net.http.request import Request
from flask_mailhandler.net.http.response import Response
from flask_mailhandler.net.http.url import is_private
from flask_mailhandler.net.http.url import split
from flask_mailhandler.phase import Phase
from flask_mailhandler.secret import Secret
from servers.dead_ends import closed_port

if t.TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from collections.abc import Iterator

    from servers.certificates import Certificates

KEY = "k3y-0f-the-account"
# More than the sockets hold of what is not read.
BIG = 8_000_000
MADE = {"headers", "body", "size"}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Peer:
    """A server for one connection, which does as *serve* says and keeps what it has read."""

    def __init__(
        self, serve: Callable[[Peer, socket.socket], None], tls: ssl.SSLContext | None = None
    ) -> None:
        self.read = b""
        self._serve = serve
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def take(self, client: socket.socket, octets: int) -> None:
        """Read until so many octets have come."""
        while len(self.read) < octets and (data := client.recv(1 << 16)):
            self.read += data

    def take_all(self, client: socket.socket) -> None:
        """Read a whole request."""
        while b"\r\n\r\n" not in self.read:
            self.take(client, len(self.read) + 1)
        head, *_ = self.read.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                self.take(client, len(head) + 4 + int(line.split(b":")[1]))

    def _run(self) -> None:
        client, _ = self._listener.accept()
        with contextlib.suppress(OSError), client:
            if self._tls is None:
                self._serve(self, client)
            else:
                with self._tls.wrap_socket(client, server_side=True) as encrypted:
                    self._serve(self, encrypted)

    def __enter__(self) -> Peer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()


def answering(response: bytes) -> Callable[[Peer, socket.socket], None]:
    """Read the whole request, and answer."""

    def serve(peer: Peer, client: socket.socket) -> None:
        peer.take_all(client)
        client.sendall(response)

    return serve


def ask(port: int, method: str = "POST", scheme: str = "http", **given: t.Any) -> Response:
    """Send a request to a server of this machine."""
    headers = {"Authorization": Secret(f"Bearer {KEY}"), "Connection": "close"}
    made = {"headers": headers, **{name: given.pop(name) for name in MADE & given.keys()}}
    request = Request(method, split(f"{scheme}://127.0.0.1:{port}/mail?a=b"), **made)
    return send(request, given.pop("deadline", Deadline(60)), **given)


def pieces(size: int) -> Iterator[bytes]:
    """A body of so many octets."""
    for start in range(0, size, 1000):
        yield b"x" * min(1000, size - start)


# Requests that are answered


@pytest.mark.parametrize(
    "body",
    [{"body": b'{"a": 1}'}, {"body": Secret('{"a": 1}')}, {"body": [b'{"a"', b": 1}"], "size": 8}],
)
def test_request(body: dict[str, t.Any]) -> None:
    """The request has the target, the fields and the body that were given, and the response is
    returned as it is."""
    with Peer(
        answering(b"HTTP/1.1 404 No\r\nRetry-After: 5\r\nX-A: b\r\nx-a: c\r\n\r\nhi")
    ) as peer:
        response = ask(peer.port, **body)

    lines = peer.read.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    assert lines[0] == "POST /mail?a=b HTTP/1.1"
    assert {
        f"Host: 127.0.0.1:{peer.port}",
        "Content-Length: 8",
        f"Authorization: Bearer {KEY}",
        "Connection: close",
    } <= {*lines}
    assert peer.read.endswith(b'\r\n\r\n{"a": 1}')
    assert (response.status, response.body) == (404, b"hi")
    assert response.headers == {"retry-after": "5", "x-a": "b, c"}


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("", "/"),
        ("/?a=b", "/?a=b"),
        ("/proxy/mail", "/proxy/mail"),
        ("//proxy/mail?a=b?c", "//proxy/mail?a=b?c"),
        ("/a;b=c/%2F?", "/a;b=c/%2F"),
    ],
)
def test_target(url: str, target: str) -> None:
    """The target is the path and the query as they are in the URL."""
    request = Request("POST", split(f"https://api.example.com{url}"), headers={})

    assert request.head.octets().startswith(f"POST {target} HTTP/1.1\r\n".encode())


def test_get() -> None:
    """A request without a body has no Content-Length, and is written whole."""
    with Peer(answering(OK)) as peer:
        response = ask(peer.port, "GET")

    assert response.body == b"hi"
    assert peer.read.startswith(b"GET /mail?a=b HTTP/1.1\r\n")
    assert b"content-length" not in peer.read.lower()


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("size", [1, 64, 65, 1_000_000])
def test_pieces(certificates: Certificates, encrypted: bool, size: int) -> None:
    """A body of any size arrives as it was given."""
    with Peer(answering(OK), certificates.valid if encrypted else None) as peer:
        context = verifying_context(str(certificates.ca_file))
        scheme = "https" if encrypted else "http"
        response = ask(peer.port, scheme=scheme, body=pieces(size), size=size, tls_context=context)

    assert response.status == 200
    assert peer.read.partition(b"\r\n\r\n")[2] == b"x" * size


def test_phases() -> None:
    """Each phase is reported before it begins; "end of data" while the server does not have the
    last octets."""
    seen: list[tuple[Phase, bytes]] = []

    with Peer(answering(OK)) as peer:
        ask(peer.port, body=b"{}", step=lambda phase: seen.append((phase, peer.read[-2:])))

    assert [phase for phase, _ in seen] == [Phase.CONNECT, Phase.CONTENT, Phase.END_OF_DATA]
    assert all(end != b"{}" for _, end in seen)


@pytest.mark.parametrize("status", [400, 413, 503])
@pytest.mark.parametrize("encrypted", [False, True])
def test_refused_early(certificates: Certificates, encrypted: bool, status: int) -> None:
    """A server that refuses a request without reading all of it is heard."""

    def serve(peer: Peer, client: socket.socket) -> None:
        peer.take(client, 5000)
        client.sendall(f"HTTP/1.1 {status} No\r\nContent-Length: 2\r\n\r\nhi".encode())
        peer.take(client, 2 * BIG)  # up to the end, so that nothing is reset

    with Peer(serve, certificates.valid if encrypted else None) as peer:
        context = certificates.client()
        scheme = "https" if encrypted else "http"
        response = ask(peer.port, scheme=scheme, body=pieces(BIG), size=BIG, tls_context=context)

    assert (response.status, response.body) == (status, b"hi")
    assert len(peer.read) < BIG


# Requests without a response


def failure(port: int, **given: t.Any) -> NoResponseError:
    with pytest.raises(NoResponseError) as caught:
        ask(port, **given)
    return caught.value


def test_no_connection() -> None:
    """A server that does not listen cannot have the request."""
    with closed_port() as port:
        error = failure(port)

    assert (error.phase, error.perhaps_taken) == (Phase.CONNECT, False)
    assert str(error) == "Connection refused."


@pytest.mark.parametrize("kind", ["expired", "wrong_host", "untrusted"])
def test_bad_certificate(certificates: Certificates, kind: str) -> None:
    """A server that cannot prove its name gets nothing, and a later attempt would fare the same."""
    with Peer(answering(OK), getattr(certificates, kind)) as peer:
        context = verifying_context(str(certificates.ca_file))
        error = failure(peer.port, scheme="https", tls_context=context)

    assert (error.phase, error.perhaps_taken, error.temporary) == (Phase.TLS, False, False)
    assert peer.read == b""


@pytest.mark.parametrize("octets", [0, 1, 5000])
def test_closed_before_the_end(octets: int) -> None:
    """A server that closes before it has the last octets cannot have the request."""

    def serve(peer: Peer, client: socket.socket) -> None:
        peer.take(client, octets)

    with Peer(serve) as peer:
        error = failure(peer.port, body=pieces(BIG), size=BIG)

    assert (error.phase, error.perhaps_taken) == (Phase.CONTENT, False)
    assert error.temporary


def test_success_before_the_end() -> None:
    """A response of success to a part of a request is no success."""

    def serve(peer: Peer, client: socket.socket) -> None:
        peer.take(client, 5000)
        client.sendall(OK)
        peer.take(client, 2 * BIG)

    with Peer(serve) as peer:
        error = failure(peer.port, body=pieces(BIG), size=BIG)

    assert str(error) == "it answered 200 before it had the whole request."
    assert not error.perhaps_taken


@pytest.mark.parametrize(
    ("response", "text"),
    [
        (b"", "closed the connection"),
        (OK[:-1], "broke off"),
        (OK[:20], "broke off"),
        (b"220 mail.example.com ESMTP\r\n", "its response is not HTTP"),
        (OK.replace(b": 2", b": 2000") + b"x" * 1998, "longer than 1000 octets"),
    ],
)
@pytest.mark.parametrize("size", [2, 100_000])
def test_perhaps_taken(response: bytes, text: str, size: int) -> None:
    """From the last octets on, a request without a usable response may have been taken."""
    with Peer(answering(response)) as peer:
        error = failure(peer.port, body=b"x" * size, max_response=1000)

    assert text in str(error)
    assert (error.phase, error.perhaps_taken) == (Phase.END_OF_DATA, True)


@pytest.mark.parametrize("octets", [0, 5000])
def test_time(octets: int) -> None:
    """The deadline ends a write that the server does not read, and the request is not whole."""
    over = threading.Event()

    def serve(peer: Peer, client: socket.socket) -> None:
        peer.take(client, octets)
        over.wait(60)

    with Peer(serve) as peer:
        error = failure(peer.port, body=pieces(BIG), size=BIG, deadline=Deadline(0.3))
        over.set()

    assert str(error) == "no response within the time allowed."
    assert (error.phase, error.perhaps_taken) == (Phase.CONTENT, False)


# Secrets and wrong values


@pytest.mark.parametrize("response", [b"", KEY.encode() + b"\r\n\r\n", OK[:-1]])
def test_secrets(response: bytes) -> None:
    """A secret is in no text and no frame of an error, and in no repr of a response."""
    with Peer(answering(response)) as peer:
        error = failure(peer.port, body=Secret(KEY))

    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [str(frame.locals) for frame in frames if frame.filename != __file__]
    assert ours
    assert KEY not in "".join([str(error), repr(vars(error)), *ours])
    assert error.__context__ is None
    assert KEY not in repr(Response(200, {}, KEY.encode()))


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nBcc: b"},
        {"X-A": Secret(f"{KEY}\n")},
        {"X A": "a"},
        {"": "a"},
        {"X-A": "é"},
        {"A": Secret(KEY), "X-A": "a\0"},
    ],
)
def test_wrong_headers(headers: dict[str, str | Secret]) -> None:
    """A header that would not stay one header is an error, which does not show its value."""
    with pytest.raises(ValueError, match="characters that a request cannot have") as caught:
        ask(1, headers=headers)

    frames = traceback.TracebackException.from_exception(caught.value, capture_locals=True).stack
    ours = [str(frame.locals) for frame in frames if frame.filename != __file__]
    assert KEY not in "".join([str(caught.value), *ours])


def test_pieces_without_a_size() -> None:
    """A body that comes in pieces needs its size."""
    with pytest.raises(ValueError, match="needs a size"):
        ask(1, body=pieces(5))


@pytest.mark.parametrize("size", [0, 1, 4_999, 5_001, 100_000])
def test_pieces_of_another_size(size: int) -> None:
    """A body that is not as long as announced is an error, and the server has no whole request."""

    def serve(peer: Peer, client: socket.socket) -> None:
        peer.take(client, 2 * BIG)

    with Peer(serve) as peer, pytest.raises(ValueError, match="octets that were announced"):
        ask(peer.port, body=pieces(5_000), size=size)

    head, _, body = peer.read.partition(b"\r\n\r\n")
    assert not head or len(body) < size


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mail.example",
        "https://",
        "https://a b/",
        "https://me@a.example/",
        "https://a.example/#x",
    ],
)
def test_wrong_urls(url: str) -> None:
    """A URL that no request can be sent to is an error, which does not show it."""
    with pytest.raises(ValueError, match="not a URL that a request can be sent to") as caught:
        split(url)

    assert not url or url not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://api.example.com/", True),
        ("http://localhost:8000/", True),
        ("http://127.0.0.1/", True),
        ("http://[::1]/", True),
        ("http://api.example.com/", False),
        ("http://localhost.example.com/", False),
        ("ftp://localhost/", False),
    ],
)
def test_private(url: str, private: bool) -> None:
    """A secret goes by https, or stays on this machine."""
    assert is_private(split(url)) is private
