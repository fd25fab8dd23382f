"""``flask mail check --live``: one message through the account, and all that was answered."""

from __future__ import annotations

import json
import re
import time
import typing as t
from collections.abc import Iterator

import click

from .. import config
from ..address import Address
from ..handlers.console import ConsoleEmailHandler
from ..handlers.file import FileEmailHandler
from ..handlers.memory import MemoryEmailHandler
from ..handlers.providers.api import APIEmailHandler
from ..handlers.providers.hearing import hearing
from ..message.message import Message
from ..net.masking import Echoes
from ..net.quoting import escape
from ..report import DeferredError
from ..secret import Secret
from .table import print_error
from .table import print_table

if t.TYPE_CHECKING:
    from ..net.http.request import Request
    from ..net.http.response import Response
    from ..report import Report
    from .in_force import InForce

    Rows: t.TypeAlias = "Iterator[tuple[str, str]]"

# The other header fields are named in one row.
_OF_INTEREST = r"rate-?limit|retry|quota|request-?id|message-?id|trace|amzn|\Adate\Z|content-type"
# The most characters of a field.
_SHOWN = 1000


def check_that_it_sends(in_force: InForce) -> None:
    """Check that a message would leave this machine.

    :raises click.ClickException: if it would not.
    """
    handler, account = in_force.handler, in_force.account.name
    if in_force.captured:
        why = "a test captures the mail of this app"
    elif isinstance(handler, ConsoleEmailHandler | MemoryEmailHandler | FileEmailHandler):
        why = f"the {type(handler).__name__} sends nothing. It was chosen {in_force.decided_by}"
    else:
        return
    raise click.ClickException(
        f"--live cannot try the account {account!r}: {why}. Set MAIL_URL to a server or a provider."
    )


def try_live(in_force: InForce, to: Address) -> int:
    """Send one message, and print what became of it and what was answered.

    :return: The exit code: 0 if the message was accepted.
    :raises MailError: if it cannot be sent as it is.
    """
    heard: list[tuple[Request, Response]] = []
    message = _message(in_force, to)
    began = time.monotonic()
    with hearing(lambda request, response: heard.append((request, response))):
        report = in_force.send(message)
    seconds = time.monotonic() - began
    hide = _Masks(in_force, heard)
    click.echo(f"One message was given to the account, for {to}:\n")
    print_table([*hide.rows(_of_report(report, seconds))])
    for number, (_, response) in enumerate(heard, 1):
        which = f" {number} of {len(heard)}" if len(heard) > 1 else ""
        click.echo(f"\nResponse{which} of the API, field by field:\n")
        print_table([*hide.rows(_of_response(response))])
    click.echo()
    if not report.outcomes:
        print_error("A before_send function stopped the message. It was not sent.")
    elif report.error is not None:
        print_error(hide(str(report.error)))
    elif isinstance(in_force.handler, APIEmailHandler):
        click.echo(f"When it arrives, see whether its Message-ID is {report.message_id}.")
    return int(not report.ok)


def _message(in_force: InForce, to: Address) -> Message:
    sender = in_force.handler.default_from or getattr(in_force.handler, "username", None)
    if sender is None or "@" not in sender:
        raise click.ClickException(
            "Set MAIL_DEFAULT_FROM to an address that the account may send from, or end MAIL_URL"
            " with ?default_from=me@example.com."
        )
    return Message(
        from_addr=sender,
        to=to,
        cc=[],  # without those of MAIL_DEFAULT_CC and MAIL_DEFAULT_BCC
        bcc=[],
        subject=f"Test of the account {in_force.account.name!r}",
        text="'flask mail check --live' sent this message to see what is answered.",
    )


def _of_report(report: Report, seconds: float) -> Rows:
    for outcome in report.outcomes:
        reply = " ".join(filter(None, (str(outcome.code or ""), outcome.enhanced_code)))
        yield "recipient", str(outcome.recipient)
        yield "outcome", str(outcome.state)
        yield "status", reply
        yield "text", outcome.text
        yield "about", str(outcome.about or "")
        yield "provider's id", outcome.provider_id
    error = report.error
    if error is not None:
        yield "error", type(error).__name__
        yield "phase", "" if error.phase is None else str(error.phase)
    if isinstance(error, DeferredError) and error.retry_after is not None:
        rests = error.retry_after
        yield "account rests", f"{rests:g} s" if rests else "for a time that is not said"
    if report.safe_until is not None:
        yield "safe until", report.safe_until.isoformat(" ", "seconds")
    yield "Message-ID", report.message_id
    yield "time", f"{seconds:.2f} s"


def _of_response(response: Response) -> Rows:
    yield "status", str(response.status)
    if not response.whole:
        yield "answered", "before the end of the request"
    shown = [name for name in response.headers if re.search(_OF_INTEREST, name, re.I)]
    for name in shown:
        yield name, response.headers[name]
    yield "other fields", ", ".join(name for name in response.headers if name not in shown)
    yield from _of_body(response.body)


def _of_body(body: bytes) -> Rows:
    """Yield the fields of a JSON object, or the body as it is."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        yield "body", escape(b" ".join(body.split())) or "empty"
        return
    for name, value in found.items():
        yield f"body: {name}", json.dumps(value, ensure_ascii=False)


class _Masks:
    """Masks the secrets of an account, and those of its requests, in what is printed."""

    def __init__(self, in_force: InForce, heard: list[tuple[Request, Response]]) -> None:
        handler = in_force.handler
        options = [getattr(handler, name) for name in config.options(type(handler))]
        known = [value for value in options if isinstance(value, Secret)]
        known += [secret for request, _ in heard for secret in request.secrets]
        self._echoes = Echoes(known)

    def __call__(self, text: str) -> str:
        """Return a text, masked and shortened."""
        line = escape(" ".join(text.split()).encode(errors="backslashreplace"))
        # A secret that is cut is searched by its beginning, so that it is cut afterwards.
        (found,) = self._echoes.hide([line])
        return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}..."

    def rows(self, rows: Rows) -> Rows:
        """Yield the rows that have a value."""
        return ((self(name), self(value)) for name, value in rows if value)
