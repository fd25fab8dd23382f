"""Which requests may see the mailbox: each rule, with the attack that it prevents."""

from __future__ import annotations

import logging
import socket
import typing as t
from pathlib import Path

import pytest
from flask import Flask
from flask import request
from flask import Response
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_mailhandler import ConfigurationError
from flask_mailhandler import Mail
from mailbox_app import app_with_mailbox
from mailbox_app import keep
from servers.flask_server import served

# Many examples, which are the same on every version of Python.
pytestmark = pytest.mark.slow

Headers: t.TypeAlias = "dict[str, str]"
PATHS = ["/_mail/", "/_mail/list", "/_mail/api/messages", "/_mail/static/mailbox.js"]
SAME = {"Origin": "http://localhost"}


def status(app: Flask, path: str = "/_mail/", peer: str = "127.0.0.1", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with app.test_client().get(path, headers=named, environ_base={"REMOTE_ADDR": peer}) as found:
        return found.status_code


def allow(app: Flask, answer: bool) -> None:
    app.extensions["mailhandler"].allow_mailbox(lambda: answer)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("debug", "mailbox", "allowed", "registered", "seen"),
    [
        (False, None, False, False, False),  # production without configuration: no route
        (False, None, True, False, False),
        (False, True, False, True, False),  # enabled, but the function does not agree
        (False, True, True, True, True),
        (True, None, False, True, True),
        (True, True, False, True, True),
        (True, False, False, False, False),  # disabled in debug mode
        (True, False, True, False, False),
    ],
)
def test_when_there_is_a_page(
    tmp_path: Path,
    path: str,
    debug: bool,
    mailbox: bool | None,
    allowed: bool,
    registered: bool,
    seen: bool,
) -> None:
    """There is a route in debug mode or with MAIL_MAILBOX. It returns 404 unless the app is in
    debug mode or its function agrees."""
    app = app_with_mailbox(tmp_path, debug=debug, mailbox=mailbox)
    if allowed:
        allow(app, True)

    assert ("mailhandler" in app.blueprints) is registered
    assert status(app, path) == (200 if seen else 404)


def test_debug_mode_counts_at_each_request(tmp_path: Path) -> None:
    """An app that leaves debug mode after init_app no longer shows the mailbox."""
    app = app_with_mailbox(tmp_path)
    app.debug = False

    assert status(app) == 404


@pytest.mark.parametrize(
    "peer", ["192.0.2.7", "10.0.0.2", "172.17.0.1", "::ffff:192.0.2.7", "", "unix:"]
)
@pytest.mark.parametrize("path", PATHS)
def test_other_machines(tmp_path: Path, path: str, peer: str) -> None:
    """Attack: the debug server listens on 0.0.0.0, and another machine in the network requests the
    page."""
    assert status(app_with_mailbox(tmp_path), path, peer) == 404


