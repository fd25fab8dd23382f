"""The handlers: each decides what happens to a message.

=========  =================================  ============================================
name       class                              what it does
=========  =================================  ============================================
smtp       :class:`.SMTPEmailHandler`         sends it
console    :class:`.ConsoleEmailHandler`      prints it (also called ``dummy``)
memory     :class:`.MemoryEmailHandler`       keeps it in a list (also called ``test``)
file       :class:`.FileEmailHandler`         writes it into a folder
mailbox    :class:`.MailboxEmailHandler`      writes it into a folder that a page shows
resend     :class:`.ResendEmailHandler`       sends it by the API of Resend
postmark   :class:`.PostmarkEmailHandler`     sends it by the API of Postmark
sendgrid   :class:`.SendGridEmailHandler`     sends it by the API of SendGrid
brevo      :class:`.BrevoEmailHandler`        sends it by the API of Brevo
ses        :class:`.SESEmailHandler`          sends it by the API of Amazon SES
mailgun    :class:`.MailgunEmailHandler`      sends it by the API of Mailgun
graph      :class:`.GraphEmailHandler`        sends it by Microsoft Graph
gmail      :class:`.GmailEmailHandler`        sends it by the API of Gmail
=========  =================================  ============================================

All of them complete, check and render a message in the same way: what SMTP would refuse fails
in a test too. One message on its way, from the caller to the server::

    Message       what the caller wrote
    Prepared      complete and checked, or stopped           prepare, staging
    Job           envelope and octets, as deliver gets them  jobs
    Delivery      the outcomes so far, over any connections  ../smtp/
    Transaction   one batch of recipients on one connection  ../smtp/
    Report        one outcome for each recipient             jobs, unreported

::

    base            EmailHandler: the contract; a handler writes deliver()
    defaults        the options of every handler, such as default_from
    configured      options: a dataclass without a decorator, from_config, repr
    prepare         complete, before_send, render
    staging         the staging guard: redirect_to, allow_to
    jobs            the jobs that deliver is given, and one report for each
    unreported      the reports that deliver has not made
    traced          the line of code that sent a message
    parallel        several connections at once
    failure         a failure of the handler itself
    outbox_fail     outbox.fail: a test makes sending fail
    host_options    readers of options that name a host
    signed_address  addresses that carry signed octets
    bounce_address  signed envelope senders, by which a bounce is verified
    unsubscribe     the link and the address with which a recipient leaves a list
    unsubscribe_fields  both fields of a message for a list, and the link in its text
    bounce_imap     the mailbox that bounces are read from
    dkim_keys       the keys that sign, read from files, and their domain
    connecting      the options of every handler that connects to a server
    providers/      providers that take mail by an HTTP API
    failover/       passing messages to several accounts, in order or by weight
    tls_context     the TLS context of what connects
"""

from __future__ import annotations

import typing as t

from ..config import SET_MAIL_URL
from ..config import split_url
from ..config.named_class import Kind
from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    from .base import EmailHandler

BUILT_IN = {
    "smtp": "flask_mailhandler.handlers.smtp:SMTPEmailHandler",
    "console": "flask_mailhandler.handlers.console:ConsoleEmailHandler",
    "dummy": "flask_mailhandler.handlers.console:ConsoleEmailHandler",
    "memory": "flask_mailhandler.handlers.memory:MemoryEmailHandler",
    "test": "flask_mailhandler.handlers.memory:MemoryEmailHandler",
    "file": "flask_mailhandler.handlers.file:FileEmailHandler",
    "mailbox": "flask_mailhandler.handlers.mailbox:MailboxEmailHandler",
    "resend": "flask_mailhandler.handlers.providers.resend:ResendEmailHandler",
    "postmark": "flask_mailhandler.handlers.providers.postmark:PostmarkEmailHandler",
    "sendgrid": "flask_mailhandler.handlers.providers.sendgrid:SendGridEmailHandler",
    "brevo": "flask_mailhandler.handlers.providers.brevo:BrevoEmailHandler",
    "ses": "flask_mailhandler.handlers.providers.ses:SESEmailHandler",
    "mailgun": "flask_mailhandler.handlers.providers.mailgun:MailgunEmailHandler",
    "graph": "flask_mailhandler.handlers.providers.graph:GraphEmailHandler",
    "gmail": "flask_mailhandler.handlers.providers.gmail:GmailEmailHandler",
}
PROVIDERS = tuple(name for name, place in BUILT_IN.items() if ".providers." in place)
"""The names of handlers that send by the API of a provider."""
SILENT = frozenset({"console", "dummy", "memory", "test", "file", "mailbox"})
"""The names of handlers that send nothing."""
_SCHEMES = {"smtps": "smtp"}

_KIND = Kind("handler", BUILT_IN, "flask_mailhandler.handlers", SET_MAIL_URL)


def find(wanted: object, name: str = "MAIL_HANDLER") -> type[EmailHandler]:
    """Find a handler class by its name, its entry point or its place ``pkg.mod:Class``, or return
    the class that was given.

    :raises ConfigurationError: if there is none, or it is not an :class:`.EmailHandler`.
    """
    from .base import EmailHandler

    return _KIND.find(wanted, name, EmailHandler)


def parse_url(value: object, name: str) -> dict[str, object]:
    """Read a URL, by the handler's class that its scheme names.

    :return: Options by name, and ``handler``.
    :raises ConfigurationError: without the URL in its text, because it may hold a password.
    """
    from .base import EmailHandler

    url = split_url(value, name)
    handler = _SCHEMES.get(url.scheme, url.scheme)

    if url.host and not _KIND.is_installed(handler):
        provided = ", ".join(f"'{name}:'" for name in PROVIDERS)
        raise ConfigurationError(
            f"{name} begins with '{url.scheme}:', which names no known handler. For a server, write"
            " 'smtps://user:password@host' or 'smtp://host:587'. For the API of a provider, write"
            f" {provided}. Others send by SMTP."
        )
    # Where the name is looked up later, an unknown one is refused with a list of the others.
    cls = find(handler, name) if _KIND.is_installed(handler) else EmailHandler
    found = {key: item for key, item in cls.options_of_url(url).items() if item is not None}
    return {"handler": handler, **found, **url.query}
