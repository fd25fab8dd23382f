"""The report on a message, recipient by recipient, and the errors that have a report.

::

    Job ── handler.deliver ──▶ Outcome, one for each recipient ── conclude ──▶ Report
                                                                               │
                                                 DeliveryError.report ◀──▶ Report.error
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence

from .address import Addresses
from .errors import MailError
from .frozen import Frozen
from .frozen import slotted
from .phase import About as About
from .phase import Outcome as Outcome
from .phase import Phase
from .phase import State

if t.TYPE_CHECKING:
    import datetime
    from email.message import Message as MIMEMessage

    from .content import Content
    from .envelope import DSN
    from .envelope import Envelope
    from .message.message import Message


@slotted
class Report(Frozen):
    """The result of sending one message.

    :meth:`.Mail.send` returns one; a handler makes it with :func:`conclude`.

    .. code-block:: python

        report = mail.send(message)
        if not report.ok:
            print("not accepted:", report.refused, report.deferred, report.error)
    """

    message: Message | MIMEMessage
    """The message as it was sent, with the defaults filled in."""
    message_id: str
    """The Message-ID with its angle brackets."""
    outcomes: tuple[Outcome, ...]
    """One for each recipient of the envelope, in its order. Empty if a ``before_send``
    function stopped the message."""
    error: DeliveryError | None = None
    """What went wrong, if any recipient was not accepted."""
    safe_until: datetime.datetime | None = None
    """The time, with its zone, until which it is safe to send the message again although it may
    have been accepted: the provider recognizes its key. None if there is none, as with SMTP."""
    account: str = ""
    """The account that sent it, even if ``MAIL_FAILOVER`` chose it; "" without an app."""

    def __init__(
        self,
        message: Message | MIMEMessage,
        message_id: str,
        outcomes: tuple[Outcome, ...],
        error: DeliveryError | None = None,
        safe_until: datetime.datetime | None = None,
        account: str = "",
    ) -> None:
        put = object.__setattr__
        put(self, "message", message)
        put(self, "message_id", message_id)
        put(self, "outcomes", outcomes)
        put(self, "error", error)
        put(self, "safe_until", safe_until)
        put(self, "account", account)

    @property
    def ok(self) -> bool:
        """Whether every recipient was accepted. False if a ``before_send`` function stopped it."""
        return bool(self.outcomes) and all(o.state is State.ACCEPTED for o in self.outcomes)

    @property
    def failed(self) -> bool:
        """Whether the message was tried and no recipient was accepted."""
        return bool(self.outcomes) and not self.accepted

    @property
    def accepted(self) -> Addresses:
        """The recipients for whom the server has accepted the message."""
        return self._in(State.ACCEPTED)

    @property
    def deferred(self) -> Addresses:
        """The recipients that may be tried again later."""
        return self._in(State.DEFERRED)

    @property
    def refused(self) -> Addresses:
        """The recipients for whom trying again is useless."""
        return self._in(State.REFUSED)

    @property
    def unknown(self) -> Addresses:
        """The recipients for whom the server may have accepted the message."""
        return self._in(State.UNKNOWN)

    def raise_for_failures(self) -> None:
        """Raise :attr:`error` if any recipient was not accepted.

        :raises DeliveryError: with this report as its ``report``.
        """
        if self.error is not None:
            raise self.error

    def _in(self, state: State) -> Addresses:
        return Addresses([o.recipient for o in self.outcomes if o.state is state])

    def __repr__(self) -> str:
        counts = " ".join(f"{state}={len(found)}" for state in State if (found := self._in(state)))
        return f"<Report {self.message_id} {counts or 'stopped'}>"


@slotted
class Job(Frozen):
    """A message with everything that a handler needs to send it; ``deliver`` gets an iterable of
    these."""

    message: Message | MIMEMessage
    message_id: str
    envelope: Envelope
    content: Content
    timeout: float | None = None
    """The total time for this message in seconds, if the caller passed ``timeout``."""
    dsn: DSN | None = None
    """The delivery notifications that the message asks for, if it asks for any."""
    repeats: bool = False
    """Whether an earlier attempt may have been accepted, so that the server may recognize it."""
    account: str = ""
    """The account that sends it; "" without an app."""

    def __init__(
        self,
        message: Message | MIMEMessage,
        message_id: str,
        envelope: Envelope,
        content: Content,
        timeout: float | None = None,
        dsn: DSN | None = None,
        repeats: bool = False,
        account: str = "",
    ) -> None:
        put = object.__setattr__
        put(self, "message", message)
        put(self, "message_id", message_id)
        put(self, "envelope", envelope)
        put(self, "content", content)
        put(self, "timeout", timeout)
        put(self, "dsn", dsn)
        put(self, "repeats", repeats)
        put(self, "account", account)


Observe: t.TypeAlias = Callable[[Phase, Job], None]
"""A function that a handler calls with each phase before it begins, such as
``observe(Phase.END_OF_DATA, job)`` before it writes the octets that end the content. The envelope
of *job* has only the recipients that the phase is about."""


class DeliveryError(MailError):
    """No recipient was accepted.

    :param text: What happened, and what you can do about it. A server's text in it is escaped and
        shortened.
    :param phase: The phase that the session had reached.
    :param temporary: Whether the same attempt may succeed later without any change.
    """

    report: Report | None = None
    """The message's report, with the outcome of each recipient."""

    def __init__(self, text: str, *, phase: Phase | None = None, temporary: bool = True) -> None:
        super().__init__(text)
        self.phase = phase
        self.temporary = temporary

    # An exception is pickled as its class and its args; keyword-only arguments need the state.
    def __reduce__(self) -> tuple[t.Any, ...]:
        return type(self), self.args, self.__dict__


