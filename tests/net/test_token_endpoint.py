"""OAuthToken with a token endpoint that refuses, answers something else, or does not answer."""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import ssl
import threading
import traceback
import typing as t
import urllib.parse

import pytest

from flask_mailhandler import OAuthToken
from flask_mailhandler.net.http.connection import verifying_context
from flask_mailhandler.phase import Phase
from servers.dead_ends import black_hole
from servers.dead_ends import closed_port
from servers.token_server import answer
from servers.token_server import page
from servers.token_server import Said
from servers.token_server import TokenServer
from tokens import failure
from tokens import GIVEN
from tokens import of_client
from tokens import of_user
from tokens import REFRESH
from tokens import SECRET
from tokens import TOKEN

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable
    from collections.abc import Iterator

    from servers.certificates import Certificates


# Refused


@pytest.mark.parametrize(
    ("status", "fields", "temporary", "text"),
    [
        (400, {"error": "invalid_grant"}, False, "set the new refresh token"),
        (401, {"error": "invalid_client"}, False, "Check client_id and client_secret"),
        (400, {"error": "unauthorized_client"}, False, "check client_id and tenant"),
        (400, {"error": "invalid_scope"}, False, "Check scope"),
        (400, {"error": "unsupported_grant_type"}, False, "without it client credentials"),
        (400, {"error": "invalid_request"}, False, "Check the URL or tenant"),
        (400, {"error": "interaction_required"}, False, "must sign in again"),
        (400, {"error": "odd", "error_description": "a\r\nb\0"}, False, r"400 odd (a b\x00)."),
        (400, {"error": {"code": 7}, "error_description": []}, False, "it answered 400."),
        (400, {"error": "temporarily_unavailable"}, True, "it answered 400 temporarily_un"),
        (408, {}, True, "it answered 408."),
        (429, {"error": "slow_down"}, True, "it answered 429 slow_down."),
        (500, {}, True, "it answered 500."),
        (503, {"error": "invalid_grant"}, True, "it answered 503 invalid_grant"),
        (404, {"access_token": TOKEN}, False, "it answered 404."),
        (200, {"token": TOKEN}, False, "There is no bearer token in the answer: check the URL."),
        (200, {"access_token": ""}, False, "There is no bearer token"),
        (200, {"access_token": "two words"}, False, "There is no bearer token"),
        (200, {"access_token": 5}, False, "There is no bearer token"),
        (200, {"access_token": TOKEN, "token_type": "mac"}, False, "There is no bearer token"),
    ],
)
def test_refused(status: int, fields: dict[str, t.Any], temporary: bool, text: str) -> None:
    """RFC 6749 section 5.2: each error says what to do, and whether later may help."""
    with TokenServer(answer(status, **fields)) as server:
        error = failure(of_client(server))

    assert "No OAuth token from 127.0.0.1: it answered" in str(error)
    assert text in str(error)
    assert error.temporary is temporary
    assert error.phase is Phase.AUTH


