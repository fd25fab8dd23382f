"""The names of Flask-Mail, over this package: change the import, and the code works as it is.

::

    from flask_mailhandler.flask_mail import Mail, Message

    mail ── Mail, MailState ── connection ──▶ converting ──▶ Message of this package ──▶ Mail.send
                                   │
                                   └── errors: each is ours and smtplib's

    mail        Mail, MailState: what app.extensions["mail"] is
    connection  Connection: sends one message after the other; email_dispatched
    settings    MailSettings: the MAIL_* keys, under Flask-Mail's names
    message     Message and Attachment, which change until they are sent
    converting  anything with their attributes, as a message of this package
    errors      errors that "except SMTPException" and "except DeliveryError" both catch
    sanitizing  functions that Flask-Mail has for header fields
    installed   install(): packages that import flask_mail get this one
"""

from __future__ import annotations

from .connection import Connection as Connection
from .connection import email_dispatched as email_dispatched
from .connection import signals as signals
from .errors import BadHeaderError as BadHeaderError
from .installed import install as install
from .mail import _MailMixin as _MailMixin
from .mail import Mail as Mail
from .mail import MailState as MailState
from .message import Attachment as Attachment
from .message import Message as Message
from .sanitizing import force_text as force_text
from .sanitizing import sanitize_address as sanitize_address
from .sanitizing import sanitize_addresses as sanitize_addresses
from .sanitizing import sanitize_subject as sanitize_subject

_Mail = MailState

__version__ = "0.10.0"
"""The version of Flask-Mail whose names these are."""
