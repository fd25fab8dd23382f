"""Make each library's message from a case, as its documentation shows.

A composer is a function that loads the library and returns the function that makes the message.
With the standard library alone, the application sets Date and Message-ID, which every mail should
have (RFC 5322 section 3.6). The others set them, or leave them out, which is not held against them.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from email.utils import formataddr
from email.utils import formatdate
from email.utils import localtime
from email.utils import make_msgid
from email.utils import parseaddr

from .cases import Case
from .cases import File

if t.TYPE_CHECKING:
    from email.message import EmailMessage
    from email.mime.base import MIMEBase

    import flask_mail as flask_mail_

    from flask_mailhandler import Message

Compose: t.TypeAlias = Callable[[Case], t.Any]


def flask_mailhandler() -> Callable[[Case], Message]:
    from flask_mailhandler import Attachment
    from flask_mailhandler import Message

    def compose(case: Case) -> Message:
        return Message(
            subject=case.subject,
            text=case.text,
            html=case.html,
            from_addr=case.sender,
            to=list(case.recipients),
            bcc=list(case.bcc),
            attachments=[
                Attachment(file.data, filename=file.filename, mimetype=file.mimetype)
                for file in case.files
            ],
            inline_attachments=[
                Attachment(file.data, filename=file.filename, mimetype=file.mimetype, cid=file.cid)
                for file in case.images
            ],
        )

    return compose


def flask_mail() -> Callable[[Case], flask_mail_.Message]:
    """Needs an app context."""
    from flask_mail import Attachment
    from flask_mail import Message

    def compose(case: Case) -> Message:
        return Message(
            case.subject,
            sender=case.sender,
            recipients=list(case.recipients),
            bcc=list(case.bcc),
            body=case.text,
            html=case.html or None,
            attachments=[
                *(Attachment(file.filename, file.mimetype, file.data) for file in case.files),
                *(
                    Attachment(
                        file.filename,
                        file.mimetype,
                        file.data,
                        "inline",
                        {"Content-ID": f"<{file.cid}>"},
                    )
                    for file in case.images
                ),
            ],
        )

    return compose


def flask_mailman() -> Compose:
    """Needs an app context."""
    from flask_mailman import EmailMultiAlternatives

    return _alternatives(EmailMultiAlternatives)


def django() -> Compose:
    import django
    from django.conf import settings
    from django.core.mail import EmailMultiAlternatives

    if not settings.configured:
        settings.configure()
        django.setup()
    return _alternatives(EmailMultiAlternatives)


def _alternatives(EmailMultiAlternatives: t.Any) -> Compose:
    from email.mime.image import MIMEImage

    def compose(case: Case) -> t.Any:
        message = EmailMultiAlternatives(
            case.subject, case.text, case.sender, list(case.recipients), list(case.bcc)
        )
        if case.html:
            message.attach_alternative(case.html, "text/html")
        for file in case.files:
            message.attach(file.filename, file.data, file.mimetype)
        if case.images:
            message.mixed_subtype = "related"
        for file in case.images:
            image = MIMEImage(file.data, file.mimetype.partition("/")[2])
            image.add_header("Content-ID", f"<{file.cid}>")
            image.add_header("Content-Disposition", "inline", filename=file.filename)
            message.attach(image)
        return message

    return compose


def email_simplified() -> Compose:
    from email_simplified import Attachment
    from email_simplified import Message

    def image(file: File) -> t.Any:
        made = Attachment(file.data, mimetype=file.mimetype)
        made.cid = f"<{file.cid}>"
        return made

    def compose(case: Case) -> t.Any:
        return Message(
            subject=case.subject,
            text=case.text,
            html=case.html or None,
            from_addr=case.sender,
            to=list(case.recipients),
            bcc=list(case.bcc),
            attachments=[
                Attachment(file.data, filename=file.filename, mimetype=file.mimetype)
                for file in case.files
            ],
            inline_attachments=[image(file) for file in case.images],
        )

    return compose


def email_message(policy: t.Any = None) -> Callable[[Case], EmailMessage]:
    """The standard library's current class, which aiosmtplib also takes."""
    from email.message import EmailMessage

    def compose(case: Case) -> EmailMessage:
        message = EmailMessage(policy)
        message["Subject"] = case.subject
        message["From"] = case.sender
        if case.recipients:
            message["To"] = ", ".join(case.recipients)
        if case.bcc:
            message["Bcc"] = ", ".join(case.bcc)
        message["Date"] = localtime()
        message["Message-ID"] = make_msgid(domain="example.com")
        message.set_content(case.text)
        if case.html:
            message.add_alternative(case.html, subtype="html")
        for file in case.images:
            maintype, _, subtype = file.mimetype.partition("/")
            html = t.cast("list[EmailMessage]", message.get_payload())[-1]
            html.add_related(
                file.data,
                maintype=maintype,
                subtype=subtype,
                cid=f"<{file.cid}>",
                filename=file.filename,
                disposition="inline",
            )
        for file in case.files:
            maintype, _, subtype = file.mimetype.partition("/")
            message.add_attachment(
                file.data, maintype=maintype, subtype=subtype, filename=file.filename
            )
        return message

    return compose


def email_mime() -> Callable[[Case], MIMEBase]:
    """The standard library's legacy classes."""
    from email.header import Header
    from email.mime.application import MIMEApplication
    from email.mime.image import MIMEImage
    from email.mime.multipart import MIMEMultipart
    from email.mime.text import MIMEText

    def image(file: File) -> MIMEBase:
        part = MIMEImage(file.data, file.mimetype.partition("/")[2])
        part.add_header("Content-ID", f"<{file.cid}>")
        part.add_header("Content-Disposition", "inline", filename=file.filename)
        return part

    def compose(case: Case) -> MIMEBase:
        message: MIMEBase = MIMEText(case.text)
        if case.html:
            html: MIMEBase = MIMEText(case.html, "html")
            if case.images:
                html = MIMEMultipart("related", None, [html, *map(image, case.images)])
            message = MIMEMultipart("alternative", None, [message, html])
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
        return message

    return compose
