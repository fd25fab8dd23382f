"""The fixtures of the package, in separate test suites."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

from servers.dead_ends import keep_port

pytest_plugins = ["pytester"]

APP = """
import threading
import pytest
from flask import Flask
from flask_mailhandler import Mail

mail = Mail()


def create_app():
    app = Flask("shop")
    app.config.update(MAIL_HOST="mx.example.com", MAIL_DEFAULT_FROM="shop@example.com")
    mail.init_app(app)

    @app.post("/reset")
    def reset():
        mail.send("Hello", subject="Reset your password", to=["ann@example.com"])
        return "ok"

    @app.post("/thread")
    def thread():
        def work():
            with app.app_context():
                mail.send("Hello", subject="From a thread", to=["ann@example.com"])
        worker = threading.Thread(target=work)
        worker.start()
        worker.join()
        return "ok"

    return app
"""

CONFTEST = """
import pytest
from shop import create_app

@pytest.fixture
def app():
    return create_app()

@pytest.fixture
def client(app):
    return app.test_client()
"""

TESTS = """
def test_reset(client, outbox):
    client.post("/reset")
    message = outbox.one(to="ann@example.com", subject="Reset your password")
    assert message.text == "Hello"

def test_is_empty_again(client, outbox):
    assert outbox == []
    client.post("/thread")
    assert len(outbox) == 1

def test_other_name(mailoutbox, outbox, client):
    client.post("/reset")
    assert mailoutbox is outbox
    assert len(mailoutbox) == 1
"""


@pytest.fixture(autouse=True)
def only_plugins_of_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """To load Hypothesis takes a third of the time of these tests."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")


@pytest.fixture
def shop(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyfile(shop=APP, test_shop=TESTS)
    pytester.makeconftest(CONFTEST)
    return pytester


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-p", "no:flask"], id="alone"),
        pytest.param(["-p", "flask"], id="pytest-flask"),
        pytest.param(["-p", "no:flask", "-n", "2"], id="xdist", marks=pytest.mark.slow),
    ],
)
def test_outbox(shop: pytest.Pytester, arguments: list[str]) -> None:
    """outbox works with the app of the user, with and without pytest-flask, and under xdist."""
    result = shop.runpytest_subprocess(*arguments)

    result.assert_outcomes(passed=3)


WIRE = """
import pytest
from flask_mailhandler import LoginError


def test_reset(client, smtp_server):
    client.post("/reset")
    message = smtp_server.outbox.one(to="ann@example.com", subject="Reset your password")
    assert message.text == "Hello\\n"
    assert "STARTTLS" in smtp_server.commands

def test_is_empty_again(client, smtp_server):
    assert smtp_server.outbox == []
    client.post("/thread")
    assert smtp_server.outbox.wait_for(subject="From a thread", timeout=60)

def test_that_fails(client, smtp_server, app):
    app.testing = True
    smtp_server.reply("MAIL", "530 5.7.0 Log in first")
    with pytest.raises(LoginError):
        client.post("/reset")

def test_both(client, outbox, smtp_server):
    client.post("/reset")
    assert outbox == []
    assert len(smtp_server.outbox) == 1
"""


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-p", "no:flask"], id="alone"),
        pytest.param(["-p", "no:flask", "-n", "2"], id="xdist", marks=pytest.mark.slow),
    ],
)
def test_smtp_server(shop: pytest.Pytester, arguments: list[str]) -> None:
    """smtp_server gets the messages of the user's app over the wire."""
    shop.makepyfile(test_shop=WIRE)

    result = shop.runpytest_subprocess(*arguments, "-W", "error")

    result.assert_outcomes(passed=4)


LIVE_CONFTEST = """
import multiprocessing
import pytest
from flask_mailhandler import SMTPServer
from shop import create_app
from shop import mail

multiprocessing.set_start_method("fork")

@pytest.fixture(scope="session")
def mail_server():
    with SMTPServer() as server:
        yield server

@pytest.fixture(scope="session")
def app(mail_server):
    app = create_app()
    with mail.capture(app, server=mail_server):
        yield app
"""

LIVE = """
import urllib.request
import pytest

@pytest.mark.parametrize("time", ["first", "second"])
def test_reset(mail_server, live_server, time):
    mail_server.outbox.clear()
    with urllib.request.urlopen(live_server.url("/reset"), data=b"") as response:
        assert response.status == 200
    assert mail_server.outbox.wait_for(to="ann@example.com", timeout=60).text == "Hello\\n"
    assert "STARTTLS" in mail_server.commands

def test_too_late(live_server, smtp_server):
    pass
"""


@pytest.mark.skipif(
    importlib.metadata.version("flask") < "3.1",
    reason="pytest-flask sets SERVER_NAME, and older Flask then answers no other name",
)
def test_a_live_server(shop: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that pytest-flask's live_server forks sends to a server that was started before.
    A server that is started later raises an error that says what to write."""
    shop.makepyfile(test_shop=LIVE)
    shop.makeconftest(LIVE_CONFTEST)
    monkeypatch.setenv("no_proxy", "*")

    with keep_port() as kept:
        patient = ("--live-server-wait=60", f"--live-server-port={kept.getsockname()[1]}")
        result = shop.runpytest_subprocess("-p", "flask", *patient)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*was forked before 'smtp_server' could redirect the mail*"])


def test_without_an_app_fixture(pytester: pytest.Pytester) -> None:
    """Without an app fixture, the fixture says what to write."""
    pytester.makepyfile("def test_it(outbox): pass\ndef test_wire(smtp_server): pass")

    result = pytester.runpytest_subprocess("-p", "no:flask")

    result.assert_outcomes(errors=2)
    for fixture in ("outbox", "smtp_server"):
        result.stdout.fnmatch_lines([f"*'{fixture}'*needs a fixture named 'app'*"])


def test_an_app_fixture_that_needs_another(pytester: pytest.Pytester) -> None:
    """If the app fixture needs a missing fixture, pytest names it."""
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef app(db): return db")
    pytester.makepyfile("def test_it(outbox): pass")

    result = pytester.runpytest_subprocess("-p", "no:flask")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'db' not found*"])
    result.stdout.no_fnmatch_line("*needs a fixture named 'app'*")


def test_an_app_without_mail(pytester: pytest.Pytester) -> None:
    """If the app has no Mail, the fixture says what to write."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        shop="from flask import Flask\ncreate_app = lambda: Flask('bare')",
        test_it="def test_it(outbox): pass",
    )

    result = pytester.runpytest_subprocess("-p", "no:flask")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*The app 'bare' has no Mail: call mail.init_app(app)*"])


def test_the_plugin_loads_only_pytest() -> None:
    """pytest always loads the plugin, which imports only pytest until it is used."""
    code = (
        "import pytest, sys; before = {*sys.modules}; import flask_mailhandler.pytest_plugin;"
        "print(sorted({*sys.modules} - before))"
    )

    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout

    assert found.strip() == "['flask_mailhandler', 'flask_mailhandler.pytest_plugin']"
