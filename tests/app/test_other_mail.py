"""Another mail extension on the same app, and an app that is not Flask's."""

from __future__ import annotations

import typing as t
import warnings

import pytest
from flask import Flask

from flask_mailhandler import ConfigurationWarning
from flask_mailhandler import Mail
from flask_mailhandler import Message

HI = Message(subject="Hi", text="text", to="ann@example.com")


def other(module: str, name: str = "_Mail") -> t.Any:
    """An object whose class is from another distribution."""
    return type(name, (), {"__module__": module})()


def create_app(**keys: t.Any) -> Flask:
    app = Flask("staging")
    given = {"handler": "memory", "default_from": "shop@example.com"} | keys
    app.config.update({f"MAIL_{name.upper()}": value for name, value in given.items()})
    return app


GUARDED = [
    {"redirect_to": "staging@example.com"},
    {"allow_to": "@example.com"},
    {"accounts": {"news": {"redirect_to": "staging@example.com"}}},
]


@pytest.mark.parametrize("keys", GUARDED)
@pytest.mark.parametrize(
    ("name", "module"), [("mail", "flask_mail"), ("mailman", "flask_mailman"), ("mail", "sendgrid")]
)
def test_registered_before(name: str, module: str, keys: dict[str, t.Any]) -> None:
    """With a staging guard, init_app warns of another extension, which bypasses it."""
    app = create_app(**keys)
    app.extensions[name] = other(module)

    with pytest.warns(ConfigurationWarning, match=rf"{module}\._Mail .*bypasses MAIL_") as found:
        Mail(app)

    assert [warning.filename for warning in found] == [__file__]


@pytest.mark.parametrize("keys", GUARDED)
def test_registered_behind(keys: dict[str, t.Any]) -> None:
    """An extension that is registered later causes one warning, at the first send."""
    app = create_app(**keys)
    mail = Mail(app)
    app.extensions["mail"] = other("flask_mail")

    with app.app_context():
        with pytest.warns(ConfigurationWarning, match="bypasses MAIL_") as found:
            mail.send(HI)
        mail.send(HI)

    assert [warning.filename for warning in found] == [__file__]


def test_capture() -> None:
    """Mail of another extension is not captured: the first capture warns of it, once for an app,
    with or without a guard."""
    app = create_app()
    mail = Mail(app)
    app.extensions["mailman"] = other("flask_mailman")

    with (
        pytest.warns(ConfigurationWarning, match=r"flask_mailman.*is not captured") as found,
        mail.capture(app) as outbox,
        app.app_context(),
    ):
        mail.send(HI)
    with mail.capture(app):
        pass

    assert len(outbox) == 1
    assert [warning.filename for warning in found] == [__file__]


class Ours(Mail):
    """A subclass, as an app may define it."""


@pytest.mark.parametrize("kind", [Mail, Ours])
@pytest.mark.parametrize("keys", [*GUARDED, {}])
def test_ours(kind: type[Mail], keys: dict[str, t.Any]) -> None:
    """Our own Mail under that name is not another extension, and without a guard there is no
    warning."""
    app = create_app(**keys)
    mail = kind(app)
    app.extensions["mail"] = mail if keys else other("flask_mail")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with app.app_context():
            assert mail.send(HI).ok
