"""The calls in which Flask and Quart differ, and how to make them in Flask."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Mapping
from contextlib import AbstractContextManager

import flask
from flask import Flask

if t.TYPE_CHECKING:
    from blinker import NamedSignal
    from werkzeug.sansio.response import Response

Function: t.TypeAlias = "Callable[..., t.Any]"
AT_REQUESTS = "mailhandler.at_requests"
"""Where an app stores what to call at the start of its requests."""


class Framework:
    """The calls in which Flask and Quart differ, as Flask needs them."""

    to_see_mail: str = "set MAIL_MAILBOX to True"
    """How a developer can see mail in a browser, as an error says it."""
    on_loop: bool = False
    """Whether views run on the event loop, which a call of ``send`` would block."""

    def wording(self, text: str) -> str:
        """Return a text that names the command ``flask`` or the variables that configure it."""
        return text

    def at_requests(self, app: t.Any, function: Callable[[], bool]) -> None:
        """Call a function at the start of each request, until it returns True."""
        app.extensions[AT_REQUESTS] = function
        flask.request_started.connect(_request_starts, app)

    @property
    def context_ends(self) -> NamedSignal:
        """The signal of the end of an app context."""
        return flask.appcontext_tearing_down

    def has_mailbox(self, asked: bool) -> bool:
        """Whether the mailbox page can be part of an app.

        :param asked: Whether ``MAIL_MAILBOX`` asks for it.
        :raises ConfigurationError: if it does, and the app cannot have the page.
        """
        return True

    def at_shutdown(self, app: t.Any, function: Callable[[], None]) -> None:
        """Call a function when the server stops, if the server may skip the hooks of atexit."""

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

    def post(self, app: t.Any, base_url: str, path: str) -> Response:
        """Send the POST of a mailbox provider to a page of the app, without cookies (RFC 8058)."""
        form = {"List-Unsubscribe": "One-Click"}
        return _posted(app, base_url, path, data=form, content_type="multipart/form-data")

    def post_octets(
        self, app: t.Any, base_url: str, path: str, octets: bytes, headers: Mapping[str, str]
    ) -> Response:
        """Send the POST of a provider's webhook to the app."""
        return _posted(app, base_url, path, data=octets, headers=dict(headers))

    def check_blocking(self, app: t.Any) -> None:
        """Warn if a send would block the event loop of the app."""


def _posted(app: t.Any, base_url: str, path: str, **sent: t.Any) -> Response:
    from flask.testing import FlaskClient  # few processes try their own pages

    from ..testing.one_click import post_below

    client = FlaskClient(app, app.response_class, use_cookies=False)
    return post_below(client, base_url, path, **sent)


# One receiver for all apps. If each app had its own, blinker would remove it when the app is
# dropped, in any thread, and would raise an error if another thread connects at that moment.
def _request_starts(sender: Flask, **extra: object) -> None:
    if sender.extensions[AT_REQUESTS]():
        flask.request_started.disconnect(_request_starts, sender)


FLASK = Framework()
