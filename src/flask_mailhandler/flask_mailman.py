"""A backend for Flask-Mailman: code that was written for it sends through this package.

::

    MAIL_BACKEND = "flask_mailhandler.flask_mailman"
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from .address import Address
from .address import parse_address
from .address import parse_envelope_sender
from .app.current import app_in_context
from .app.current import NAME
from .errors import MailError
from .log import logger
from .report import DeliveryError

if t.TYPE_CHECKING:
    from email.message import Message as MIMEMessage


class MailmanMessage(t.Protocol):
    """What the backend needs of Flask-Mailman's ``EmailMessage``."""

    from_email: str | None

    def recipients(self) -> list[str]:
        """Return the recipients, with Cc and Bcc."""
        ...

    def message(self) -> MIMEMessage:
        """Return the message of the standard library."""
        ...


class EmailBackend:
    """Sends the messages of Flask-Mailman with the ``Mail`` of the current app, so that redirects,
    captures and the outbox of a test hold for them too. ::

        app.config["MAIL_BACKEND"] = "flask_mailhandler.flask_mailman"
        flask_mailhandler.Mail(app)
        flask_mailman.Mail(app)

    :param mailman: The state of Flask-Mailman. It is not used.
    :param fail_silently: Whether to leave out messages that cannot be sent. The log names them.
    """

    def __init__(
        self, mailman: object = None, fail_silently: bool = False, **options: object
    ) -> None:
        self.mailman = mailman
        self.fail_silently = fail_silently

    def open(self) -> None:
        """Do nothing: the connections are kept and shared by the app."""

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def send_messages(self, email_messages: Iterable[MailmanMessage]) -> int:
        """Send messages one after the other, and return how many were accepted. One without
        recipients is left out.

        :raises MailError: with the first message that cannot be sent.
        """
        app = app_in_context()
        mail = app.extensions.get(NAME)
        if mail is None:
            raise RuntimeError(
                f"The app {app.name!r} has no flask_mailhandler.Mail, which this MAIL_BACKEND"
                " sends with: write flask_mailhandler.Mail(app), next to flask_mailman.Mail(app)."
            )
        sent = 0
        for message in email_messages:
            if not message.recipients():
                continue
            try:
                mime = message.message()
                if message.from_email is None and mime["From"] == "None":
                    del mime["From"]  # the default is filled in, as for any message
                mail.send(
                    mime,
                    recipients=message.recipients(),
                    envelope_sender=_envelope_sender(message.from_email, mime),
                )
                sent += 1
            except MailError as error:
                if not self.fail_silently:
                    raise
                if not isinstance(error, DeliveryError):  # it has a report, which is logged
                    logger.warning("A message of Flask-Mailman was left out. %s", error)
        return sent


def _envelope_sender(from_email: str | None, mime: MIMEMessage) -> Address | None:
    """Return the address for bounces, if the header does not name the same one: Flask-Mailman lets
    ``headers={"From": ...}`` differ from ``from_email``."""
    if from_email is None:
        return None
    sender = parse_envelope_sender(from_email, "from_email")
    named = mime["Sender"] or mime["From"]
    return None if named and parse_address(str(named), "From") == sender else sender
