"""Flask-Mail's connection, and its signal."""

from __future__ import annotations

import inspect
import time
import typing as t
import warnings

from blinker import NamedSignal
from blinker import Namespace

from ..app.current import app_in_context
from ..app.current import NAME
from ..app.framework import current_app_object
from ..errors import MailWarning
from ..log import logger
from ..report import DeliveryError
from .converting import bounces_to
from .converting import converted
from .converting import octets_of
from .converting import recipients_of
from .errors import as_smtplib
from .errors import BadHeaderError
from .errors import MissingAddressError
from .message import joined
from .message import Message
from .settings import MailSettings

if t.TYPE_CHECKING:
    from flask import Flask
    from flask.sansio.app import App

signals: Namespace = Namespace()
email_dispatched: NamedSignal = signals.signal("email-dispatched")
"""A message was accepted, or was not sent because of ``suppress``: ``receiver(app, message=)``."""


class Connection:
    """Sends messages one after the other. ::

        with mail.connect() as connection:
            for user in users:
                connection.send(Message("Hello", recipients=[user.email], body="..."))

    The connections to the server are kept and shared by the app, so this one opens none.

    :param mail: The settings of the app.
    :param app: The app that sends, if it is not the current one.
    """

    def __init__(self, mail: MailSettings, app: Flask | None = None) -> None:
        self.mail = mail
        self._app = app
        self.host: None = None
        self.num_emails: int = 0

    def __enter__(self) -> t.Self:
        if type(self).configure_host is not Connection.configure_host:
            warnings.warn(
                f"{type(self).__qualname__}.configure_host() is not called: set MAIL_TIMEOUT,"
                " MAIL_TLS_CA_FILE or MAIL_TLS_CONTEXT instead.",
                MailWarning,
                stacklevel=2,
            )
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def configure_host(self) -> None:
        """Do nothing: the ``MAIL_*`` keys configure the connection."""

    def send(self, message: Message, envelope_from: str | tuple[str, str] | None = None) -> None:
        """Send a message, and return when the server has it.

        :param envelope_from: The address for bounces, instead of the sender.
        :raises BadHeaderError: if it has a line break in a header field.
        :raises MessageError: if it cannot be sent as it is. Without a recipient or a sender, it is
            an ``AssertionError`` too.
        :raises DeliveryError: if no recipient was accepted. It is an ``SMTPException`` too.
        """
        if self._app is None or current_app_object() is self._app:
            self._send(message, envelope_from)
        else:
            with self._app.app_context():
                self._send(message, envelope_from)

    def _send(self, message: Message, envelope_from: str | tuple[str, str] | None) -> None:
        if not message.send_to:
            raise MissingAddressError("The message has no recipient: set message.recipients.")
        if not message.sender:  # it was made outside the app context
            message.sender = joined(self.mail.default_sender)
        if not message.sender:
            raise MissingAddressError(
                "The message has no sender: set message.sender, or MAIL_DEFAULT_SENDER."
            )
        if message.has_bad_headers():
            raise BadHeaderError(
                "The subject, the sender, the Reply-To or a recipient has a line break."
            )
        if message.date is None:
            message.date = time.time()
        app = app_in_context()
        mime = octets_of(message)
        ours = converted(message, envelope_from) if mime is None else mime
        envelope: dict[str, t.Any] = {}
        if mime is not None:  # its header may name others, and no address for bounces
            envelope["recipients"] = recipients_of(message)
            envelope["envelope_sender"] = bounces_to(envelope_from)
        if not self.mail.suppresses:
            try:
                app.extensions[NAME].send(ours, **envelope)
            except DeliveryError as error:
                raise as_smtplib(error) from error
        self.num_emails += 1
        _tell(app, message)

    def send_message(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Send a message that is made of these arguments."""
        self.send(Message(*args, **kwargs))


def _tell(app: App, message: Message) -> None:
    """Send the signal. The message was accepted: an error of a receiver is logged.

    A receiver that was written for Flask-Mail 0.9 is called as ``receiver(message, app=)``.
    """
    for receiver in email_dispatched.receivers_for(app):
        try:
            try:
                inspect.signature(receiver).bind(app, message=message)
            except TypeError:
                receiver(message, app=app)
            else:
                receiver(app, message=message)
        except Exception:
            logger.exception("A receiver of email_dispatched raised an error.")