@pytest.mark.parametrize(
    ("said", "temporary", "text"),
    [
        (page(200, b"<html>"), False, "it answered 200. There is no bearer token"),
        (page(200, b"\xff\xfe"), False, "it answered 200."),
        (page(200, b"[]"), False, "it answered 200."),
        (page(200, b"[" * 60000), False, "it answered 200."),
        (page(200, b" " * 70000), True, "longer than 65536 octets"),
        (page(502, b"<html>" * 1000), True, "it answered 502."),
        (GIVEN[:-1], True, "its response broke off"),
        (GIVEN[:10], True, "its response"),
        (b"220 mail.example.com ESMTP\r\n", True, "its response is not HTTP"),
        (b"HTTP/1.1 200 x\r\n" + b"a: b\r\n" * 1000, True, "its response is not HTTP"),
        (b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", True, "broke off"),
        (b"", True, "closed the connection"),
    ],
)
def test_odd_answers(said: bytes, temporary: bool, text: str, no_leaks: None) -> None:
    """An answer that is not a token endpoint's gives no token."""
    with TokenServer(said) as server:
        error = failure(of_client(server))

    assert text in str(error)
    assert error.temporary is temporary


def test_chunked() -> None:
    """An answer in chunks is an answer."""
    body = GIVEN.partition(b"\r\n\r\n")[2]
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (5, body[:5], len(body) - 5, body[5:])
    head = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with TokenServer(head + chunks) as server:
        assert of_client(server)() == TOKEN


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirection(status: int) -> None:
    """Secrets: secrets are not sent to the target of a redirection."""
    with TokenServer(GIVEN) as other:
        with TokenServer(page(status, b"", f"Location: {other.url}")) as server:
            error = failure(of_client(server))
        assert other.requests.empty()

    assert "set the URL of the endpoint" in str(error)
    assert not error.temporary


def drip(over: threading.Event) -> Iterator[bytes]:
    """The right answer, too slowly: each octet comes long before the time is over, and the last
    one never."""
    for octet in GIVEN[:-1]:
        over.wait(0.02)
        yield bytes([octet])
    over.wait(60)


def silence(over: threading.Event) -> Iterator[bytes]:
    """No answer for as long as a test may have to wait."""
    over.wait(60)
    yield GIVEN


@pytest.mark.parametrize("said", [drip, silence])
def test_slow(said: Callable[[threading.Event], Iterable[bytes]], no_leaks: None) -> None:
    """The time allowed is for the whole answer, however it comes."""
    over = threading.Event()
    with TokenServer(lambda: said(over)) as server:
        error = failure(of_client(server, timeout=0.3))
        over.set()

    assert str(error).endswith("no response within the time allowed.")
    assert error.temporary


def test_nobody_there(no_leaks: None) -> None:
    """Without a connection the error is temporary, and names the host."""
    with closed_port() as port:
        token = OAuthToken(f"http://localhost:{port}/", client_id="app", client_secret=SECRET)

        error = failure(token)

    assert str(error) == "No OAuth token from localhost: Connection refused."
    assert error.temporary


@pytest.mark.parametrize("dead_end", [closed_port, black_hole])
def test_the_next_address(
    dead_end: Callable[[], contextlib.AbstractContextManager[int]],
    monkeypatch: pytest.MonkeyPatch,
    no_leaks: None,
) -> None:
    """If an address refuses or does not answer, the next one is asked."""
    with TokenServer(GIVEN) as server, dead_end() as dead:
        addresses = [("127.0.0.1", dead), ("127.0.0.1", server.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in addresses]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        assert of_client(server, timeout=60)() == TOKEN


# TLS


def test_tls(certificates: Certificates, no_leaks: None) -> None:
    """Https with your own context."""
    with TokenServer(GIVEN, tls=certificates.valid) as server:
        assert of_client(server, tls_context=certificates.client())() == TOKEN


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("expired", "certificate has expired"),
        ("wrong_host", "certificate is not valid for '127.0.0.1'"),
        ("untrusted", "unable to get local issuer certificate"),
    ],
)
def test_bad_certificates(certificates: Certificates, kind: str, text: str, no_leaks: None) -> None:
    """No secret is sent to a server that cannot prove its name."""
    with TokenServer(GIVEN, tls=getattr(certificates, kind)) as server:
        error = failure(of_client(server, tls_context=certificates.client()))
        assert server.requests.empty()

    assert "its certificate was not accepted: " in str(error)
    assert text in str(error)
    assert not error.temporary


def test_system_authorities(certificates: Certificates, no_leaks: None) -> None:
    """Without a context the system's authorities decide."""
    with TokenServer(GIVEN, tls=certificates.valid) as server:
        error = failure(of_client(server))
        assert server.requests.empty()

    assert "its certificate was not accepted: " in str(error)


def test_absolute_name(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, no_leaks: None
) -> None:
    """A dot at the end of the host is for the resolver, and not part of the name that the
    certificate must have."""
    asked = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *given, **named: asked(host.removesuffix("."), *given, **named),
    )
    with TokenServer(GIVEN, tls=certificates.valid) as server:
        server.url = server.url.replace("127.0.0.1", "localhost.")
        assert of_client(server, tls_context=certificates.client())() == TOKEN


