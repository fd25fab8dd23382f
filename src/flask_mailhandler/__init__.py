"""Mail for Flask: nothing is lost, nothing is sent twice, and the defaults are safe.

The house, from the top down. A room imports only from itself and from the rooms below it::

    __main__       python -m flask_mailhandler
    pytest_plugin  the fixtures outbox, smtp_server ...
    __pyinstaller  a hook for PyInstaller
    cli            flask mail
    pages          the mailbox, the queue, the previews; the page to unsubscribe; webhooks
    flask_mail     the names of Flask-Mail
    flask_mailman  a backend for Flask-Mailman
    extension      Mail, current_mail, Mailer, and the handler of Mail.error_handler
    queue          send_later: rows, stores, workers, engines
    previews       @mail.preview
    templating     mail.render: Jinja, Markdown, CSS, links
    app            one app: its MAIL_* keys, its accounts, its send calls
    signals        message_sent, message_failed, message_queued, message_bounced ...
    handlers       SMTP, APIs, console, memory, file, mailbox; the contract that each fulfils
    testing        the outbox and what was captured; an SMTP server for tests
    lint           what a reader of a message would find wrong
    smtp           pool, session, transaction: envelopes and octets on a connection
    events         what became of a message: bounces, complaints and webhooks, read
    mime           from a message to octets, and from octets to a message
    plaintext      text made from HTML
    net            time limits, hosts, HTTP, access tokens, masking of secrets
    log            what is logged
    report         Report, Outcome, and the errors that carry a report
    message        Message: subject, text, html, recipients, attachments
    config         Option, and the readers of values
    envelope       who sends, who receives
    content        the octets of a message
    attachment     octets, text, or a file of this machine or of a storage
    phase          how far a delivery is, and its outcome for each recipient
    address        one address
    secret         a value that is never shown
    text           text from outside, checked; the grammar of an address
    errors         what is wrong before anything is sent
    frozen         the base of values that do not change

Every public name is exported here, and is loaded when it is first used.
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from .address import Address as Address
    from .attachment import Attachment as Attachment
    from .content import Content as Content
    from .envelope import DSN as DSN
    from .envelope import Envelope as Envelope
    from .errors import ConfigurationError as ConfigurationError
    from .errors import ConfigurationWarning as ConfigurationWarning
    from .errors import MailError as MailError
    from .errors import MailWarning as MailWarning
    from .errors import MessageError as MessageError
    from .errors import QueueError as QueueError
    from .events.event import Event as Event
    from .events.kinds import EventKind as EventKind
    from .events.kinds import Severity as Severity
    from .extension.error_mail.handler import ErrorMailHandler as ErrorMailHandler
    from .extension.mail import current_mail as current_mail
    from .extension.mail import Mail as Mail
    from .extension.mailer import Mailer as Mailer
    from .handlers.base import EmailHandler as EmailHandler
    from .handlers.console import ConsoleEmailHandler as ConsoleEmailHandler
    from .handlers.file import FileEmailHandler as FileEmailHandler
    from .handlers.mailbox import MailboxEmailHandler as MailboxEmailHandler
    from .handlers.memory import MemoryEmailHandler as MemoryEmailHandler
    from .handlers.providers.brevo import BrevoEmailHandler as BrevoEmailHandler
    from .handlers.providers.gmail import GmailEmailHandler as GmailEmailHandler
    from .handlers.providers.graph import GraphEmailHandler as GraphEmailHandler
    from .handlers.providers.mailgun import MailgunEmailHandler as MailgunEmailHandler
    from .handlers.providers.postmark import PostmarkEmailHandler as PostmarkEmailHandler
    from .handlers.providers.resend import ResendEmailHandler as ResendEmailHandler
    from .handlers.providers.sendgrid import SendGridEmailHandler as SendGridEmailHandler
    from .handlers.providers.ses import SESEmailHandler as SESEmailHandler
    from .handlers.smtp import SMTPEmailHandler as SMTPEmailHandler
    from .message.arguments import MessageFields as MessageFields
    from .message.message import Message as Message
    from .net.oauth.token import OAuthToken as OAuthToken
    from .phase import Phase as Phase
    from .phase import State as State
    from .queue.events.suppression import Suppression as Suppression
    from .queue.events.suppressions import Suppressions as Suppressions
    from .queue.health.options import HealthOptions as HealthOptions
    from .queue.health.result import QueueFinding as QueueFinding
    from .queue.health.result import QueueHealth as QueueHealth
    from .queue.mail_queue import MailQueue as MailQueue
    from .queue.stats import QueueStats as QueueStats
    from .queue.stores.sqlalchemy.tables import mail_queue_tables as mail_queue_tables
    from .queue.ticket import Ticket as Ticket
    from .report import About as About
    from .report import BatchError as BatchError
    from .report import conclude as conclude
    from .report import ConnectError as ConnectError
    from .report import DeferredError as DeferredError
    from .report import DeliveryError as DeliveryError
    from .report import Job as Job
    from .report import LoginError as LoginError
    from .report import Outcome as Outcome
    from .report import RefusedError as RefusedError
    from .report import Report as Report
    from .report import TLSError as TLSError
    from .report import UnknownOutcomeError as UnknownOutcomeError
    from .secret import Secret as Secret
    from .signals import message_bounced as message_bounced
    from .signals import message_complained as message_complained
    from .signals import message_event as message_event
    from .signals import message_expired as message_expired
    from .signals import message_failed as message_failed
    from .signals import message_queued as message_queued
    from .signals import message_sent as message_sent
    from .signals import message_unsubscribed as message_unsubscribed
    from .testing.api_request import APIRequest as APIRequest
    from .testing.captured import Captured as Captured
    from .testing.element import Element as Element
    from .testing.outbox import Outbox as Outbox
    from .testing.script import Scripted as Scripted
    from .testing.server import SMTPServer as SMTPServer

_HOMES = {
    "address": ["Address"],
    "attachment": ["Attachment"],
    "testing.api_request": ["APIRequest"],
    "testing.captured": ["Captured"],
    "content": ["Content"],
    "envelope": ["DSN", "Envelope"],
    "errors": [
        "ConfigurationError",
        "ConfigurationWarning",
        "MailError",
        "MailWarning",
        "MessageError",
        "QueueError",
    ],
    "events.event": ["Event"],
    "events.kinds": ["EventKind", "Severity"],
    "extension.error_mail.handler": ["ErrorMailHandler"],
    "extension.mail": ["Mail", "current_mail"],
    "extension.mailer": ["Mailer"],
    "handlers.base": ["EmailHandler"],
    "handlers.console": ["ConsoleEmailHandler"],
    "handlers.file": ["FileEmailHandler"],
    "handlers.mailbox": ["MailboxEmailHandler"],
    "handlers.memory": ["MemoryEmailHandler"],
    "handlers.providers.brevo": ["BrevoEmailHandler"],
    "handlers.providers.gmail": ["GmailEmailHandler"],
    "handlers.providers.graph": ["GraphEmailHandler"],
    "handlers.providers.mailgun": ["MailgunEmailHandler"],
    "handlers.providers.postmark": ["PostmarkEmailHandler"],
    "handlers.providers.resend": ["ResendEmailHandler"],
    "handlers.providers.sendgrid": ["SendGridEmailHandler"],
    "handlers.providers.ses": ["SESEmailHandler"],
    "handlers.smtp": ["SMTPEmailHandler"],
    "message.arguments": ["MessageFields"],
    "message.message": ["Message"],
    "net.oauth.token": ["OAuthToken"],
    "testing.outbox": ["Outbox"],
    "queue.events.suppression": ["Suppression"],
    "queue.events.suppressions": ["Suppressions"],
    "queue.health.options": ["HealthOptions"],
    "queue.health.result": ["QueueFinding", "QueueHealth"],
    "queue.mail_queue": ["MailQueue"],
    "queue.stats": ["QueueStats"],
    "queue.stores.sqlalchemy.tables": ["mail_queue_tables"],
    "queue.ticket": ["Ticket"],
    "phase": ["Phase", "State"],
    "report": [
        "About",
        "BatchError",
        "ConnectError",
        "DeferredError",
        "DeliveryError",
        "Job",
        "LoginError",
        "Outcome",
        "RefusedError",
        "Report",
        "TLSError",
        "UnknownOutcomeError",
        "conclude",
    ],
    "secret": ["Secret"],
    "signals": [
        "message_bounced",
        "message_complained",
        "message_event",
        "message_expired",
        "message_failed",
        "message_queued",
        "message_sent",
        "message_unsubscribed",
    ],
    "testing.element": ["Element"],
    "testing.script": ["Scripted"],
    "testing.server": ["SMTPServer"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "DSN",
    "APIRequest",
    "About",
    "Address",
    "Attachment",
    "BatchError",
    "BrevoEmailHandler",
    "Captured",
    "ConfigurationError",
    "ConfigurationWarning",
    "ConnectError",
    "ConsoleEmailHandler",
    "Content",
    "DeferredError",
    "DeliveryError",
    "Element",
    "EmailHandler",
    "Envelope",
    "ErrorMailHandler",
    "Event",
    "EventKind",
    "FileEmailHandler",
    "GmailEmailHandler",
    "GraphEmailHandler",
    "HealthOptions",
    "Job",
    "LoginError",
    "Mail",
    "MailError",
    "MailQueue",
    "MailWarning",
    "MailboxEmailHandler",
    "Mailer",
    "MailgunEmailHandler",
    "MemoryEmailHandler",
    "Message",
    "MessageError",
    "MessageFields",
    "OAuthToken",
    "Outbox",
    "Outcome",
    "Phase",
    "PostmarkEmailHandler",
    "QueueError",
    "QueueFinding",
    "QueueHealth",
    "QueueStats",
    "RefusedError",
    "Report",
    "ResendEmailHandler",
    "SESEmailHandler",
    "SMTPEmailHandler",
    "SMTPServer",
    "Scripted",
    "Secret",
    "SendGridEmailHandler",
    "Severity",
    "State",
    "Suppression",
    "Suppressions",
    "TLSError",
    "Ticket",
    "UnknownOutcomeError",
    "conclude",
    "current_mail",
    "mail_queue_tables",
    "message_bounced",
    "message_complained",
    "message_event",
    "message_expired",
    "message_failed",
    "message_queued",
    "message_sent",
    "message_unsubscribed",
]


def __getattr__(name: str) -> t.Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(f".{module}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
