"""Flask-Mail's extension, over the one of this package."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping

from flask import current_app
from flask import Flask

from ..app.current import NAME
from ..extension.mail import Mail as OurMail
from .connection import Connection
from .connection import email_dispatched
from .message import Message
from .sanitizing import AddressInput

if t.TYPE_CHECKING:
    from ..app.settings import Settings


class _MailMixin:
    """What can be done with ``Mail`` and with ``app.extensions["mail"]``."""

    def send(self, message: Message) -> None:
        """Send a message, as :meth:`Connection.send` does. ::

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
        app = getattr(self, "app", None) or current_app
        state = app.extensions.get("mail")
        if state is None:
            raise RuntimeError(f"The app {app.name!r} has no Mail: write Mail(app).")
        return Connection(state)

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


class MailState(_MailMixin):
    """What ``app.extensions["mail"]`` is: the settings of an app.

    ``default_sender``, ``suppress`` and ``ascii_attachments`` may be set, and hold from then on.
    The others say what the ``MAIL_*`` keys said.
    """

    def __init__(self, config: Mapping[str, t.Any], debug: bool | int = False) -> None:
        get = config.get
        self._config = config
        self._default_sender: AddressInput | None = None
        self._sender_is_set = False
        self.server: str = get("MAIL_SERVER", "127.0.0.1")
        self.port: int = get("MAIL_PORT", 25)
        self.username: str | None = get("MAIL_USERNAME")
        self.password: str | None = get("MAIL_PASSWORD")
        self.use_tls: bool = get("MAIL_USE_TLS", False)
        self.use_ssl: bool = get("MAIL_USE_SSL", False)
        self.debug: int = int(get("MAIL_DEBUG", debug))
        self.max_emails: int | None = get("MAIL_MAX_EMAILS")
        self.ascii_attachments: bool = get("MAIL_ASCII_ATTACHMENTS", False)
        self.suppresses: bool = False
        """Whether ``suppress`` was set: then nothing reaches a handler. ``TESTING`` chooses the
        handler for tests instead."""

    @property
    def default_sender(self) -> AddressInput | None:
        """The sender of messages that have none."""
        if self._sender_is_set:
            return self._default_sender
        get = self._config.get
        return t.cast("AddressInput | None", get("MAIL_DEFAULT_SENDER", get("MAIL_DEFAULT_FROM")))

    @default_sender.setter
    def default_sender(self, value: AddressInput | None) -> None:
        self._default_sender, self._sender_is_set = value, True

    @property
    def suppress(self) -> bool:
        """Whether messages are recorded and told, and not sent."""
        get = self._config.get
        return self.suppresses or bool(get("MAIL_SUPPRESS_SEND", get("TESTING")))

    @suppress.setter
    def suppress(self, value: bool) -> None:
        self.suppresses = value


class _WithoutPages(OurMail):
    """For an app that has handled a request: it takes no new pages."""

    def _register_pages(self, app: Flask, settings: Settings) -> None:
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
            self.app = _itself(app)
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
        """
        app = _itself(app)
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


def _itself(app: Flask) -> Flask:
    """Return the app for ``current_app``, which some packages pass."""
    unwrap = getattr(app, "_get_current_object", None)
    return app if unwrap is None else t.cast(Flask, unwrap())