def test_common_name() -> None:
    """RFC 9525 section 6.3: a common name does not count here either."""
    assert not verifying_context().hostname_checks_common_name


# Secrets


def shown_in(text: str) -> list[str]:
    """The secrets that are in *text*, plain or URL-encoded."""
    plain = (SECRET, REFRESH, TOKEN)
    return [form for form in (*plain, *map(urllib.parse.quote_plus, plain)) if form in text]


def everything_about(error: BaseException) -> str:
    """A traceback with the local variables of every frame of every error in the chain, except those
    of this file, which hold the secrets."""
    found, waiting = [], [error]
    while waiting:
        current = waiting.pop()
        frames = traceback.TracebackException.from_exception(current, capture_locals=True).stack
        found += [str(frame.locals) for frame in frames if frame.filename != __file__]
        found += [repr(current), str(current), repr(vars(current))]
        waiting += [other for other in (current.__cause__, current.__context__) if other]
    return "\n".join(found)


def held_back() -> Iterator[bytes]:
    yield GIVEN[:-1]
    threading.Event().wait(0.5)


SPOILT: list[bytes | Callable[[], Iterable[bytes]]] = [
    GIVEN[:-1],
    held_back,
    GIVEN.replace(b"200", b"400"),
    GIVEN.replace(b"Bearer", b"mac"),
    GIVEN.replace(b"}", b""),
    b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\nzz"
    % (len(TOKEN), TOKEN.encode()),
    f"{SECRET} {REFRESH} {TOKEN}\r\n\r\n".encode(),
    page(400, SECRET.encode()),
    answer(400, error="invalid_grant", error_description=f"I know no {REFRESH} of {SECRET}"),
    answer(400, error=REFRESH, error_description=urllib.parse.quote_plus(SECRET)),
]


@pytest.mark.parametrize("said", SPOILT)
@pytest.mark.parametrize("encrypted", [True, False])
def test_secrets(
    certificates: Certificates,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    encrypted: bool,
    said: bytes | Callable[[], Iterable[bytes]],
) -> None:
    """Secrets: they are in no log, repr, output, error or traceback with local variables, whatever
    the server repeats."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    with TokenServer(said, tls=certificates.valid if encrypted else None) as server:
        token = of_user(server, tls_context=certificates.client(), timeout=0.3)
        error = failure(token)

    seen = [
        everything_about(error),
        repr(token),
        repr(vars(token)),
        caplog.text,
        *capsys.readouterr(),
    ]
    assert shown_in("\n".join(seen)) == []


@pytest.mark.parametrize(("where", "call"), [("sendall", 1), ("recv", 3)])
def test_secrets_of_an_interrupt(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, where: str, call: int
) -> None:
    """Secrets: an interrupt in the middle shows none either, and the next call starts again."""
    plain = getattr(ssl.SSLSocket, where)
    calls: list[None] = []

    def interrupted(self: ssl.SSLSocket, *given: t.Any) -> t.Any:
        if self.server_side:
            return plain(self, *given)
        calls.append(None)
        # Everything is sent in one write. Before it, it is looked whether an answer is there;
        # what is received comes whole, and its end is asked for.
        if len(calls) == call:
            raise KeyboardInterrupt
        return plain(self, *given)

    chunk = b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (
        len(TOKEN),
        TOKEN.encode(),
    )
    # A request that was interrupted is not answered.
    answers: list[Said] = [GIVEN] if where == "sendall" else [lambda: iter([chunk]), GIVEN]
    with TokenServer(*answers, tls=certificates.valid) as server:
        token = of_user(server, tls_context=certificates.client())
        with monkeypatch.context() as patch:
            patch.setattr(ssl.SSLSocket, where, interrupted)
            with pytest.raises(KeyboardInterrupt) as caught:
                token()

        assert shown_in(everything_about(caught.value)) == []
        assert token() == TOKEN
