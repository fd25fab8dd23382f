"""How Flask-MailHandler and Anymail send by the API of a provider."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager

from . import compose
from .agreement import check
from .cases import Case
from .program import python
from .senders import Library
from .servers import Site

if t.TYPE_CHECKING:
    from servers.certificates import Certificates

CLIENTS = {"Resend": "requests", "Postmark": "requests", "Amazon SES": "boto3"}
"""The providers, and the client that Anymail uses for each."""
_URLS = {
    "Resend": "resend://key@default?api_url={}",
    "Postmark": "postmark://key@default?api_url={}",
    "Amazon SES": "ses://key:secret@eu-west-1?api_url={}",
}


class APISink:
    """The server. A context manager, in which both clients trust its certificate.

    :param made: The certificates.
    """

    def __init__(self, made: Certificates) -> None:
        self._made = made
        self._program = python("http_sink", str(made.cert_file), str(made.key_file))

    def __enter__(self) -> t.Self:
        self._program.__enter__()
        self.site = Site(self._program.ask(None)["port"], "tls")
        for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
            os.environ[name] = str(self._made.ca_file)
        return self

    def __exit__(self, *_: object) -> None:
        for name in ("REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"):
            del os.environ[name]
        self._program.__exit__()

    def taken(self) -> int:
        """Return how many requests it has answered."""
        return int(self._program.ask(None)["requests"])

    def last(self) -> dict[str, t.Any]:
        """Return the fields of the last request."""
        fields = json.loads(base64.b64decode(self._program.ask(None)["last"]))
        return t.cast("dict[str, t.Any]", fields)


def _url(site: Site) -> str:
    return f"https://{site.host}:{site.port}"


def flask_mailhandler(site: Site, provider: str, connections: int = 1) -> Library:
    """Return Flask-MailHandler as a sender.

    :param connections: The number of connections for many messages.
    """
    from flask import Flask

    from flask_mailhandler import Mail

    app = Flask("app")
    app.config |= {
        "MAIL_URL": _URLS[provider].format(_url(site)),
        "MAIL_POOL_SIZE": max(connections, 2),
    }
    mail = Mail(app)
    message = compose.flask_mailhandler()

    def send(case: Case) -> None:
        with app.app_context():
            mail.send(message(case)).raise_for_failures()

    def send_all(cases: Iterable[Case]) -> None:
        messages = [message(case) for case in cases]
        with app.app_context():
            for report in mail.send_each(messages, connections=connections):
                report.raise_for_failures()

    return Library(send, send_all)


def anymail(site: Site, provider: str) -> Library:
    """Return Anymail as a sender that opens a connection for each call, as ``message.send()``
    does."""
    connection, message = _anymail(site, provider)

    def send_all(cases: Iterable[Case]) -> None:
        connection.send_messages([message(case) for case in cases])

    return Library(lambda case: send_all([case]), send_all)


@contextmanager
def anymail_kept(site: Site, provider: str) -> Iterator[Library]:
    """Yield Anymail as a sender that keeps a connection, as an application can."""
    connection, message = _anymail(site, provider)
    with connection:

        def send_all(cases: Iterable[Case]) -> None:
            connection.send_messages([message(case) for case in cases])

        yield Library(lambda case: send_all([case]), send_all)


def _anymail(site: Site, provider: str) -> tuple[t.Any, Callable[[Case], t.Any]]:
    message = compose.django()
    from django.core.mail import get_connection

    url = _url(site)
    backends: dict[str, tuple[str, dict[str, t.Any]]] = {
        "Resend": ("resend", {"api_key": "key", "api_url": url}),
        "Postmark": ("postmark", {"server_token": "key", "api_url": url}),
        "Amazon SES": (
            "amazon_ses",
            {
                "client_params": {
                    "aws_access_key_id": "key",
                    "aws_secret_access_key": "secret",
                    "region_name": "eu-west-1",
                    "endpoint_url": url,
                }
            },
        ),
    }
    backend, options = backends[provider]
    return get_connection(f"anymail.backends.{backend}.EmailBackend", **options), message


def check_arrived(name: str, provider: str, case: Case, fields: dict[str, t.Any]) -> None:
    """Check that what a provider was given matches the case.

    :raises ValueError: if it does not. The times of the library would then mean nothing.
    """
    if provider == "Amazon SES":
        check(name, case, base64.b64decode(fields["Content"]["Raw"]["Data"]))
        return
    known = {key.lower(): value for key, value in fields.items()}
    found = dataclasses.replace(
        case,
        subject=known["subject"],
        text=_with_line_end(known["text" if "text" in known else "textbody"]),
        html=_with_line_end(known["html" if "html" in known else "htmlbody"]),
        sender=known["from"],
        recipients=tuple([known["to"]] if isinstance(known["to"], str) else known["to"]),
    )
    if found != case:
        raise ValueError(f"{name} gave {provider} another mail: {found} instead of {case}.")


def _with_line_end(text: str) -> str:
    """Return a text with the last line end, which Flask-MailHandler leaves out."""
    return text.removesuffix("\n") + "\n"
