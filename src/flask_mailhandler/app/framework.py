"""Flask or Quart: what an app does differently in the two.

Everything else is the same in both, because both are made of :class:`flask.sansio.app.App`. Quart
is never imported here: its part is loaded for an app of Quart.
"""

from __future__ import annotations

import sys
import typing as t
from collections.abc import Callable
from contextlib import AbstractContextManager

import flask
from flask import Flask
from flask import has_app_context
from flask import has_request_context
from flask.globals import app_ctx
from flask.globals import request_ctx

if t.TYPE_CHECKING:
    from blinker import NamedSignal
    from flask.sansio.app import App
    from werkzeug.sansio.request import Request

Function: t.TypeAlias = "Callable[..., t.Any]"


class Context(t.Protocol):
    """An app context of either."""

    @property
    def app(self) -> t.Any:
        """The app."""
        ...

    @property
    def g(self) -> t.Any:
        """What the app stores for as long as the context lasts."""
        ...


class Answer(t.Protocol):
    """A response of either."""

    status_code: t.Any
    location: t.Any

    @property
    def status(self) -> str:
        """The status code and its name."""
        ...


class Framework:
    """What is asked of both, and what Flask answers."""

    to_see_mail: str = "set MAIL_MAILBOX to True"
    """What a developer does to see mail in a browser."""
    on_loop: bool = False
    """Whether views run on the event loop, which a call of ``send`` would block."""

    def wording(self, text: str) -> str:
        """Return a text that names the command ``flask`` or the variables that configure it."""
        return text

    def at_requests(self, app: t.Any, function: Callable[[], bool]) -> Function:
        """Call a function at the start of each request, until it returns True.

        :return: What the caller stores, because the signal holds it weakly.
        """

        def start(sender: Flask, **extra: object) -> None:
            if function():
                flask.request_started.disconnect(start, sender)  # not app: this must not hold it

        flask.request_started.connect(start, app)
        return start

    @property
    def context_ends(self) -> NamedSignal:
        """The signal of the end of an app context."""
        return flask.appcontext_tearing_down

    def has_mailbox(self, asked: bool) -> bool:
        """Whether the mailbox page can be part of an app.

        :param asked: Whether ``MAIL_MAILBOX`` asks for it.
        :raises ConfigurationError: if it asks in vain.
        """
        return True

    def app_context(self, app: t.Any) -> AbstractContextManager[object]:
        """Return a context of the app, for code without ``await``."""
        context: AbstractContextManager[object] = app.app_context()
        return context

    def request_context(self, app: t.Any, base_url: str | None) -> AbstractContextManager[object]:
        """Return the context of a request that no client has sent."""
        context: AbstractContextManager[object] = app.test_request_context(base_url=base_url)
        return context

    def add_variables(self, app: t.Any, variables: dict[str, t.Any]) -> None:
        """Add the variables of the app's context processors to those of a template."""
        app.update_template_context(variables)

    def with_app_context(self, function: Function) -> Function:
        """Run the function of a command in a context of the app that the command line has
        loaded."""
        from flask.cli import with_appcontext

        return with_appcontext(function)

    def post(self, app: t.Any, base_url: str, path: str) -> Answer:
        """Send the POST of a mailbox provider to a page of the app, without cookies (RFC 8058)."""
        from flask.testing import FlaskClient

        return FlaskClient(app, app.response_class, use_cookies=False).post(
            f"/{path}",
            base_url=base_url,
            data={"List-Unsubscribe": "One-Click"},
            content_type="multipart/form-data",
        )

    def check_blocking(self, app: t.Any) -> None:
        """Warn if a send would block the event loop of the app."""


FLASK = Framework()


def framework_of(app: App) -> Framework:
    """Return the framework of an app."""
    if isinstance(app, Flask) or not is_quart(app):
        return FLASK
    from .quart import QUART

    return QUART


def is_quart(app: object) -> bool:
    """Whether an object is a Quart app."""
    return any(kind.__module__.partition(".")[0] == "quart" for kind in type(app).__mro__)


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


def current_context() -> Context | None:
    """Return the app context of this thread or task; None outside one."""
    if has_app_context():
        return t.cast(Context, app_ctx._get_current_object())  # type: ignore[attr-defined]
    quart = sys.modules.get("quart")
    if quart is not None and quart.has_app_context():
        return t.cast(Context, quart.globals.app_ctx._get_current_object())
    return None


def current_globals() -> t.Any:
    """Return ``g``, the object itself; None outside an app context."""
    context = current_context()
    return None if context is None else context.g


def current_request() -> Request | None:
    """Return the request of this thread or task; None outside one."""
    if has_request_context():
        return request_ctx.request
    quart = sys.modules.get("quart")
    if quart is not None and quart.has_request_context():
        return t.cast("Request", quart.globals.request_ctx.request)
    return None