@pytest.mark.parametrize("path", ["/_mail", "/_mail/", "/_mail/clear", "/_mail/x", "/_mail/list/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_strangers_learn_nothing(tmp_path: Path, path: str, method: str) -> None:
    """Whatever another machine requests, the response is that of an app without a mailbox."""
    app = app_with_mailbox(tmp_path)

    found = app.test_client().open(path, method=method, environ_base={"REMOTE_ADDR": "192.0.2.7"})

    assert (found.status_code, "Allow" in found.headers) == (404, False)


def test_the_rest_of_the_app(tmp_path: Path) -> None:
    """The rules do not apply to other pages of the app."""
    app = app_with_mailbox(tmp_path)
    app.add_url_rule("/_mailing", "mailing", lambda: "x")

    assert status(app, "/_mailing", "192.0.2.7") == 200
    assert status(app, "/_mail") == 200


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine(tmp_path: Path, peer: str) -> None:
    """Every address of this machine may see the page."""
    assert status(app_with_mailbox(tmp_path), peer=peer) == 200


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("LOCALHOST", True),
        ("shop.localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("[::1]:5000", True),
        ("attacker.example", False),
        ("attacker.example:5000", False),
        ("localhost.attacker.example", False),
        ("127.0.0.1.attacker.example", False),
        ("127.0.0.1@attacker.example", False),
        ("attacker.example#localhost", False),
        ("localhost:80:attacker.example", False),
        ("192.0.2.7:5000", False),
        ("0.0.0.0:5000", False),
        ("[::1].attacker.example", False),
        ("", False),
        # The log shortens the value, but all of it is checked.
        (f"{'x' * 70}.localhost.attacker.example", False),
    ],
)
def test_dns_rebinding(tmp_path: Path, host: str, seen: bool) -> None:
    """Attack: the name of a site resolves to 127.0.0.1, so that its script has the page's origin.
    The Host reveals it."""
    found = status(app_with_mailbox(tmp_path), Host=host)

    assert (found == 200) is seen
    assert found in (200, 400, 404)


@pytest.mark.parametrize(
    "header",
    [
        *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
        *("X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP", "Cf-Ray"),
        *("X-Original-Host", "Ngrok-Trace-Id", "Tailscale-User-Login", "Fly-Client-IP"),
        *("X-Amzn-Trace-Id", "X-Amz-Cf-Id", "X-Cluster-Client-Ip", "CDN-Loop"),
        *("X-Cloud-Trace-Context", "X-Azure-Ref", "X-Azure-ClientIP", "X-Vercel-Id"),
        *("Fastly-Client-IP", "Fastly-SSL", "X-AppEngine-Country"),
    ],
)
def test_proxies(tmp_path: Path, header: str) -> None:
    """Attack: a tunnel or a proxy on this machine forwards requests from the internet. The peer is
    loopback, and the proxy may set the Host."""
    app = app_with_mailbox(tmp_path)

    found = app.test_client().get("/_mail/", headers={header: "127.0.0.1"})

    assert found.status_code == 404


@pytest.mark.parametrize(
    ("protocol", "seen"),
    [("HTTP/0.9", 404), ("HTTP/1.0", 404), ("HTTP/1.1", 200), ("HTTP/2", 200), ("HTTP/3", 200)],
)
def test_a_plain_proxy(tmp_path: Path, protocol: str, seen: int) -> None:
    """Attack: a plain nginx forwards requests by HTTP/1.0, with its own Host and no other header.
    Browsers do not use HTTP/1.0."""
    found = (
        app_with_mailbox(tmp_path)
        .test_client()
        .get(
            "/_mail/",
            environ_overrides={"SERVER_PROTOCOL": protocol},
            headers={"Host": "127.0.0.1:5000"},
        )
    )

    assert found.status_code == seen


@pytest.mark.parametrize(("version", "seen"), [(b"1.0", b"404"), (b"1.1", b"200")])
def test_a_plain_proxy_by_the_wire(tmp_path: Path, version: bytes, seen: bytes) -> None:
    """The development server passes on the HTTP version of the request, and responds with its
    own."""
    with served(app_with_mailbox(tmp_path)) as address:
        port = int(address.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(
                b"GET /_mail/ HTTP/%b\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n"
                % (version, port)
            )
            assert connection.makefile("rb").readline().split()[1] == seen


def test_a_proxy_that_is_believed(tmp_path: Path) -> None:
    """Attack: behind ProxyFix, a client writes X-Forwarded-For: 127.0.0.1 itself."""
    app = app_with_mailbox(tmp_path)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_host=1)  # type: ignore[method-assign]

    assert status(app, X_Forwarded_For="127.0.0.1", X_Forwarded_Host="localhost") == 404
    assert status(app) == 404


@pytest.mark.parametrize(
    ("site", "mode", "dest", "seen"),
    [
        ("none", "navigate", "document", True),  # a typed URL or a bookmark
        ("same-origin", "cors", "empty", True),
        ("cross-site", "navigate", "document", True),  # a link, whose site cannot read the page
        ("cross-site", "no-cors", "script", False),
        ("cross-site", "no-cors", "image", False),
        ("cross-site", "cors", "empty", False),
        ("cross-site", "navigate", "iframe", False),
        ("same-site", "cors", "empty", False),  # another port of this machine
    ],
)
def test_other_sites(tmp_path: Path, site: str, mode: str, dest: str, seen: bool) -> None:
    """Attack: a page that the developer visits loads the mailbox as a script, an image or a frame,
    or fetches it where the app allows every origin."""
    found = status(
        app_with_mailbox(tmp_path),
        "/_mail/api/messages",
        Sec_Fetch_Site=site,
        Sec_Fetch_Mode=mode,
        Sec_Fetch_Dest=dest,
    )

    assert (found == 200) is seen


@pytest.mark.parametrize(
    ("origin", "seen"),
    [
        ("http://localhost", True),
        ("http://localhost:3000", True),  # another app of this machine; it cannot read the answer
        ("http://[::1]:5000", True),
        ("https://attacker.example", False),
        ("http://localhost.attacker.example", False),
        ("http://attacker.example:5000", False),
        ("http://192.0.2.7", False),
        ("null", False),  # a sandboxed frame
        ("localhost", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_foreign_origins(tmp_path: Path, method: str, origin: str, seen: bool) -> None:
    """Attack: a page fetches the mailbox across origins, in a browser without Sec-Fetch-Site."""
    client = app_with_mailbox(tmp_path).test_client()

    found = client.open("/_mail/api/messages", method=method, headers={"Origin": origin})

    assert found.status_code == (200 if seen else 404)


def test_the_origin_of_a_remote_mailbox(tmp_path: Path) -> None:
    """A mailbox on another host accepts its own origin, and no other."""
    app = app_with_mailbox(tmp_path, mailbox=True, dangerous_remote_mailbox=True)
    allow(app, True)
    host = "staging.example.com"

    assert status(app, Host=host, Origin=f"http://{host}") == 200
    assert status(app, Host=host, Origin="http://attacker.example") == 404


def test_an_app_that_opens_all_its_answers(tmp_path: Path) -> None:
    """Attack: the app adds headers to every response with which any site could read mail, frame the
    page, or have a cache store it."""
    app = app_with_mailbox(tmp_path)
    id = keep(tmp_path, b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>x")

    @app.after_request
    def open_everything(response: Response) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Content-Security-Policy"] = "default-src * 'unsafe-inline'"
        response.headers["Cache-Control"] = "public, max-age=3600"
        response.headers["X-Frame-Options"] = "ALLOWALL"
        return response

    for path in ("", "list", "api/messages", f"messages/{id}", f"messages/{id}/html"):
        headers = app.test_client().get(f"/_mail/{path}").headers
        assert not [name for name, _ in headers if name.lower().startswith("access-control")]
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers.getlist("Cache-Control") == ["no-store"]
        assert headers["X-Frame-Options"] in ("DENY", "SAMEORIGIN")


@pytest.mark.parametrize(
    ("remote", "allowed", "seen"),
    [(False, False, False), (False, True, False), (True, False, False), (True, True, True)],
)
@pytest.mark.parametrize("debug", [True, False])
def test_from_elsewhere(
    tmp_path: Path, debug: bool, remote: bool, allowed: bool, seen: bool
) -> None:
    """Other machines see the page only with MAIL_DANGEROUS_REMOTE_MAILBOX and a function that
    agrees. Debug mode never admits them."""
    app = app_with_mailbox(tmp_path, debug=debug, mailbox=True, dangerous_remote_mailbox=remote)
    allow(app, allowed)

    assert status(app, peer="192.0.2.7", Host="staging.example.com") == (200 if seen else 404)
    assert status(app, peer="127.0.0.1", X_Forwarded_For="192.0.2.7") == (200 if seen else 404)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::7", "::ffff:192.0.2.7"])
def test_from_elsewhere_by_default(tmp_path: Path, peer: str, debug: bool) -> None:
    """Without MAIL_DANGEROUS_REMOTE_MAILBOX other machines see nothing, even if the function
    agrees."""
    app = app_with_mailbox(tmp_path, debug=debug, mailbox=True)
    allow(app, True)

    assert status(app, peer=peer) == 404
    assert status(app) == 200


def test_the_function_sees_the_request(tmp_path: Path) -> None:
    """The function is called in each request, and its result holds for this request only."""
    app = app_with_mailbox(tmp_path, debug=False, mailbox=True)
    mail: Mail = app.extensions["mailhandler"]

    @mail.allow_mailbox
    def staff() -> bool:
        return request.authorization is not None and request.authorization.password == "letmein"

    assert app.test_client().get("/_mail/", auth=("ann", "letmein")).status_code == 200
    assert app.test_client().get("/_mail/", auth=("ann", "guess")).status_code == 404
    assert app.test_client().get("/_mail/").status_code == 404


def test_the_log_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A refused request gets the app's own 404. The log says why, once for each reason."""
    app = app_with_mailbox(tmp_path)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            status(app, peer="172.17.0.1")

    assert [record.getMessage() for record in caplog.records] == [
        "/_mail/ got a 404: it comes from 172.17.0.1."
    ]


@pytest.mark.parametrize(
    ("headers", "known", "done"),
    [
        (SAME, True, True),
        (
            {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
            True,
            True,
        ),  # a form of the page
        (SAME, False, False),  # another page of this site
        ({}, True, False),  # a program that sends no origin
        ({"Origin": "null"}, True, False),  # the frame of a message
        ({"Origin": "http://attacker.example"}, True, False),
        ({"Origin": "http://localhost:3000"}, True, False),  # another app of this machine
        ({"Origin": "https://localhost"}, True, False),
        ({**SAME, "Sec-Fetch-Site": "cross-site"}, True, False),
        ({**SAME, "Sec-Fetch-Site": "same-site"}, True, False),
    ],
)
@pytest.mark.parametrize("way", ["header", "form"])
@pytest.mark.parametrize(
    "path", ["clear", "messages/{}/delete", "api/clear", "api/messages/{}/delete"]
)
def test_forged_requests(
    tmp_path: Path, path: str, way: str, headers: Headers, known: bool, done: bool
) -> None:
    """Attack: a form of another site posts to the mailbox. The site does not know the token, and
    the browser says where the request comes from."""
    app = app_with_mailbox(tmp_path)
    id = keep(tmp_path, b"Subject: x\r\n\r\nx")
    client = app.test_client()
    token = client.get("/_mail/api/messages").json["token"] if known else "0" * 64  # type: ignore[index]
    given = (
        {"headers": {**headers, "X-Mail-Token": token}}
        if way == "header"
        else {
            "headers": headers,
            "data": {"token": token},
        }
    )

    found = client.post(f"/_mail/{path.format(id)}", **t.cast("dict[str, t.Any]", given))

    assert found.status_code in ((204, 303) if done else (403, 404))
    assert ([*tmp_path.glob("*.eml")] == []) is done


@pytest.mark.parametrize("path", ["clear", "messages/{}/delete", "messages/{}/read"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_only_post_changes(tmp_path: Path, path: str, method: str) -> None:
    """Attack: an image or a link whose URL would delete a message."""
    app = app_with_mailbox(tmp_path)
    id = keep(tmp_path, b"Subject: x\r\n\r\nx")

    found = app.test_client().open(f"/_mail/{path.format(id)}", method=method)

    assert found.status_code == 405
    assert len([*tmp_path.iterdir()]) == 2


def test_the_token_is_one_for_all_processes(tmp_path: Path) -> None:
    """All workers have the same token, and only the owner of the folder can read it."""
    apps = [app_with_mailbox(tmp_path / "mail") for _ in range(2)]

    tokens = {app.test_client().get("/_mail/api/messages").json["token"] for app in apps}  # type: ignore[index]

    (token,) = tokens
    assert len(token) == 64
    assert (tmp_path / "mail" / ".token").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "mail").stat().st_mode & 0o777 == 0o700


def test_a_token_that_was_made_anew(tmp_path: Path) -> None:
    """The browser does not show a cached page with an old token."""
    client = app_with_mailbox(tmp_path).test_client()
    client.get("/_mail/")
    (tmp_path / ".token").unlink()

    shown = client.get("/_mail/").text

    assert (tmp_path / ".token").read_text() in shown


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """If the folder cannot be created, the list is empty, and the process uses its own token."""
    (tmp_path / "file").touch()
    client = app_with_mailbox(tmp_path / "file" / "mail").test_client()

    found = client.get("/_mail/api/messages").json

    assert found is not None
    assert found["messages"] == []
    assert len(found["token"]) == 64
    assert found == client.get("/_mail/api/messages").json


@pytest.mark.parametrize("key", ["mailbox", "dangerous_remote_mailbox"])
def test_wrong_values(tmp_path: Path, key: str) -> None:
    """A value that is not a boolean is refused, with the name of the key."""
    with pytest.raises(ConfigurationError, match=f"MAIL_{key.upper()} must be true or false"):
        app_with_mailbox(tmp_path, **t.cast("dict[str, t.Any]", {key: "perhaps"}))
