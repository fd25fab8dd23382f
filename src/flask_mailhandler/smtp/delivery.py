"""The outcomes of a job so far, and the deliveries that are still to be made."""

from __future__ import annotations

import collections
import dataclasses
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ..address import Address
from ..address import Addresses
from ..errors import MessageError
from ..net.deadline import Deadline
from ..phase import Phase
from ..phase import State
from ..report import About
from ..report import DeliveryError
from ..report import FAILURES
from ..report import is_graver
from ..report import Outcome
from .fault import fault
from .reply import Reply

if t.TYPE_CHECKING:
    from ..content import Content
    from ..report import Job

# A second more for so many octets: what a slow line of 100 kB/s needs.
_OCTETS_PER_SECOND = 100_000
_SLOTS = [vars(Outcome)[field.name] for field in dataclasses.fields(Outcome)]
_GET = [slot.__get__ for slot in _SLOTS]
_PUT = [slot.__set__ for slot in _SLOTS]


class Delivery:
    """A job on its way: the recipients that wait, and the outcomes of the others. It outlives a
    session, so the outcomes are not lost with a connection.

    :param job: Only its envelope and content are used.
    :param timeout: Seconds for the message all in all, unless the job has its own.
    :param without_utf8: Writes the header of a content anew, for a server without SMTPUTF8, or
        returns None if the header cannot do without it.
    """

    def __init__(
        self,
        job: Job,
        timeout: float,
        without_utf8: Callable[[Content], Content | None] = lambda content: None,
    ) -> None:
        self.job = job
        self.without_utf8 = without_utf8
        given = timeout if job.timeout is None else job.timeout
        self.timeout: float = given + job.content.size / _OCTETS_PER_SECOND
        self.waiting: dict[Address, None] = dict.fromkeys(job.envelope.recipients)
        self.outcomes: dict[Address, Outcome] = {}
        self.error: DeliveryError | None = None
        self.repeated = False
        """Whether the transaction in hand has been moved to a fresh connection once."""
        self.limit: int | None = None
        """Recipients of one transaction, where a server has shown its limit."""
        self._deadline: Deadline | None = None

    @property
    def deadline(self) -> Deadline:
        """The time for it, which begins when it is first asked for."""
        if self._deadline is None:
            self._deadline = Deadline(self.timeout)
        return self._deadline

    def job_to(self, recipients: Sequence[Address]) -> Job:
        """Return the job, addressed to these recipients of a batch."""
        return dataclasses.replace(self.job, envelope=self.job.envelope.to(Addresses(recipients)))

    def settle(
        self,
        recipients: Iterable[Address],
        said: Reply | str,
        phase: Phase,
        state: State | None = None,
        about: About | None = None,
    ) -> None:
        """Record the outcome of *recipients*, which then no longer wait.

        :param said: The reply that decided, or our own reason.
        :param state: If it is left out, the reply's own.
        :param about: Whose fault it is. If it is left out, the reply and the phase decide.
        """
        settled = list(recipients)
        if not settled:
            return
        if isinstance(said, Reply):
            state = state or said.state
            code, enhanced, text = said.code, said.enhanced_code, said.text
        else:
            state = state or State.DEFERRED
            code, enhanced, text = None, None, said
        blamed = None if state is State.ACCEPTED else about or fault(said, phase)
        outcome = Outcome(settled[0], state, code, enhanced, text, blamed)
        if len(settled) == 1:
            self.outcomes[settled[0]] = outcome
        else:
            self.outcomes.update(zip(settled, _alike(outcome, settled), strict=True))
        for recipient in settled:
            self.waiting.pop(recipient, None)
        if state is not State.ACCEPTED:
            self._blame(state, str(said), phase, settled)

    def defer_rest(self, reply: Reply, phase: Phase) -> None:
        """Defer the recipients that still wait, because the server has not accepted an earlier
        batch and would not accept a further one either."""
        about = fault(reply, phase)
        if about is About.RECIPIENT:  # of the earlier batch
            about = About.CONTENT
        reason = f"not tried, because an earlier batch got: {reply}"
        self.settle([*self.waiting], reason, phase, State.DEFERRED, about)

    def interrupt(self) -> None:
        """Defer the recipients that wait, because the caller has stopped."""
        self.settle(self.waiting, "not tried, because sending was interrupted", Phase.MAIL)

    def refuse_content(self, error: MessageError) -> None:
        """Refuse the recipients that wait, because the content is not as it was announced."""
        self.settle(self.waiting, str(error), Phase.CONTENT, State.REFUSED, About.CONTENT)

    def fail(self, error: DeliveryError) -> None:
        """Defer all recipients that wait, because there is no session."""
        for recipient in self.waiting:
            self.outcomes[recipient] = Outcome(
                recipient, State.DEFERRED, text=str(error), about=About.ACCOUNT
            )
        self.waiting.clear()
        self.error = error

    def _blame(self, state: State, said: str, phase: Phase, settled: Sequence[Address]) -> None:
        """Keep the gravest failure as the error: first unknown, then deferred, then refused."""
        if self.error is not None and not is_graver(state, self.error):
            return
        names = str(settled[0]) + (f" and {len(settled) - 1} more" if len(settled) > 1 else "")
        hint = ""
        if state is State.UNKNOWN:
            hint = " It may have arrived: sending it again may double it."
        why = said.removesuffix(".")
        self.error = FAILURES[state](f"{names} {state} at {phase}: {why}.{hint}", phase=phase)

    def ordered(self) -> Iterator[Outcome]:
        """Return the outcomes in the order of the envelope."""
        return map(self.outcomes.__getitem__, self.job.envelope.recipients)

    def __repr__(self) -> str:
        return f"<Delivery {len(self.outcomes)} settled, {len(self.waiting)} waiting>"


