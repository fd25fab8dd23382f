"""OAuthToken against a real token endpoint."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
import types
import typing as t

import pytest
import trustme

from flask_mailhandler import ConfigurationError
from flask_mailhandler import LoginError
from flask_mailhandler import OAuthToken
from flask_mailhandler import Secret
from flask_mailhandler.net.deadline import Deadline
from pooling import Call
from pooling import Hold
from sending import letter
from sending import smtp
from servers.token_server import answer
from servers.token_server import TokenServer
from servers.waiting import until
from tokens import failure
from tokens import GIVEN
from tokens import of_client
from tokens import of_user
from tokens import REFRESH
from tokens import SECRET
from tokens import TOKEN

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterator
    from pathlib import Path

    from sending import Scripted


def in_thread(call: Callable[[], str]) -> tuple[threading.Thread, list[str | LoginError]]:
    """Call it in its own thread; the result is put in the list."""
    found: list[str | LoginError] = []

    def run() -> None:
        try:
            found.append(call())
        except LoginError as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, found


def waits(thread: threading.Thread) -> bool:
    """Whether the thread waits for another one."""
    frame = sys._current_frames().get(thread.ident or 0)
    if frame is None or frame.f_code.co_name != "_wait_or_ask":
        return False
    return "asking" in frame.f_locals  # it has looked for an earlier failure by then


class Gate:
    """Holds an answer back until the test opens it."""

    def __init__(self, held: bytes) -> None:
        self.held = held
        self.open = threading.Event()

    def __call__(self) -> Iterator[bytes]:
        assert self.open.wait(60)
        yield self.held


# The two flows


def test_client_credentials() -> None:
    """RFC 6749 section 4.4.2: the form of client credentials."""
    with TokenServer(GIVEN) as server:
        token = of_client(server, scope="mail.send offline")

        assert token() == TOKEN
        request = server.asked()

    assert request.target == "/token"
    assert request.headers["Host"] == f"127.0.0.1:{server.port}"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.form == {
        "grant_type": "client_credentials",
        "client_id": "app",
        "client_secret": SECRET,
        "scope": "mail.send offline",
    }


def test_refresh_token() -> None:
    """RFC 6749 section 6: the form of a refresh; a public client has no secret, and without a scope
    the granted one counts."""
    with TokenServer(GIVEN) as server:
        token = OAuthToken(f"{server.url}?a=b", client_id="app", refresh_token=Secret(REFRESH))

        assert token() == TOKEN
        request = server.asked()

    assert request.target == "/token?a=b"
    assert request.form == {
        "grant_type": "refresh_token",
        "client_id": "app",
        "refresh_token": REFRESH,
    }


@pytest.mark.parametrize(
    ("lifetime", "kept"),
    [
        ({"expires_in": 3600}, 3540),
        ({"expires_in": "3600"}, 3540),
        ({"expires_in": 100}, 50),
        ({"expires_in": 0}, 0),
        ({}, 240),
        ({"expires_in": None}, 240),
        ({"expires_in": -1}, 240),
        ({"expires_in": 1e400}, 240),
        ({"expires_in": "soon"}, 240),
    ],
)
def test_kept(monkeypatch: pytest.MonkeyPatch, lifetime: dict[str, t.Any], kept: float) -> None:
    """A token is requested once until a minute before it expires, or half of a short life."""
    now = [1000.0]
    clock = types.SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("flask_mailhandler.net.oauth.token.time", clock)
    asked = []
    with TokenServer(answer(access_token=TOKEN, **lifetime)) as server:
        token = of_client(server)
        for moment in (0, max(0, kept - 1), kept, kept + 1):
            now[0] = 1000.0 + moment
            token()
            asked.append(server.requests.qsize())

    assert asked == ([1, 1, 2, 2] if kept else [1, 2, 3, 4])


def test_forget() -> None:
    """A token that the mail server refused is not returned again; another one is."""
    second = answer(access_token="second", expires_in=3600)
    with TokenServer(GIVEN, second) as server:
        token = of_client(server)
        token.forget(TOKEN)
        token()
        token.forget("another")
        assert token() == TOKEN

        token.forget(TOKEN)

        assert token() == "second"
        token.forget(TOKEN)
        assert token() == "second"
        assert server.requests.qsize() == 2


def test_rotated() -> None:
    """RFC 6749 section 6: a new refresh token replaces the old one, and on_refresh_token is called
    once."""
    told: list[str] = []
    rotated = answer(access_token=TOKEN, refresh_token="new", expires_in=0)
    with TokenServer(rotated) as server:
        token = of_user(server, on_refresh_token=told.append)
        for _ in range(3):
            token()
        used = [server.asked().form["refresh_token"] for _ in range(3)]

    assert used == [REFRESH, "new", "new"]
    assert told == ["new"]


def test_rotated_without_anybody_to_tell() -> None:
    """A refresh token for a client that was given none is not kept."""
    with TokenServer(answer(access_token=TOKEN, refresh_token="new", expires_in=0)) as server:
        user, client = of_user(server), of_client(server)
        forms = [(token(), server.asked().form)[1] for token in (user, user, client, client)]

    assert [form.get("refresh_token") for form in forms] == [REFRESH, "new", None, None]


def test_rotated_and_not_stored(caplog: pytest.LogCaptureFixture) -> None:
    """If on_refresh_token raises, that is logged without the token, and the access token is
    valid."""

    def store(refresh_token: str) -> None:
        raise OSError(f"INSERT INTO tokens VALUES ('{refresh_token}')")

    with TokenServer(answer(access_token=TOKEN, refresh_token="new-one", expires_in=60)) as server:
        assert of_user(server, on_refresh_token=store)() == TOKEN

    (record,) = caplog.records
    assert "on_refresh_token raised OSError" in record.getMessage()
    assert "new-one" not in caplog.text
    assert record.exc_info is None


# Threads and processes


def test_one_at_a_time(no_leaks: None) -> None:
    """Of threads that need a token at once, one asks, and the others get the same."""
    gate = Gate(GIVEN)
    with TokenServer(gate) as server:
        token = of_client(server)
        first, *others = [in_thread(token) for _ in range(8)]
        until(lambda: server.requests.qsize(), 60, "the one that asks")
        until(lambda: sum(waits(thread) for thread, _ in (first, *others)) == 7, 60, "threads")
        gate.open.set()
        for thread, _ in (first, *others):
            thread.join()

    assert [found for _, found in (first, *others)] == [[TOKEN]] * 8
    assert server.requests.qsize() == 1


def test_one_failure_for_all() -> None:
    """A thread that waited for a failed attempt gets its error; a later thread tries again."""
    gate = Gate(answer(400, error="invalid_grant"))
    with TokenServer(gate, GIVEN) as server:
        token = of_user(server)
        threads = [in_thread(token) for _ in range(4)]
        until(lambda: server.requests.qsize(), 60, "the one that asks")
        until(lambda: sum(waits(thread) for thread, _ in threads) == 3, 60, "threads")
        gate.open.set()
        for thread, _ in threads:
            thread.join()

        assert server.requests.qsize() == 1
        assert token() == TOKEN

    errors = [found[0] for _, found in threads]
    assert all(isinstance(error, LoginError) and not error.temporary for error in errors)
    assert len({str(error) for error in errors}) == 1
    assert len({id(error) for error in errors}) == 4


def test_waiting_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting for another thread takes no longer than the time allowed."""
    storing, stored = threading.Event(), threading.Event()

    def store(_: str) -> None:
        storing.set()
        assert stored.wait(60)

    with TokenServer(answer(access_token=TOKEN, refresh_token="new", expires_in=0)) as server:
        token = of_user(server, on_refresh_token=store, timeout=60)
        thread, _ = in_thread(token)
        assert storing.wait(60)

        # The second thread has less of it; the first has its deadline.
        monkeypatch.setattr(
            "flask_mailhandler.net.oauth.token.Deadline", lambda seconds: Deadline(seconds / 200)
        )
        error = failure(token)
        stored.set()
        thread.join()

    assert "another thread" in str(error)
    assert error.temporary


