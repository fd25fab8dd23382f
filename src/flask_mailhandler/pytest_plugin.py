"""Fixtures for the tests of an app. pytest loads this early and always, so nothing but pytest
is imported until a fixture is used."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from .outbox import Outbox

_NO_APP = (
    "The fixture 'outbox' captures the mail of your app and needs a fixture named 'app' that"
    " returns it, as pytest-flask and Flask's documentation have it. Write it, or use"
    " 'with mail.capture(app) as outbox:'."
)
_NO_MAIL = "The app {name!r} has no Mail: call mail.init_app(app) in the function that creates it."


@pytest.fixture
def outbox(request: pytest.FixtureRequest) -> Iterator[Outbox]:
    """The mail that the app sends in this test, captured instead of sent: a list of
    :class:`.Captured` that is empty at the start, whatever the configuration and the thread."""
    try:
        app = request.getfixturevalue("app")
    except pytest.FixtureLookupError as error:
        if error.argname != "app":
            raise  # there is an app, and what it needs is not there
        pytest.fail(_NO_APP, pytrace=False)
    mail = app.extensions.get("mailhandler")
    if mail is None:
        pytest.fail(_NO_MAIL.format(name=app.name), pytrace=False)
    with mail.capture(app) as captured:
        yield captured


@pytest.fixture
def mailoutbox(outbox: Outbox) -> Outbox:
    """The same as ``outbox``, under the name that pytest-django gave it."""
    return outbox
