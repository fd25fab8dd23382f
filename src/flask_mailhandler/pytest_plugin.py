"""Fixtures for the tests of an app. pytest always loads this module, and early, so it imports only
pytest until a fixture is used."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.sansio.app import App

    from .app.registration import Registration
    from .testing.outbox import Outbox
    from .testing.server import SMTPServer

_NO_APP = (
    "The fixture {fixture!r} captures the mail of your app and needs a fixture named 'app' that"
    " returns it, as in pytest-flask and Flask's documentation. Write one, or use"
    " 'with mail.capture(app) as outbox:'."
)
_FORKED = (
    "The process of 'live_server' was forked before 'smtp_server' could redirect the mail of its"
    " app. Capture in the fixture 'app', which 'live_server' uses: 'with SMTPServer() as server,"
    " mail.capture(app, server=server): yield app'."
)
_NO_MAIL = "The app {name!r} has no Mail: call mail.init_app(app) in the function that creates it."


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``--mail-previews``, and the key that names the app."""
    group = parser.getgroup("mail", "mail")
    group.addoption(
        "--mail-previews",
        action="store_true",
        help="Test every preview of the app: render it in each variant and locale, and lint it.",
    )
    parser.addini(
        "mail_previews_app", "The app with the previews, as for 'flask --app'.", default=""
    )


@pytest.hookimpl(tryfirst=True)  # before -k and -m select
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add a test for each preview, with ``--mail-previews``."""
    if session.config.getoption("mail_previews"):
        from .pages.previews import pytest_items as previews

        items += previews.items(session, items)


@pytest.fixture
def outbox(request: pytest.FixtureRequest) -> Iterator[Outbox]:
    """The mail that the app sends in this test, captured instead of sent, in every thread and with
    any configuration: a list of :class:`.Captured` that is empty at the start. ::

        def test_signup(client, outbox):
            client.post("/signup", data={"email": "ann@example.com"})
            assert outbox.one(to="ann@example.com").subject == "Welcome"
    """
    from .testing.outbox import Outbox

    captured = Outbox()
    with _registration(request).capture(captured):
        yield captured


@pytest.fixture
def smtp_server(request: pytest.FixtureRequest) -> Iterator[SMTPServer]:
    """A real SMTP server on this machine that gets the app's mail in this test. The app sends it as
    configured, with encryption and login. Processes forked meanwhile send to it too. ::

        def test_signup(client, smtp_server):
            client.post("/signup", data={"email": "ann@example.com"})
            assert smtp_server.outbox.one(to="ann@example.com").subject == "Welcome"
    """
    registration = _registration(request)
    if "live_server" in request.fixturenames:
        live = request.getfixturevalue("live_server")
        if getattr(live, "_process", None) is not None:
            pytest.fail(_FORKED, pytrace=False)
    from .testing.server import SMTPServer

    with SMTPServer() as server, registration.capture(server):
        yield server


def _registration(request: pytest.FixtureRequest) -> Registration:
    try:
        app: App = request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise  # the fixture exists, but one that it needs does not
        pytest.fail(_NO_APP.format(fixture=request.fixturename), pytrace=False)
    from .app.current import NAME
    from .app.current import registration_of

    if NAME not in app.extensions:
        pytest.fail(_NO_MAIL.format(name=app.name), pytrace=False)
    return registration_of(app)


@pytest.fixture
def mailoutbox(outbox: Outbox) -> Outbox:
    """The same as ``outbox``, under its name in pytest-django."""
    return outbox