FORKING = """
import os, sys, threading
from flask_mailhandler import OAuthToken

token = OAuthToken(sys.argv[1], client_id="app", client_secret="secret", timeout=60)
thread = threading.Thread(target=token)
thread.start()
sys.stdin.readline()
child = os.fork()
if child == 0:
    print(token(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
thread.join()
print(token(), flush=True)
"""


def test_fork() -> None:
    """F-96: a process forked while another thread asks for a token asks by itself."""
    gate = Gate(answer(access_token="parent", expires_in=3600))
    with (
        TokenServer(gate, answer(access_token="child", expires_in=3600)) as server,
        subprocess.Popen(
            [sys.executable, "-c", FORKING, server.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdin and process.stdout
        server.asked()
        process.stdin.write("\n")
        process.stdin.flush()
        child = process.stdout.readline()
        gate.open.set()
        parent = process.stdout.readline()

    assert [child, parent] == ["child\n", "parent\n"]
    assert process.returncode == 0


# Gmail and Microsoft 365


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., TokenServer]:
    """Google and Microsoft, on this machine: their names lead to the server, which has their
    certificate from an authority that the system trusts."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("oauth2.googleapis.com", "login.microsoftonline.com").configure_cert(
        context
    )
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    known = {"oauth2.googleapis.com", "login.microsoftonline.com"}

    def start() -> TokenServer:
        server = TokenServer(GIVEN, tls=context)
        to = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", server.port))

        def look_up(host: str, port: int, **_: object) -> list[t.Any]:
            assert host in known
            assert port == 443
            return [to]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        return server

    return start


def test_gmail(internet: Callable[[], TokenServer]) -> None:
    """Gmail: the endpoint and the scope that SMTP needs."""
    with internet() as server:
        token = OAuthToken.gmail(client_id="app", client_secret=SECRET, refresh_token=REFRESH)
        assert token() == TOKEN
        request = server.asked()

    assert (request.headers["Host"], request.target) == ("oauth2.googleapis.com", "/token")
    assert request.form == {
        "grant_type": "refresh_token",
        "client_id": "app",
        "client_secret": SECRET,
        "refresh_token": REFRESH,
        "scope": "https://mail.google.com/",
    }


@pytest.mark.parametrize(
    ("options", "form"),
    [
        (
            {"client_secret": SECRET},
            {
                "grant_type": "client_credentials",
                "client_secret": SECRET,
                "scope": "https://outlook.office365.com/.default",
            },
        ),
        (
            {"refresh_token": REFRESH},
            {
                "grant_type": "refresh_token",
                "refresh_token": REFRESH,
                "scope": "https://outlook.office.com/SMTP.Send offline_access",
            },
        ),
        (
            {"client_secret": SECRET, "graph": True},
            {
                "grant_type": "client_credentials",
                "client_secret": SECRET,
                "scope": "https://graph.microsoft.com/.default",
            },
        ),
        (
            {"refresh_token": REFRESH, "graph": True},
            {
                "grant_type": "refresh_token",
                "refresh_token": REFRESH,
                "scope": "https://graph.microsoft.com/Mail.Send offline_access",
            },
        ),
    ],
)
def test_microsoft365(
    internet: Callable[[], TokenServer], options: dict[str, t.Any], form: dict[str, str]
) -> None:
    """Microsoft: the tenant's endpoint, and the scope of an app or of a user."""
    with internet() as server:
        assert OAuthToken.microsoft365(tenant="x.example", client_id="app", **options)() == TOKEN
        request = server.asked()

    assert request.headers["Host"] == "login.microsoftonline.com"
    assert request.target == "/x.example/oauth2/v2.0/token"
    assert request.form == {"client_id": "app", **form}


# The configuration

ENDPOINT = "https://login.example.com/token"


@pytest.mark.parametrize(
    ("url", "options", "text"),
    [
        (ENDPOINT, {"client_secret": None}, "needs a client_secret, a refresh_token, or both"),
        (ENDPOINT, {"client_secret": ""}, "client_secret must be text, not empty"),
        (ENDPOINT, {"client_secret": SECRET + "\n"}, "without a line end"),
        (ENDPOINT, {"client_secret": SECRET + "\ud800"}, "client_secret must be text"),
        (ENDPOINT, {"refresh_token": 5}, "refresh_token must be text"),
        (ENDPOINT, {"client_id": None}, "client_id must be text"),
        (ENDPOINT, {"timeout": 0}, "timeout must be a number of seconds"),
        (ENDPOINT, {"scope": ["smtp.send"]}, "scope must be text"),
        (ENDPOINT, {"on_refresh_token": "token.txt"}, "on_refresh_token must be a function"),
        (ENDPOINT, {"tls_context": "ca.pem"}, "tls_context must be an ssl.SSLContext"),
        (None, {}, "must be like"),
        (5, {}, "must be like"),
        (f"http://login.example.com/{SECRET[:6]}", {}, "must have an https URL"),
        (f"ftp://127.0.0.1/{SECRET[:6]}", {}, "must have an https URL"),
        (f"https://app:{SECRET[:6]}@login.example.com/", {}, "must be like"),
        ("login.example.com/token", {}, "must be like"),
        ("https:///token", {}, "must be like"),
        ("https://login.example.com:99999/", {}, "must be like"),
        ("https://login.example.com:0/", {}, "must be like"),
        ("https://a..b/", {}, "must be like"),
        ("https://[::1/", {}, "must be like"),
        ("https://login.example.com/a b", {}, "must be like"),
        ("https://login.example.com/\r\nx: y", {}, "must be like"),
        ("https://login.example.com/#token", {}, "must be like"),
    ],
)
def test_wrong_configuration(url: t.Any, options: dict[str, t.Any], text: str) -> None:
    """An unusable value is refused where it is written, without the secret in the text."""
    with pytest.raises(ConfigurationError, match=text) as caught:
        OAuthToken(url, **({"client_id": "app", "client_secret": SECRET} | options))

    assert SECRET[:6] not in str(caught.value).replace("client_secret", "")


@pytest.mark.parametrize(
    ("tenant", "text"),
    [
        ("common", "tenant cannot be 'common'"),
        ("", "tenant must be text"),
        (None, "tenant must be text"),
        ("a/b", "tenant must be the directory"),
    ],
)
def test_wrong_tenant(tenant: t.Any, text: str) -> None:
    """Microsoft 365: a client with its own credentials belongs to one tenant."""
    with pytest.raises(ConfigurationError, match=text):
        OAuthToken.microsoft365(tenant=tenant, client_id="app", client_secret=SECRET)


def test_repr() -> None:
    """State prints itself, without secrets."""
    with TokenServer(GIVEN) as server:
        token = of_user(server)
        before = repr(token)
        token()

    assert before == "<OAuthToken of app from 127.0.0.1, none held>"
    assert repr(token).startswith("<OAuthToken of app from 127.0.0.1, 35")


# The login


def test_login(scripted: Scripted) -> None:
    """A session logs in with the token, and the next one with the same."""
    with TokenServer(GIVEN) as endpoint:
        server = scripted(tokens={"ann": TOKEN})
        token = of_client(endpoint)
        for _ in range(2):
            (report,) = smtp(server, username="ann", oauth_token=token).send([letter()])
            assert report.ok
        assert endpoint.requests.qsize() == 1


def test_fresh_login(scripted: Scripted) -> None:
    """PROTOCOL 14: a token that the mail server has revoked early is requested again, once, and
    kept from then on."""
    first = answer(access_token="first", expires_in=3600)
    second = answer(access_token="second", expires_in=3600)
    with TokenServer(first, second) as endpoint:
        server = scripted(tokens={"ann": "second"})
        token = of_client(endpoint)
        for _ in range(2):
            (report,) = smtp(server, username="ann", oauth_token=token).send([letter()])
            assert report.ok
        assert endpoint.requests.qsize() == 2

    assert [accepted.connection for accepted in server.accepted] == [1, 2]


def test_fresh_logins_at_once(scripted: Scripted) -> None:
    """PROTOCOL 14: sessions whose token is refused at the same time share a fresh one."""
    first = answer(access_token="first", expires_in=3600)
    second = answer(access_token="second", expires_in=3600)
    refusal = Hold("535 5.7.8 no")
    with TokenServer(first, second) as endpoint:
        server = scripted(tokens={"ann": "second"}, on={"AUTH": [refusal] * 3})
        handler = smtp(server, username="ann", oauth_token=of_client(endpoint), pool_size=3)
        calls = [Call(lambda: handler.send([letter()])) for _ in range(3)]
        for _ in calls:
            refusal.reached()
        refusal.let_go()
        assert all(call.result()[0].ok for call in calls)
        assert endpoint.requests.qsize() == 2


def test_no_fresh_login(scripted: Scripted) -> None:
    """PROTOCOL 14: the token endpoint's answer is the error, and the next message asks it again."""
    second = answer(access_token="second", expires_in=3600)
    with TokenServer(GIVEN, answer(503, error="temporarily_unavailable"), second) as endpoint:
        server = scripted(tokens={"ann": "second"})
        handler = smtp(server, username="ann", oauth_token=of_client(endpoint))
        (failed,) = handler.send([letter()])
        (report,) = handler.send([letter()])

    assert isinstance(failed.error, LoginError) and failed.error.temporary
    assert "it answered 503 temporarily_unavailable." in str(failed.error)
    assert report.ok


@pytest.mark.parametrize(("status", "temporary"), [(400, False), (503, True)])
def test_no_login(scripted: Scripted, status: int, temporary: bool) -> None:
    """A login without a token fails with the endpoint's answer, and no message was accepted."""
    with TokenServer(answer(status, error="invalid_client")) as endpoint:
        server = scripted(tokens={"ann": TOKEN})
        handler = smtp(server, username="ann", oauth_token=of_client(endpoint))
        (report,) = handler.send([letter()])

    assert isinstance(report.error, LoginError)
    assert f"it answered {status} invalid_client." in str(report.error)
    assert report.error.temporary is temporary
    assert not any(command.startswith(("AUTH", "MAIL")) for command in server.commands)
