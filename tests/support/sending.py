"""What the tests of the session send, and through what."""

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
    """A server, whichever."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...


def smtp(server: Listener, **options: t.Any) -> SMTPEmailHandler:
    """A handler that speaks to *server*, and has more time than a busy machine needs."""
    given: dict[str, t.Any] = {"host": server.host, "port": server.port, **PATIENT}
    handler = SMTPEmailHandler(**(given | options))
    if isinstance(server, ScriptedServer):
        server.clients.append(handler)
    return handler


def in_groups(scripted: Scripted) -> Scripted:
    """The same servers, with PIPELINING: a client says whole command groups to them."""

    def start(**declared: t.Any) -> ScriptedServer:
        offered = [*declared.pop("extensions", DEFAULT_EXTENSIONS), "PIPELINING"]
        return scripted(extensions=offered, **declared)

    return start


def grouped(server: ScriptedServer) -> bool:
    """Whether a client says whole command groups to it."""
    return "PIPELINING" in server.offers(encrypted=False)


def letter(*to: str, text: str = "Hello.\n", subject: str = "Hi") -> Message:
    """A small message."""
    recipients = to or ("b@example.com",)
    return Message(subject=subject, text=text, from_addr="a@example.com", to=list(recipients))


def letters(number: int) -> list[Message]:
    """Small messages, numbered from 1 by their subjects."""
    return [letter(f"r{count}@example.com", subject=str(count)) for count in range(1, number + 1)]


def job(
    content: bytes | list[bytes | Piece] = b"Subject: Hi\r\n\r\nHello.\r\n",
    to: Iterable[str] = ("b@example.com",),
    *,
    sender: str = "a@example.com",
    eightbit: bool = False,
    smtputf8: bool = False,
) -> Job:
    """Octets of one's own, below every check of messages."""
    octets = Content(content, eightbit=eightbit, smtputf8=smtputf8)
    return Job(letter(*to), "<1@example.com>", Envelope(sender, to), octets)


def deliver(handler: SMTPEmailHandler, *jobs: Job) -> list[Report]:
    """The reports of what was delivered, without observing it."""
    return [*handler.deliver(jobs, lambda phase, job: None)]


def states(report: Report) -> list[State]:
    """What became of each recipient, in order."""
    return [outcome.state for outcome in report.outcomes]


def codes(report: Report) -> list[int | None]:
    """The reply that decided about each recipient, in order."""
    return [outcome.code for outcome in report.outcomes]


def became(server: ScriptedServer, number: int, **options: t.Any) -> str:
    """Send a list; the initial of what became of each message."""
    reports = smtp(server, **options).send(letters(number))
    server.settle()
    # Whatever happens, nothing is there twice, and what is reported accepted is there.
    arrived = [accepted.recipients[0] for accepted in server.accepted]
    assert len(arrived) == len(set(arrived))
    assert {to for report in reports for to in report.accepted} <= set(arrived)
    return "".join(states(report)[0][0] for report in reports)
