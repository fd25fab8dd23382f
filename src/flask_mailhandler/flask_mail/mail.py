"""Flask-Mail's extension, over the one of this package."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping

from flask import Flask

from ..app.current import app_in_context
from ..app.current import NAME
from ..app.framework import itself
from ..extension.mail import Mail as OurMail
from .connection import Connection
from .connection import email_dispatched
from .message import Message
from .settings import MailSettings

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..app.settings import Settings


class _MailMixin:
    """What can be done with ``Mail`` and with ``app.extensions["mail"]``."""

    def send(self, message: Message) -> None:
        """Send a message, as ``Connection.send`` does.

        .. code-block:: python

            mail.send(Message("Hello", recipients=["ann@example.com"], body="Hello Ann"))
        """
        with self.connect() as connection:
            message.send(connection)

    def send_message(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Send a message that is made of these arguments."""
        self.send(Message(*args, **kwargs))

    def connect(self) -> Connection:
        """Return a :class:`Connection`.

        :raises RuntimeError: if the app has no ``Mail``.
        """
        own: Flask | None = getattr(self, "app", None)
        app = own or app_in_context()
        state = app.extensions.get("mail")
        if state is None:
            raise RuntimeError(f"The app {app.name!r} has no Mail: write Mail(app).")
        return Connection(state, own)

    @contextlib.contextmanager
    def record_messages(self) -> Iterator[list[Message]]:
        """Collect the messages that are sent. It does not keep them from being sent: ``TESTING``
        does, or ``suppress``. ::

            with mail.record_messages() as outbox:
                client.post("/signup", data={"email": "ann@example.com"})
            assert outbox[0].subject == "Welcome"
        """
        outbox: list[Message] = []

        def record(app: Flask, message: Message) -> None:
            outbox.append(message)

        with email_dispatched.connected_to(record):
            yield outbox


class MailState(MailSettings, _MailMixin):
    """What ``app.extensions["mail"]`` is: the settings of an app, and the methods of
    :class:`Mail`."""


class _WithoutPages(OurMail):
    """For an app that has handled a request: it takes no new pages."""

    def _register_pages(self, app: App, settings: Settings) -> None:
        pass


class Mail(_MailMixin):
    """Flask-Mail's ``Mail``. It registers this package's on the app, unless the app has it. ::

        mail = Mail(app)

    :param app: The app to register on now; or call :meth:`init_app` later.
    """

    def __init__(self, app: Flask | None = None) -> None:
        self.app: Flask | None = None
        self.state: MailState | None = None
        if app is not None:
            self.app = itself(app)
            self.init_app(app)

    @staticmethod
    def init_mail(
        config: Mapping[str, t.Any], debug: bool | int = False, testing: bool = False
    ) -> MailState:
        """Return the state for a configuration, without an app."""
        return MailState(config, debug)

    def init_app(self, app: Flask) -> MailState:
        """Register on an app, once: another ``Mail`` on the app has the same state.

        :raises ConfigurationError: for the first ``MAIL_*`` key that is wrong.
        :raises TypeError: for an app of Quart.
        """
        app = itself(app)
        if not isinstance(t.cast(object, app), Flask):
            raise TypeError(
                "This is Flask-Mail's Mail, for apps of Flask. For an app of Quart, write"
                " flask_mailhandler.Mail(app)."
            )
        if NAME not in app.extensions:
            late: bool = app._got_first_request
            (_WithoutPages if late else OurMail)().init_app(app)
        state = app.extensions.get("mail")
        if not isinstance(state, MailState):
            state = app.extensions["mail"] = self.init_mail(app.config, app.debug)
        self.state = state
        return state

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self.state, name, None)
