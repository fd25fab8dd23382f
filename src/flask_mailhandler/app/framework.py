"""Find out whether an app is one of Flask or of Quart, and find the current app and request.

Everything else is the same in both, because both are made of :class:`flask.sansio.app.App`. Only
an app of Quart, or a command that loads one, needs Quart: here it is used if it is loaded already.
"""

from __future__ import annotations

import sys
import typing as t

from flask import Flask
from flask import has_app_context
from flask import has_request_context
from flask import request
from flask.globals import app_ctx

from .flask_framework import FLASK
from .flask_framework import Framework

if t.TYPE_CHECKING:
    from flask.ctx import AppContext as FlaskContext
    from flask.sansio.app import App
    from quart.ctx import AppContext as QuartContext
    from werkzeug.sansio.request import Request

A = t.TypeVar("A", bound="App")


def framework_of(app: App) -> Framework:
    """Return the framework of an app."""
    if isinstance(app, Flask) or not _is_quart(app):
        return FLASK
    from .quart_framework import QUART

    return QUART


def _is_quart(app: App) -> bool:
    return any(kind.__module__.partition(".")[0] == "quart" for kind in type(app).__mro__)


def itself(app: A) -> A:
    """Return the app for ``current_app``, which some packages pass."""
    unwrap: t.Callable[[], A] | None = getattr(app, "_get_current_object", None)
    return app if unwrap is None else unwrap()


def load_app(path: str | None) -> App:
    """Load an app as the command line does.

    :param path: As for ``flask --app``.
    """
    from flask.cli import NoAppException
    from flask.cli import ScriptInfo

    try:
        return ScriptInfo(app_import_path=path, set_debug_flag=False).load_app()
    except NoAppException:
        if "quart" not in sys.modules:  # the app would have imported it
            raise
        from quart.cli import ScriptInfo as QuartScriptInfo

        return QuartScriptInfo(path, set_debug_flag=False).load_app()


def _current_context() -> FlaskContext | QuartContext | None:
    """Return the app context of this thread or task; None outside one."""
    context: FlaskContext | QuartContext | None = None
    if has_app_context():
        context = app_ctx._get_current_object()  # type: ignore[attr-defined]
    elif (quart := sys.modules.get("quart")) is not None and quart.has_app_context():
        context = quart.globals.app_ctx._get_current_object()
    return context


def current_app_object() -> App | None:
    """Return the current app itself, not a proxy for it; None outside an app context."""
    context = _current_context()
    return None if context is None else context.app


def current_globals() -> t.Any:
    """Return ``g``, the object itself; None outside an app context."""
    context = _current_context()
    return None if context is None else context.g


def current_request() -> Request | None:
    """Return the request of this thread or task; None outside one."""
    current: Request | None = None
    if has_request_context():
        current = request._get_current_object()  # type: ignore[attr-defined]
    elif (quart := sys.modules.get("quart")) is not None and quart.has_request_context():
        current = quart.request._get_current_object()
    return current


def current_session() -> t.Any:
    """Return the session of the current request, the object itself; None without one. Nothing is
    loaded, and the session is not marked as accessed."""
    context: t.Any = _current_context()
    if context is not None and not hasattr(context, "request"):
        # Before Flask 3.2, and in Quart, a request has a context of its own.
        context = None
        if has_request_context():
            from flask.globals import request_ctx

            context = request_ctx._get_current_object()  # type: ignore[attr-defined]
        elif (quart := sys.modules.get("quart")) is not None and quart.has_request_context():
            context = quart.globals.request_ctx._get_current_object()
    found = {} if context is None else vars(context)
    return found.get("_session", found.get("session"))
