"""``flask mail send``: send one message and print its report."""

from __future__ import annotations

import dataclasses
import functools
import sys
import time
import typing as t
from pathlib import Path

import click

from ..address import Address
from ..app.framework import current_app_object
from ..attachment import Attachment
from ..handlers.console import ConsoleEmailHandler
from ..handlers.file import FileEmailHandler
from ..handlers.memory import MemoryEmailHandler
from ..handlers.smtp import SMTPEmailHandler
from ..message.message import Message
from ..phase import State
from ..report import ConnectError
from ..text.checks import check_text
from .ask import ask
from .ask import ask_address
from .ask import ask_password
from .ask import ask_text
from .ask import interactive
from .table import print_error
from .table import print_table
from .table import recipient_via

if t.TYPE_CHECKING:
    from ..report import Report
    from .in_force import InForce


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """The options on the command line."""

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    from_addr: str | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    attach: tuple[str, ...] = ()


def send(in_force: InForce, arguments: Arguments) -> int:
    """Send one message and print the report.

    :return: The exit code: 0 if every recipient was accepted.
    :raises MailError: if the message cannot be sent as it is.
    """
    if in_force.unconfigured and interactive():
        in_force, arguments = _connect(in_force, arguments)
    message = _message(in_force, arguments)
    began = time.monotonic()
    report = in_force.send(message)
    return _print(report, in_force, time.monotonic() - began)


def _connect(in_force: InForce, arguments: Arguments) -> tuple[InForce, Arguments]:
    """Ask for a login if nothing is configured: an address, its password, and the server, with an
    optional port. The connection is always encrypted."""
    click.echo("Neither MAIL_URL nor MAIL_HOST is set: please enter a login.", err=True)
    address = Address(arguments.from_addr or ask_address("Your email address"))
    password = ask_password("Your password")

    def connected(server: str) -> InForce:
        # A URL is not split, so that it is refused as a whole.
        host, _, port = server.strip().partition(" " if "://" in server else ":")
        return in_force.connected(
            host=host,
            port=port or None,
            security="tls" if port == "465" else "starttls",
            username=str(address),
            password=password,
        )

    found = ask("Your provider's server", f"smtp.{address.domain}", connected)
    return found, dataclasses.replace(arguments, from_addr=address.formatted)


def _message(in_force: InForce, arguments: Arguments) -> Message:
    handler, html = in_force.handler, _html(arguments.html)
    sender = arguments.from_addr
    if sender is None and handler.default_from is None:
        sender = _given_or_asked("--from", ask_address, "From")
    to = arguments.to
    given = to or arguments.cc or arguments.bcc
    if not given and not (handler.default_to or handler.default_cc or handler.default_bcc):
        to = (_given_or_asked("--to", ask_address, "To"),)
    subject = arguments.subject
    if subject is None and not handler.default_subject:
        line = functools.partial(check_text, field="It")
        subject = _given_or_asked(
            "--subject", functools.partial(ask, default=None, check=line), "Subject"
        )
    return Message(
        from_addr=sender,
        to=to or None,  # so that the defaults apply
        cc=arguments.cc or None,
        bcc=arguments.bcc or None,
        subject=subject or "",
        text=_text(arguments),
        html=html,
        attachments=[Attachment.from_path(path) for path in arguments.attach],
    )


def _given_or_asked(option: str, question: t.Callable[[str], str], name: str) -> str:
    if interactive():
        return question(name)
    if current_app_object() is None:  # then no keys are read
        raise click.ClickException(f"Give {option}.")
    key = {"--from": "MAIL_DEFAULT_FROM", "--to": "MAIL_DEFAULT_TO"}.get(option)
    raise click.ClickException(f"Give {option}, or set {key or 'MAIL_DEFAULT_SUBJECT'}.")


def _text(arguments: Arguments) -> str:
    piped = arguments.text == "-" or (arguments.text is None and arguments.html is None)
    if not piped:
        return arguments.text or ""
    text = ask_text() if interactive() else _piped()
    if not text.strip() and not arguments.html and not arguments.attach:
        raise click.ClickException("There is no text: give --text or --html, or pipe it in.")
    return text


def _piped() -> str:
    return "" if sys.stdin is None else _decoded(sys.stdin.buffer.read(), "standard input")


def _html(path: str | None) -> str:
    if path is None:
        return ""
    try:
        return _decoded(Path(path).read_bytes(), path)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be read: {error.strerror}.") from error


def _decoded(octets: bytes, name: str) -> str:
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{name} is not UTF-8: {error.reason}.") from error


def _print(report: Report, in_force: InForce, seconds: float) -> int:
    if not report.outcomes:
        print_error("A before_send function stopped the message. It was not sent.")
        return 1
    why = str(report.error or "")
    rows = []
    for outcome in report.outcomes:
        reply = " ".join(filter(None, (str(outcome.code or ""), outcome.enhanced_code)))
        # The error is printed below, so it is not repeated for each recipient.
        text = "" if outcome.text == why else outcome.text
        rows.append(
            (
                str(outcome.state),
                recipient_via(outcome.recipient, outcome.account),
                f"{reply} {text}".strip(),
            )
        )
    print_table(rows)
    click.echo(f"\n{report.message_id}\n{_what_was_done(report, in_force)} in {seconds:.2f} s.")
    if report.ok:
        return 0
    failed = [outcome for outcome in report.outcomes if outcome.state is not State.ACCEPTED]
    if all(outcome.code for outcome in failed):  # the replies above say why
        print_error(f"{len(failed)} of {len(rows)} recipients not accepted.")
    else:
        unset = isinstance(report.error, ConnectError) and in_force.unconfigured
        print_error(why + (in_force.not_set if unset else ""))
    return 1


def _what_was_done(report: Report, in_force: InForce) -> str:
    sent_by = [one for one in in_force.members if one.account.name == report.account]
    handler = (sent_by or [in_force])[0].handler
    match handler:
        case SMTPEmailHandler():
            return f"{'Accepted' if report.accepted else 'Not accepted'} by {handler.server}"
        case ConsoleEmailHandler() | MemoryEmailHandler() | FileEmailHandler() if (
            not report.accepted  # suppressed, for example: nothing is printed or stored then
        ):
            return "Not accepted"
        case ConsoleEmailHandler():
            done = "Printed and not sent"
        case MemoryEmailHandler():
            done = "Stored in memory until this command ended, and not sent"
        case FileEmailHandler():
            done = f"Written into {Path(handler.folder).absolute()} and not sent"
        case _:
            done = f"Passed to {type(handler).__name__}"
    return (
        done if isinstance(handler, SMTPEmailHandler) else f"{done} (chosen {in_force.decided_by})"
    )