def _alike(outcome: Outcome, recipients: Iterable[Address]) -> Iterator[Outcome]:
    """Yield the same outcome for each of the recipients.

    The slots are filled one by one: 0.5 µs for each recipient, 0.65 in a loop over the slots, and
    1.1 with the constructor, which a list of thousands of recipients would notice.
    """
    _, state, code, enhanced_code, text, about, provider_id, account = (
        get(outcome) for get in _GET
    )
    (
        put_recipient,
        put_state,
        put_code,
        put_enhanced_code,
        put_text,
        put_about,
        put_provider_id,
        put_account,
    ) = _PUT
    new = object.__new__
    for recipient in recipients:
        alike = new(Outcome)
        put_recipient(alike, recipient)
        put_state(alike, state)
        put_code(alike, code)
        put_enhanced_code(alike, enhanced_code)
        put_text(alike, text)
        put_about(alike, about)
        put_provider_id(alike, provider_id)
        put_account(alike, account)
        yield alike


class Deliveries:
    """The deliveries of one call that are not yet settled, drawn one at a time. A session that
    ends early leaves the one in hand for the next session.

    :param deliveries: May be made while it is read.
    :param ready: Returns whether the next of them can be had without waiting.
    """

    def __init__(
        self, deliveries: Iterable[Delivery], ready: Callable[[], bool] = lambda: True
    ) -> None:
        self._rest: Iterator[Delivery] | None = iter(deliveries)
        """None after the last of them: each message asks three times more."""
        self._ready = ready
        self._drawn: collections.deque[Delivery] = collections.deque()
        """The one in hand and, if it was asked for, the one after it."""
        self._error: Exception | None = None
        self.before_wait: Callable[[], object] = lambda: None
        """Called before each wait for a server, except for the reply to a content."""

    def first(self) -> Delivery | None:
        """Return the one in hand, or None if all are settled. May wait until it is made."""
        if self._drawn:
            return self._drawn[0]
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return self._draw()

    def at_hand(self) -> Delivery | None:
        """Return the one in hand, or None if there is none without waiting."""
        if self._drawn:
            return self._drawn[0]
        return self.first() if self._ready() else None

    def following(self) -> Delivery | None:
        """Return the one after that in hand, or None if there is none without waiting. An error
        in making it is raised when its turn comes."""
        if len(self._drawn) == 1 and self._error is None and self._ready():
            try:
                self._draw()
            except Exception as error:
                self._error = error
        return self._drawn[1] if len(self._drawn) > 1 else None

    def _draw(self) -> Delivery | None:
        if self._rest is None:
            return None
        for delivery in self._rest:
            self._drawn.append(delivery)
            return delivery
        self._rest = None
        return None

    @property
    def in_hand(self) -> Delivery | None:
        """The one that was drawn and not taken, if there is one."""
        return self._drawn[0] if self._drawn else None

    def take(self) -> Delivery:
        """Remove and return the one in hand."""
        return self._drawn.popleft()
