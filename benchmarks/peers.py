"""How each library writes a mail.

A peer is a function that loads the library, does the one-time setup of an application, and returns
the function that is measured. That function builds the mail from a case and returns its octets.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import typing as t
from collections.abc import Callable

from . import compose
from .cases import Case

if t.TYPE_CHECKING:
    from flask import Flask

Build: t.TypeAlias = Callable[[Case], bytes]


def flask_mailhandler() -> Build:
    from flask_mailhandler.mime import render

    message = compose.flask_mailhandler()
    return lambda case: bytes(render(message(case)))


@functools.cache
def _app() -> Flask:
    """Return the application for the two libraries that need its context."""
    from flask import Flask

    app = Flask(__name__)
    app.app_context().push()
    return app


def flask_mail() -> Build:
    from flask_mail import Mail

    Mail(_app())
    message = compose.flask_mail()
    return lambda case: message(case).as_bytes()


def flask_mailman() -> Build:
    from flask_mailman import Mail

    Mail(_app())
    return _alternatives(compose.flask_mailman())


def django() -> Build:
    return _alternatives(compose.django())


def _alternatives(message: compose.Compose) -> Build:
    # As the SMTP backends of both do.
    return lambda case: t.cast(bytes, message(case).message().as_bytes(linesep="\r\n"))


def email_simplified() -> Build:
    from email.policy import SMTP

    message = compose.email_simplified()
    return lambda case: t.cast(bytes, message(case).to_mime().as_bytes(policy=SMTP))


def email_message() -> Build:
    from email.policy import SMTP

    message = compose.email_message(SMTP)
    return lambda case: message(case).as_bytes()


def aiosmtplib() -> Build:
    from aiosmtplib.email import flatten_message

    message = compose.email_message()
    return lambda case: t.cast(bytes, flatten_message(message(case)))


def email_mime() -> Build:
    from email.policy import compat32

    policy = compat32.clone(linesep="\r\n")
    message = compose.email_mime()
    return lambda case: message(case).as_bytes(policy=policy)


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
    """Return the peers with their versions, for the table's caption."""
    named = []
    for name in WRITERS:
        # The standard library's have none.
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            named.append(f"{name} {importlib.metadata.version(name)}")
    return ", ".join(named)
