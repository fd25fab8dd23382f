"""Messages, handlers and results for the tests of SMTP sessions."""

from __future__ import annotations

import typing as t

from flask_mailhandler import Message
from flask_mailhandler.content import Content
from flask_mailhandler.envelope import Envelope
from flask_mailhandler.handlers.smtp import SMTPEmailHandler
from flask_mailhandler.phase import State
from flask_mailhandler.report import Job
from flask_mailhandler.report import Report
from servers import ScriptedServer
from servers.scripted import DEFAULT_EXTENSIONS

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Iterable

    from flask_mailhandler.content import Piece

Scripted: t.TypeAlias = "Callable[..., ScriptedServer]"
ACCEPTED, DEFERRED, REFUSED, UNKNOWN = State
# Options for seconds: even a busy machine needs fewer.
PATIENT = {"timeout": 60, "connect_timeout": 60, "pool_idle": 600}


class Listener(t.Protocol):
    """Any server."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


def smtp(server: Listener, **options: t.Any) -> SMTPEmailHandler:
    """Return a handler for *server*, with timeouts that even a busy machine does not reach."""
    given: dict[str, t.Any] = {"host": server.host, "port": server.port, **PATIENT}
    handler = SMTPEmailHandler(**(given | options))
    if isinstance(server, ScriptedServer):
        server.clients.append(handler)
    return handler


def in_groups(scripted: Scripted) -> Scripted:
    """Return a factory of servers with PIPELINING, to which a client sends groups of commands."""

    def start(**declared: t.Any) -> ScriptedServer:
        offered = [*declared.pop("extensions", DEFAULT_EXTENSIONS), "PIPELINING"]
        return scripted(extensions=offered, **declared)

    return start


def grouped(server: ScriptedServer) -> bool:
    """Whether a client sends groups of commands to the server."""
    return "PIPELINING" in server.offers(encrypted=False)


def letter(*to: str, text: str = "Hello.\n", subject: str = "Hi") -> Message:
    """Return a small message."""
    recipients = to or ("b@example.com",)
    return Message(subject=subject, text=text, from_addr="a@example.com", to=list(recipients))


def letters(number: int) -> list[Message]:
    """Return small messages, whose subjects number them from 1."""
    return [letter(f"r{count}@example.com", subject=str(count)) for count in range(1, number + 1)]


def job(
    content: bytes | list[bytes | Piece] = b"Subject: Hi\r\n\r\nHello.\r\n",
    to: Iterable[str] = ("b@example.com",),
    *,
    sender: str = "a@example.com",
    eightbit: bool = False,
    smtputf8: bool = False,
) -> Job:
    """Return a job with any octets, without the checks of a message."""
    octets = Content(content, eightbit=eightbit, smtputf8=smtputf8)
    return Job(letter(*to), "<1@example.com>", Envelope(sender, to), octets)


def deliver(handler: SMTPEmailHandler, *jobs: Job) -> list[Report]:
    """Deliver jobs without observing them, and return the reports."""
    return [*handler.deliver(jobs, lambda phase, job: None)]


def states(report: Report) -> list[State]:
    """The state of each recipient, in order."""
    return [outcome.state for outcome in report.outcomes]


def codes(report: Report) -> list[int | None]:
    """The reply code that decided the state of each recipient, in order."""
    return [outcome.code for outcome in report.outcomes]


def became(server: ScriptedServer, number: int, **options: t.Any) -> str:
    """Send a list, and return the first letter of each message's state."""
    reports = smtp(server, **options).send(letters(number))
    server.settle()
    # Whatever happens, nothing is there twice, and what is reported accepted is there.
    arrived = [accepted.recipients[0] for accepted in server.accepted]
    assert len(arrived) == len(set(arrived))
    assert {to for report in reports for to in report.accepted} <= set(arrived)
    return "".join(states(report)[0][0] for report in reports)
