"""The demo: a form, a real SMTP session, and the message that arrives."""

from __future__ import annotations

import functools
import http.client
import importlib.util
import io
import os
import re
import signal
import socket
import subprocess
import sys
import typing as t
import urllib.parse
from pathlib import Path

import pytest

from screens import check
from screens import Scheme
from screens import screen
from servers.flask_server import served

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask
    from flask.testing import FlaskClient
    from playwright.sync_api import Browser

DEMO = Path(__file__).parents[1] / "examples" / "demo"
FORM = {"to": "Ann <ann@example.com>", "subject": "Hi", "text": "Hello"}
# The font and the colours of an element.
LOOK = """selector => {
  const style = getComputedStyle(document.querySelector(selector));
  return [style.fontFamily, style.fontSize, style.color, style.backgroundColor];
}"""
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def demo() -> Iterator[Flask]:
    """The demo's app, with its server."""
    specification = importlib.util.spec_from_file_location("demo_app", DEMO / "app.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["demo_app"] = module
    specification.loader.exec_module(module)
    app: Flask = module.create_app()
    yield app
    app.extensions["postbox"].close()


@pytest.fixture
def browser(demo: Flask) -> FlaskClient:
    return demo.test_client()


def test_once() -> None:
    """With ONCE=1 a message is sent and found again, and the exit code is 0."""
    done = subprocess.run(
        [sys.executable, "-W", "error", DEMO / "app.py"],
        env={**os.environ, "ONCE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "  Subject: Grüße 🙂\n" in done.stdout
    assert re.search(r"\nann@example\.com accepted: 250 2\.0\.0 Kept as ", done.stdout)
    assert done.stdout.endswith("Everything has arrived as it was sent.\n")


def test_what_has_arrived_is_shown(browser: FlaskClient) -> None:
    """The page after sending shows the report and leads to the message in the mailbox, which
    shows text and attachments."""
    file = (io.BytesIO(b"x" * 1234), "Übersicht.pdf")

    page = browser.post("/", data={**FORM, "attachment": file}, follow_redirects=True)
    found = re.search(r'href="(/_mail/messages/[^"]+)">Open it in the mailbox', page.text)
    assert found is not None
    message = browser.get(found[1]).text

    assert "It has arrived." in page.text
    assert '<span class="state accepted">accepted</span>' in page.text
    for shown in ("Ann &lt;ann@example.com&gt;", "Hello", "Übersicht.pdf", "1.2 kB"):
        assert shown in message


def test_everything_is_escaped(browser: FlaskClient) -> None:
    """A script in a message is never a script in a page."""
    form = {**FORM, "subject": HOSTILE, "text": HOSTILE, "to": f'"{HOSTILE}" <ann@example.com>'}
    file = (io.BytesIO(b""), f"{HOSTILE.replace('/', '')}.txt")

    pages = [
        browser.post("/", data={**form, "attachment": file}, follow_redirects=True),
        browser.post("/", data={**form, "to": HOSTILE}),
        browser.get("/"),
    ]

    assert [page.status_code for page in pages] == [200, 422, 200]
    assert not any("<script>" in page.text for page in pages)
    assert all("default-src 'none'" in page.headers["Content-Security-Policy"] for page in pages)


@pytest.mark.parametrize(
    "change", [{"to": "nobody"}, {"to": ""}, {"subject": "a\nBcc: b@example.com"}]
)
def test_what_cannot_be_sent(browser: FlaskClient, change: dict[str, str]) -> None:
    """The error is shown above the form, which keeps its values."""
    page = browser.post("/", data={**FORM, **change})

    assert page.status_code == 422
    assert '<p class="error" role="alert">' in page.text
    assert "Hello</textarea>" in page.text


def test_what_is_not_there(browser: FlaskClient) -> None:
    """An unknown name is not found, and a path is not followed."""
    for path in ("/sent/x", "/sent/..%2f..%2fapp.py", "/static/../app.py"):
        assert browser.get(path).status_code == 404


def test_opens_on_the_mailbox() -> None:
    """The demo prints the address of the mailbox, where its first message is; Ctrl-C ends it."""
    program = subprocess.Popen(
        [sys.executable, "-W", "error", DEMO / "app.py"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A background process of a shell ignores Ctrl-C.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert program.stdout is not None
        printed = program.stdout.readline()
        found = re.match(r"Open the mailbox at http://127\.0\.0\.1:(\d+)(/_mail/) in", printed)
        page = _get(int(found[1]), found[2]) if found else printed
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
    finally:
        program.kill()

    assert "Welcome to your mailbox" in page
    assert program.returncode == 0


@pytest.mark.services
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_it_looks_like_the_mailbox(
    demo: Flask, chromium: Browser, device: str, scheme: Scheme
) -> None:
    """The form, an error and the report have the colours of the mailbox, and fit the screen."""
    with served(demo) as address, screen(chromium, device, scheme) as page:
        page.goto(f"{address}/_mail/")
        bar = page.evaluate(LOOK, ".bar")
        page.goto(address)
        check(page, scheme)
        assert page.evaluate(LOOK, ".bar") == bar
        page.fill("[name=to]", "x" * 300)
        page.click("button")
        page.wait_for_selector("[role=alert]")
        check(page, scheme)
        page.fill("[name=to]", f"{'x' * 60}@{'long.' * 20}example.com")
        page.click("button")
        page.wait_for_selector(".outcomes")
        check(page, scheme)


@pytest.mark.services
def test_gunicorn() -> None:
    """A real worker of gunicorn serves the demo, and sends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--bind", f"fd://{number}", "--workers", "1"),
                *("--chdir", str(DEMO), "app:create_app()"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=[number],
        )
    try:
        status, location = _post(port, urllib.parse.urlencode(FORM))
        page = _get(port, location)
    finally:
        server.terminate()
        log, _ = server.communicate(timeout=60)

    assert status == 303, log
    assert "It has arrived." in page
    assert server.returncode == 0, log


def _get(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _post(port: int, body: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return response.status, response.headers["Location"] or ""
    finally:
        connection.close()