class DeferredError(DeliveryError):
    """The message was not accepted now. Sending it again later is safe. If
    :attr:`.Report.safe_until` is set, it is safe until then."""

    retry_after: float | None = None
    """The seconds for which the server wants no message from this account, or 0 if it does not say
    how long. None if it wants the next message, as far as known."""


class ConnectError(DeferredError):
    """The connection, the greeting or EHLO failed, so the message was not sent."""


class TLSError(DeferredError):
    """The connection could not be encrypted, or the server's certificate could not be verified.
    Nothing was sent."""


class LoginError(DeferredError):
    """The server refused the login, or requires one."""


class RefusedError(DeliveryError):
    """The server will not accept the message as it is (5yz). Sending it again is useless."""

    def __init__(self, text: str, *, phase: Phase | None = None, temporary: bool = False) -> None:
        super().__init__(text, phase=phase, temporary=temporary)


class UnknownOutcomeError(DeliveryError):
    """The server got the whole message and sent no valid reply: it may have accepted it.

    The message is never sent again automatically. If you send it again, send the same object: it
    keeps its Message-ID.
    """

    def __init__(self, text: str, *, phase: Phase | None = None, temporary: bool = False) -> None:
        super().__init__(text, phase=phase, temporary=temporary)


class BatchError(MailError):
    """At least one message of a list was not accepted for any recipient.

    :param reports: One report for each message of the list, in its order.
    """

    def __init__(self, reports: Sequence[Report]) -> None:
        self.reports: tuple[Report, ...] = tuple(reports)
        failed = [report for report in self.reports if report.failed]
        first = str(failed[0].error if failed else None).rstrip(".")
        super().__init__(
            f"{len(failed)} of {len(self.reports)} messages were accepted for no recipient."
            f" The first error: {first}. See .reports for each message."
        )

    def __reduce__(self) -> tuple[t.Any, ...]:
        return type(self), (self.reports,)


FAILURES: t.Final[Mapping[State, type[DeliveryError]]] = {
    State.UNKNOWN: UnknownOutcomeError,
    State.DEFERRED: DeferredError,
    State.REFUSED: RefusedError,
}
"""The error for each state other than accepted, in order of severity."""


def state_of(error: DeliveryError) -> State:
    """Return the state of the recipients that an error is about."""
    return next((s for s, kind in FAILURES.items() if isinstance(error, kind)), State.REFUSED)


def is_graver(state: State, error: DeliveryError) -> bool:
    """Return whether a failure with this state is graver than *error*."""
    order = [*FAILURES]
    return order.index(state) < order.index(state_of(error))


def conclude(
    job: Job,
    outcomes: Iterable[Outcome],
    error: DeliveryError | None = None,
    *,
    safe_until: datetime.datetime | None = None,
) -> Report:
    """Make the report of a job.

    .. code-block:: python

        yield conclude(job, [Outcome(to, State.ACCEPTED) for to in job.envelope.recipients])

    :param outcomes: One for each recipient.
    :param error: What went wrong, if you know more than the outcomes tell. If you leave it out
        and a recipient was not accepted, an error is made from the gravest outcomes, in the order
        unknown, deferred, refused.
    :param safe_until: See :attr:`.Report.safe_until`.
    """
    return report_on(job.message, job.message_id, outcomes, error, safe_until, job.account)


def report_on(
    message: Message | MIMEMessage,
    message_id: str,
    outcomes: Iterable[Outcome],
    error: DeliveryError | None = None,
    safe_until: datetime.datetime | None = None,
    account: str = "",
) -> Report:
    """Make the report of a message, like :func:`conclude`, but without a job."""
    found = tuple(outcomes)
    error = error or _summary(found)
    report = Report(message, message_id, found, error, safe_until, account)
    if error is not None:
        error.report = report
    return report


def _summary(outcomes: tuple[Outcome, ...]) -> DeliveryError | None:
    states = {outcome.state for outcome in outcomes}
    for state, error in FAILURES.items():
        if state in states:
            found = [outcome for outcome in outcomes if outcome.state is state]
            more = f" and {len(found) - 1} more" if len(found) > 1 else ""
            return error(f"{len(found)} of {len(outcomes)} recipients {state}: {found[0]}{more}")
    return None
