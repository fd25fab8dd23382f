"""Each library's best documented way to send mail: one message, and many over one connection.

A library that accepts a TLS context gets one that was made before; the others make their own. A
message is made from the case's fields each time it is sent, because rendering is part of the time.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from . import compose
from .cases import Case
from .servers import Site

if t.TYPE_CHECKING:
    import ssl

    from flask import Flask

    from flask_mailhandler import Message

# Postfix and most providers accept at least this many recipients at once (RFC 5321 4.5.3.1.8).
BATCH = 100


class Spent(t.NamedTuple):
    """Seconds by the clock, and of CPU time of the client."""

    seconds: float
    cpu: float


One: t.TypeAlias = Callable[[Case, int], list[float]]
"""Sends it this many times, as a view does, and returns the seconds of each."""
Many: t.TypeAlias = Callable[[Sequence[Case]], Spent]
"""Sends them all in one call, over one connection."""


class Library:
    """A library in Python.

    :param send: Makes and sends one message.
    :param send_all: Makes and sends many over one connection.
    """

    def __init__(
        self, send: Callable[[Case], object], send_all: Callable[[Iterable[Case]], object]
    ) -> None:
        self._send = send
        self._send_all = send_all

    def one(self, case: Case, times: int) -> list[float]:
        found = []
        for _ in range(times):
            start = time.perf_counter()
            self._send(case)
            found.append(time.perf_counter() - start)
        return found

    def many(self, cases: Sequence[Case]) -> Spent:
        start, cpu = time.perf_counter(), time.process_time()
        self._send_all(cases)
        return Spent(time.perf_counter() - start, time.process_time() - cpu)


def _flask(site: Site) -> Flask:
    """Return an application with the keys that all three extensions know."""
    from flask import Flask

    app = Flask("app")
    app.config |= {
        "MAIL_SERVER": site.host,
        "MAIL_PORT": site.port,
        "MAIL_USE_TLS": site.security == "starttls",
        "MAIL_USE_SSL": site.security == "tls",
    }
    if site.login:
        app.config["MAIL_USERNAME"], app.config["MAIL_PASSWORD"] = site.login
    return app


def flask_mailhandler(
    site: Site,
    options: Mapping[str, object] | None = None,
    connections: int = 1,
    message: Callable[[Case], Message] | None = None,
) -> Library:
    """Return Flask-MailHandler as a sender.

    :param options: More configuration.
    :param connections: The number of connections for many messages.
    :param message: Composes the message, instead of the usual composer.
    """
    from flask_mailhandler import Mail

    app = _flask(site)
    app.config |= options or {}
    mail = Mail(app)
    message = message or compose.flask_mailhandler()

    def send(case: Case) -> None:
        with app.app_context():
            mail.send(message(case)).raise_for_failures()

    def send_all(cases: Iterable[Case]) -> None:
        # In a list, the next message is known, so its envelope goes with the end of the last one.
        messages = [message(case) for case in cases]
        with app.app_context():
            for report in mail.send_each(messages, connections=connections):
                report.raise_for_failures()

    return Library(send, send_all)


def flask_mail(site: Site) -> Library:
    from flask_mail import Mail

    app = _flask(site)
    mail = Mail(app)
    message = compose.flask_mail()

    def send(case: Case) -> None:
        with app.app_context():
            mail.send(message(case))

    def send_all(cases: Iterable[Case]) -> None:
        with app.app_context(), mail.connect() as connection:
            for case in cases:
                connection.send(message(case))

    return Library(send, send_all)


def flask_mailman(site: Site) -> Library:
    from flask_mailman import Mail

    app = _flask(site)
    mail = Mail(app)
    message = compose.flask_mailman()
    with app.app_context():
        connection = mail.get_connection()

    def send_all(cases: Iterable[Case]) -> None:
        with app.app_context():
            connection.send_messages([message(case) for case in cases])

    return Library(lambda case: send_all([case]), send_all)


def django(site: Site) -> Library:
    message = compose.django()
    from django.core.mail import get_connection

    user, password = site.login or ("", "")
    connection = get_connection(
        "django.core.mail.backends.smtp.EmailBackend",
        host=site.host,
        port=site.port,
        username=user,
        password=password,
        use_tls=site.security == "starttls",
        use_ssl=site.security == "tls",
    )

    def send_all(cases: Iterable[Case]) -> None:
        connection.send_messages([message(case) for case in cases])

    return Library(lambda case: send_all([case]), send_all)


def email_simplified(site: Site) -> Library:
    from email_simplified.handlers.smtp import SMTPEmailHandler

    message = compose.email_simplified()
    user, password = site.login or (None, None)
    handler = SMTPEmailHandler(
        host=site.host,
        port=site.port,
        use_tls=site.security == "tls",
        use_starttls=site.security == "starttls",
        username=user,
        password=password,
        recipients_per_message=BATCH,
    )

    def send_all(cases: Iterable[Case]) -> None:
        handler.send([message(case) for case in cases])

    return Library(lambda case: send_all([case]), send_all)


def aiosmtplib(site: Site) -> Library:
    """Return aiosmtplib, in a running event loop as in an asynchronous application."""
    import asyncio

    import aiosmtplib

    message = compose.email_message()
    user, password = site.login or (None, None)
    options: dict[str, t.Any] = {
        "hostname": site.host,
        "port": site.port,
        "username": user,
        "password": password,
        "use_tls": site.security == "tls",
        "start_tls": site.security == "starttls",
        "tls_context": _context(site),
    }
    runner = asyncio.Runner()

    async def send_all(cases: Iterable[Case]) -> None:
        async with aiosmtplib.SMTP(**options) as client:
            for case in cases:
                await client.send_message(message(case))

    return Library(
        lambda case: runner.run(aiosmtplib.send(message(case), **options)),
        lambda cases: runner.run(send_all(cases)),
    )


def smtplib(site: Site) -> Library:
    """The standard library's client, with its ``EmailMessage``."""
    from smtplib import SMTP
    from smtplib import SMTP_SSL

    message = compose.email_message()
    context = _context(site)

    def connect() -> SMTP:
        if site.security == "tls":
            return SMTP_SSL(site.host, site.port, context=context)
        return SMTP(site.host, site.port)

    def send_all(cases: Iterable[Case]) -> None:
        with connect() as client:
            if site.security == "starttls":
                client.starttls(context=context)
            if site.login:
                client.login(*site.login)
            for case in cases:
                client.send_message(message(case))

    return Library(lambda case: send_all([case]), send_all)


def _context(site: Site) -> ssl.SSLContext | None:
    import ssl

    return ssl.create_default_context() if site.login else None


def smtp_source(site: Site, size: int) -> Many:
    """The C program that comes with Postfix, over one connection. It waits for each reply, and
    renders nothing: it repeats the same line.

    :param size: The octets of a message.
    """
    from servers.smtp_sink import PATH

    program = shutil.which("smtp-source", path=PATH) or "smtp-source"
    command = [program, "-4", "-d", "-s", "1", "-l", str(size)]

    def send_all(cases: Sequence[Case]) -> Spent:
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*command, "-m", str(len(cases)), f"{site.host}:{site.port}"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Spent(time.perf_counter() - start, cpu)

    return send_all


SOURCE = "smtp-source"
SENDERS: dict[str, Callable[[Site], Library]] = {
    "Flask-Mail": flask_mail,
    "Flask-Mailman": flask_mailman,
    "Django": django,
    "email-simplified": email_simplified,
    "aiosmtplib": aiosmtplib,
    "smtplib": smtplib,
}
