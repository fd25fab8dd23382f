"""The Mail of the current app."""

from __future__ import annotations

import typing as t

from flask import current_app
from flask import Flask
from flask import has_app_context
from werkzeug.local import LocalProxy

if t.TYPE_CHECKING:
    from ..extension import Mail
    from .registration import Registration

NAME = "mailhandler"
"""Where an app keeps its Mail: ``app.extensions[NAME]``."""


def current_app_object() -> Flask:
    """The current app itself, not a proxy of it.

    :raises RuntimeError: outside an app context.
    """
    return t.cast("LocalProxy[Flask]", current_app)._get_current_object()


def _current_mail() -> Mail:
    if not has_app_context():
        raise RuntimeError(
            "current_mail is the Mail of the current app, and there is no app context here: wrap"
            " the code in 'with app.app_context():'."
        )
    mail = current_app.extensions.get(NAME)
    if mail is None:
        raise RuntimeError(
            f"The app {current_app.name!r} has no Mail: write Mail(app), or mail.init_app(app)."
        )
    return t.cast("Mail", mail)


def registration() -> Registration:
    """Return the registration of the current app.

    :raises RuntimeError: outside an app context, or if the app has no Mail.
    """
    return current_mail._registrations.of(current_app_object())


def current_placeholders() -> tuple[str, ...]:
    """What ``MAIL_PLACEHOLDERS`` of the current app says; nothing if it has no Mail, as the app of
    ``flask mail catch``."""
    mail = t.cast("Mail | None", current_app.extensions.get(NAME))
    if mail is None:
        return ()
    return mail._registrations.of(current_app_object()).settings.placeholders


current_mail: Mail = t.cast("Mail", LocalProxy(_current_mail))
"""The :class:`.Mail` of the current app."""
