"""What the server said, recipient by recipient."""

from __future__ import annotations

import dataclasses
import enum
import typing as t
from collections.abc import Callable
from collections.abc import Iterable

from .address import Address
from .address import Addresses
from .errors import DeferredError
from .errors import DeliveryError
from .errors import RefusedError
from .errors import UnknownOutcomeError

if t.TYPE_CHECKING:
    from email.message import Message as MIMEMessage

    from .content import Content
    from .envelope import Envelope
    from .message.message import Message


class State(enum.StrEnum):
    """What has become of one recipient of one message."""

    ACCEPTED = "accepted"
    """The server answered 2yz to the end of data: the message is its now."""
    DEFERRED = "deferred"
    """4yz, or no reply before the end of data: nothing was taken, trying later is safe."""
    REFUSED = "refused"
    """5yz, or refused here before any connection: trying again is useless."""
    UNKNOWN = "unknown"
    """The end of data was given and no valid reply came: perhaps taken, perhaps not."""


class Phase(enum.IntEnum):
    """How far a session has come. What may be repeated depends on it: anything up to
    :attr:`CONTENT`, and never again from :attr:`END_OF_DATA` on."""

    CONNECT = 1
    GREETING = 2
    EHLO = 3
    TLS = 4
    AUTH = 5
    MAIL = 6
    RCPT = 7
    DATA = 8
    CONTENT = 9
    END_OF_DATA = 10
    DONE = 11

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


class About(enum.StrEnum):
    """Whose fault it is that a recipient was not accepted."""

    RECIPIENT = "recipient"
    """This address: unknown, full, blocked. The others are not concerned."""
    SENDER = "sender"
    """The From or the envelope sender: not verified, not allowed for this login."""
    ACCOUNT = "account"
    """The login, its quota, or the server, which would refuse every message."""
    CONTENT = "content"
    """What the message says, or its size."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """What has become of one recipient."""

    recipient: Address
    state: State
    code: int | None = None
    """The reply code (RFC 5321 section 4.2), or None where no reply decided."""
    enhanced_code: str | None = None
    """The enhanced code (RFC 3463), such as ``5.1.1``."""
    text: str = ""
    """The server's text, escaped and cut, or our own reason where no reply decided."""
    about: About | None = None
    """Whose fault it is that the recipient was not accepted: if nothing is given, the recipient's.
    None if the recipient was accepted. Only what is about the recipient says anything about the
    address."""

    def __post_init__(self) -> None:
        accepted = self.state is State.ACCEPTED
        blamed = None if accepted else self.about or About.RECIPIENT
        object.__setattr__(self, "about", blamed)

    def __str__(self) -> str:
        reply = " ".join(filter(None, (str(self.code or ""), self.enhanced_code, self.text)))
        return f"{self.recipient} {self.state}" + (f": {reply}" if reply else "")


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What has become of one message. A handler makes it by :func:`conclude`."""

    message: Message | MIMEMessage
    """The message as it was sent: with the defaults filled in."""
    message_id: str
    """The Message-ID with its angle brackets."""
    outcomes: tuple[Outcome, ...]
    """One for each recipient of the envelope, in its order. Empty if a ``before_send``
    function stopped the message."""
    error: DeliveryError | None = None
    """What went wrong, if any recipient was not accepted."""

    @property
    def ok(self) -> bool:
        """Whether every recipient was accepted. Not, if a ``before_send`` function has stopped
        the message: then nobody got it."""
        return bool(self.outcomes) and all(
            outcome.state is State.ACCEPTED for outcome in self.outcomes
        )

    @property
    def failed(self) -> bool:
        """Whether nobody was accepted though the message was tried."""
        return bool(self.outcomes) and not self.accepted

    @property
    def accepted(self) -> Addresses:
        """The recipients whose copy the server has taken over."""
        return self._in(State.ACCEPTED)

    @property
    def deferred(self) -> Addresses:
        """The recipients that may be tried again later."""
        return self._in(State.DEFERRED)

    @property
    def refused(self) -> Addresses:
        """The recipients that need not be tried again."""
        return self._in(State.REFUSED)

    @property
    def unknown(self) -> Addresses:
        """The recipients of whom nobody knows."""
        return self._in(State.UNKNOWN)

    def raise_for_failures(self) -> None:
        """Raise :attr:`error` if any recipient was not accepted.

        :raises DeliveryError: whose ``report`` is this one.
        """
        if self.error is not None:
            raise self.error

    def _in(self, state: State) -> Addresses:
        return Addresses([o.recipient for o in self.outcomes if o.state is state])

    def __repr__(self) -> str:
        counts = " ".join(f"{state}={len(found)}" for state in State if (found := self._in(state)))
        return f"<Report {self.message_id} {counts or 'stopped'}>"


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """What a handler's ``deliver`` is given: a message, and all that sending it needs."""

    message: Message | MIMEMessage
    message_id: str
    envelope: Envelope
    content: Content
    timeout: float | None = None
    """Seconds for this message all in all, where the caller named them."""


Observe: t.TypeAlias = Callable[[Phase, Job], None]
"""Is told each phase before it begins: ``observe(Phase.END_OF_DATA, job)`` comes before the
octets that end the content are given to the kernel. The envelope of the job names the recipients of
the batch that it is about; from the end of data on, those who may have got the message then."""


def conclude(job: Job, outcomes: Iterable[Outcome], error: DeliveryError | None = None) -> Report:
    """Make the report of a job.

    :param outcomes: One for each recipient.
    :param error: What went wrong, where more is known than the outcomes tell. Where it is left
        out and someone was not accepted, an error is made of the gravest outcomes: unknown
        before deferred before refused.
    """
    return report_on(job.message, job.message_id, outcomes, error)


def report_on(
    message: Message | MIMEMessage,
    message_id: str,
    outcomes: Iterable[Outcome],
    error: DeliveryError | None = None,
) -> Report:
    """Make the report of a message that perhaps never was a job; else as :func:`conclude`."""
    found = tuple(outcomes)
    if error is None:
        error = _summary(found)
    report = Report(message, message_id, found, error)
    if error is not None:
        error.report = report
    return report


_GRAVEST: tuple[tuple[State, type[DeliveryError]], ...] = (
    (State.UNKNOWN, UnknownOutcomeError),
    (State.DEFERRED, DeferredError),
    (State.REFUSED, RefusedError),
)


def _summary(outcomes: tuple[Outcome, ...]) -> DeliveryError | None:
    states = {outcome.state for outcome in outcomes}
    for state, error in _GRAVEST:
        if state in states:
            found = [outcome for outcome in outcomes if outcome.state is state]
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            return error(f"{len(found)} of {len(outcomes)} recipients {state}: {found[0]}{more}")
    return None
