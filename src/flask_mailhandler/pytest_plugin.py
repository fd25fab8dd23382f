"""Fixtures for the tests of an app. pytest loads this early and always, so nothing but pytest
is imported until a fixture is used."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

    from .app.registration import Registration
    from .testing.outbox import Outbox
    from .testing.server import SMTPServer

_NO_APP = (
    "The fixture {fixture!r} captures the mail of your app and needs a fixture named 'app' that"
    " returns it, as pytest-flask and Flask's documentation have it. Write it, or use"
    " 'with mail.capture(app) as outbox:'."
)
_FORKED = (
    "The process of 'live_server' was forked before 'smtp_server' could tell its app where to send."
    " Capture in the fixture 'app', which it needs: 'with SMTPServer() as server,"
    " mail.capture(app, server=server): yield app'."
)
_NO_MAIL = "The app {name!r} has no Mail: call mail.init_app(app) in the function that creates it."


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--mail-previews``, and the key that names the app."""
    group = parser.getgroup("mail", "mail")
    group.addoption(
        "--mail-previews",
        action="store_true",
        help="Test every preview of the app: make it in each variant and locale, and lint it.",
    )
    parser.addini(
        "mail_previews_app", "The app with the previews, as for 'flask --app'.", default=""
    )


@pytest.hookimpl(tryfirst=True)  # before -k and -m choose
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add a test for each preview, if it was asked for."""
    if session.config.getoption("mail_previews"):
        from .pages.previews import pytest_items as previews

        items += previews.items(session, items)


@pytest.fixture
def outbox(request: pytest.FixtureRequest) -> Iterator[Outbox]:
    """The mail that the app sends in this test, captured instead of sent: a list of
    :class:`.Captured` that is empty at the start, whatever the configuration and the thread."""
    from .testing.outbox import Outbox

    captured = Outbox()
    with _registration(request).capture(captured):
        yield captured


@pytest.fixture
def smtp_server(request: pytest.FixtureRequest) -> Iterator[SMTPServer]:
    """A real server on this machine that has the mail of the app in this test, sent as the app
    would send it: by SMTP, encrypted and logged in as it is configured. Processes that are forked
    while it is there send to it too."""
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
        app: Flask = request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise  # there is an app, and what it needs is not there
        pytest.fail(_NO_APP.format(fixture=request.fixturename), pytrace=False)
    from .app.current import NAME
    from .app.current import registration_of

    if NAME not in app.extensions:
        pytest.fail(_NO_MAIL.format(name=app.name), pytrace=False)
    return registration_of(app)


@pytest.fixture
def mailoutbox(outbox: Outbox) -> Outbox:
    """The same as ``outbox``, under the name that pytest-django gave it."""
    return outbox
