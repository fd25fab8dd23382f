"""Each library's way to write a mail, as its documentation tells it.

A peer is a function that loads the library, does what an application does once, and returns the
function that is measured: it builds the mail from a case and returns its octets. With the standard
library alone it is the application that sets Date and Message-ID, which every mail has (RFC 5322
section 3.6); the others set them themselves, or leave them out and are let off.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import typing as t
from collections.abc import Callable
from email.utils import localtime
from email.utils import make_msgid

from .cases import Case

if t.TYPE_CHECKING:
    from email.message import EmailMessage

    from flask import Flask

Build: t.TypeAlias = Callable[[Case], bytes]


def flask_mailhandler() -> Build:
    from flask_mailhandler import Attachment
    from flask_mailhandler import Message
    from flask_mailhandler.mime import render

    def build(case: Case) -> bytes:
        message = Message(
            subject=case.subject,
            text=case.text,
            html=case.html,
            from_addr=case.sender,
            to=list(case.recipients),
            attachments=[
                Attachment(file.data, filename=file.filename, mimetype=file.mimetype)
                for file in case.files
            ],
        )
        return bytes(render(message))

    return build


@functools.cache
def _app() -> Flask:
    """The application of the two that need its context."""
    from flask import Flask

    app = Flask(__name__)
    app.app_context().push()
    return app


def flask_mail() -> Build:
    from flask_mail import Attachment
    from flask_mail import Mail
    from flask_mail import Message

    Mail(_app())

    def build(case: Case) -> bytes:
        message = Message(
            case.subject,
            sender=case.sender,
            recipients=list(case.recipients),
            body=case.text,
            html=case.html or None,
            attachments=[
                Attachment(file.filename, file.mimetype, file.data) for file in case.files
            ],
        )
        return message.as_bytes()

    return build


def flask_mailman() -> Build:
    from flask_mailman import EmailMultiAlternatives
    from flask_mailman import Mail

    Mail(_app())
    return _alternatives(EmailMultiAlternatives)


def django() -> Build:
    import django
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives

    settings.configure()
    django.setup()
    return _alternatives(EmailMultiAlternatives)


def _alternatives(EmailMultiAlternatives: t.Any) -> Build:
    def build(case: Case) -> bytes:
        message = EmailMultiAlternatives(
            case.subject, case.text, case.sender, list(case.recipients)
        )
        if case.html:
            message.attach_alternative(case.html, "text/html")
        for file in case.files:
            message.attach(file.filename, file.data, file.mimetype)
        # As both their SMTP backends do.
        return t.cast(bytes, message.message().as_bytes(linesep="\r\n"))

    return build


def email_simplified() -> Build:
    from email.policy import SMTP

    from email_simplified import Attachment
    from email_simplified import Message

    def build(case: Case) -> bytes:
        message = Message(
            subject=case.subject,
            text=case.text,
            html=case.html or None,
            from_addr=case.sender,
            to=list(case.recipients),
            attachments=[
                Attachment(file.data, filename=file.filename, mimetype=file.mimetype)
                for file in case.files
            ],
        )
        return t.cast(bytes, message.to_mime().as_bytes(policy=SMTP))

    return build


def email_message() -> Build:
    """The standard library's present class."""
    from email.message import EmailMessage
    from email.policy import SMTP

    def build(case: Case) -> bytes:
        return _filled(EmailMessage(policy=SMTP), case).as_bytes()

    return build


def aiosmtplib() -> Build:
    from email.message import EmailMessage

    from aiosmtplib.email import flatten_message

    def build(case: Case) -> bytes:
        return t.cast(bytes, flatten_message(_filled(EmailMessage(), case)))

    return build


def _filled(message: EmailMessage, case: Case) -> EmailMessage:
    message["Subject"] = case.subject
    message["From"] = case.sender
    message["To"] = ", ".join(case.recipients)
    message["Date"] = localtime()
    message["Message-ID"] = make_msgid(domain="example.com")
    message.set_content(case.text)
    if case.html:
        message.add_alternative(case.html, subtype="html")
    for file in case.files:
        maintype, _, subtype = file.mimetype.partition("/")
        message.add_attachment(
            file.data, maintype=maintype, subtype=subtype, filename=file.filename
        )
    return message


def email_mime() -> Build:
    """The standard library's legacy classes."""
    from email.header import Header
    from email.mime.application import MIMEApplication
    from email.mime.base import MIMEBase
    from email.mime.multipart import MIMEMultipart
    from email.mime.text import MIMEText
    from email.policy import compat32
    from email.utils import formataddr
    from email.utils import formatdate
    from email.utils import parseaddr

    policy = compat32.clone(linesep="\r\n")

    def build(case: Case) -> bytes:
        message: MIMEBase = MIMEText(case.text)
        if case.html:
            message = MIMEMultipart("alternative", None, [message, MIMEText(case.html, "html")])
        if case.files:
            message = MIMEMultipart("mixed", None, [message])
        subject: t.Any = case.subject
        if not subject.isascii():
            subject = Header(subject, "utf-8")
        message["Subject"] = subject
        message["From"] = formataddr(parseaddr(case.sender))
        message["Date"] = formatdate(localtime=True)
        message["Message-ID"] = make_msgid(domain="example.com")
        message["To"] = ", ".join([formataddr(parseaddr(one)) for one in case.recipients])
        for file in case.files:
            part = MIMEApplication(file.data, file.mimetype.partition("/")[2])
            part.add_header("Content-Disposition", "attachment", filename=file.filename)
            message.attach(part)
        return message.as_bytes(policy=policy)

    return build


OURS = "Flask-MailHandler"
PEERS: dict[str, Callable[[], Build]] = {
    "Flask-Mail": flask_mail,
    "Flask-Mailman": flask_mailman,
    "email-simplified": email_simplified,
    "Django": django,
    "aiosmtplib": aiosmtplib,
    "EmailMessage": email_message,
    "email.mime": email_mime,
}
WRITERS = {OURS: flask_mailhandler, **PEERS}


def versions() -> str:
    """Name the peers with their versions, for the table's caption."""
    named = []
    for name in WRITERS:
        # Those of the standard library have none.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            named.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(named)
