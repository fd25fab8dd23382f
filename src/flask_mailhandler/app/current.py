"""How the rest of the package finds the registration of an app."""

from __future__ import annotations

import typing as t
import weakref

from .framework import current_app_object

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from .registration import Registration

T = t.TypeVar("T")
NAME = "mailhandler"
"""Where an app stores its Mail: ``app.extensions[NAME]``."""
REGISTRATION = "mailhandler.registration"
"""Where an app stores its registration, next to its Mail."""
AT_SHUTDOWN = "at shutdown"
"""Where a registration stores what else to drain when a server stops: ``edges[AT_SHUTDOWN]``."""


def app_in_context() -> App:
    """Return the current app, or say what is missing.

    :raises RuntimeError: outside an app context.
    """
    app = current_app_object()
    if app is None:
        raise RuntimeError(
            "Mail is sent on behalf of an app, and there is no app context here. In a script,"
            " wrap the code in 'with app.app_context():' (Quart: 'async with'); in a thread, push"
            " one there; above a command of app.cli.add_command(), write @with_appcontext."
        )
    return app


def registration() -> Registration:
    """Return the registration of the current app.

    :raises RuntimeError: outside an app context, or if the app has no Mail.
    """
    return registration_of(app_in_context())


def registration_of(app: App) -> Registration:
    """Return the registration of an app.

    :raises RuntimeError: if the app has no Mail.
    """
    found: Registration | None = app.extensions.get(REGISTRATION)
    if found is None:
        raise no_mail(app)
    return found


def no_mail(app: App) -> RuntimeError:
    """Return the error for an app that has no Mail."""
    return RuntimeError(
        f"The app {app.name!r} has no Mail: write Mail(app), or mail.init_app(app)."
    )


def current_placeholders() -> tuple[str, ...]:
    """Return ``MAIL_PLACEHOLDERS`` of the current app. An app without a Mail, such as the one of
    ``flask mail catch``, has none."""
    found: Registration | None = app_in_context().extensions.get(REGISTRATION)
    return () if found is None else found.settings.placeholders


def living(keys: weakref.WeakKeyDictionary[T, t.Any]) -> list[T]:
    """Return the keys that are alive. Another thread may add one meanwhile; a loop over the
    dictionary itself would raise an error then."""
    return [key for reference in keys.keyrefs() if (key := reference()) is not None]
