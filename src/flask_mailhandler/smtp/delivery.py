"""The outcomes of a job so far, and the deliveries that are still to be made."""

from __future__ import annotations

import collections
import dataclasses
import itertools
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
_SLOTS = [
    (slot.__set__, slot.__get__)
    for slot in (vars(Outcome)[field.name] for field in dataclasses.fields(Outcome))
]
_PUT_RECIPIENT = vars(Outcome)["recipient"].__set__


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
        first = Outcome(settled[0], state, code, enhanced, text, blamed)
        for outcome in _alike(first, settled) if len(settled) > 1 else (first,):
            self.outcomes[outcome.recipient] = outcome
            self.waiting.pop(outcome.recipient, None)
        if state is not State.ACCEPTED:
            self._blame(state, str(said), phase, settled)

    def defer_rest(self, reply: Reply, phase: Phase) -> None:
        """Defer the recipients that still wait, because the server has not accepted an earlier
        batch and would not accept a further one either."""
        self.settle([*self.waiting], f"not tried, because an earlier batch got: {reply}", phase)

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


def _alike(first: Outcome, recipients: Sequence[Address]) -> Iterator[Outcome]:
    """Yield *first*, which is for the first recipient, and the same outcome for each of the others.

    They are filled in through their slots: 0.5 µs for each, and 3 with the constructor, which a
    list of thousands of recipients would notice.
    """
    yield first
    values = [(put, get(first)) for put, get in _SLOTS]
    for recipient in itertools.islice(recipients, 1, None):
        outcome = object.__new__(Outcome)
        for put, value in values:
            put(outcome, value)
        _PUT_RECIPIENT(outcome, recipient)
        yield outcome


class Deliveries:
    """The deliveries of one call that are not yet settled, drawn one at a time. A session that
    ends early leaves the one in hand for the next session.

    :param deliveries: May be made while it is read.
    :param ready: Returns whether the next of them can be had without waiting.
    """

    def __init__(
        self, deliveries: Iterable[Delivery], ready: Callable[[], bool] = lambda: True
    ) -> None:
        self._rest = iter(deliveries)
        self._ready = ready
        self._drawn: collections.deque[Delivery] = collections.deque()
        """The one in hand and, if it was asked for, the one after it."""
        self._error: Exception | None = None

    def first(self) -> Delivery | None:
        """Return the one in hand, or None if all are settled. May wait until it is made."""
        if not self._drawn:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            self._draw()
        return self._drawn[0] if self._drawn else None

    def at_hand(self) -> Delivery | None:
        """Return the one in hand, or None if there is none without waiting."""
        return self.first() if self._drawn or self._ready() else None

    def following(self) -> Delivery | None:
        """Return the one after that in hand, or None if there is none without waiting. An error
        in making it is raised when its turn comes."""
        if len(self._drawn) == 1 and self._error is None and self._ready():
            try:
                self._draw()
            except Exception as error:
                self._error = error
        return self._drawn[1] if len(self._drawn) > 1 else None

    def _draw(self) -> None:
        for delivery in self._rest:
            self._drawn.append(delivery)
            return
        # Each message asks three times more, which takes 1 µs each through the other iterators.
        self._rest = iter(())

    @property
    def in_hand(self) -> Delivery | None:
        """The one that was drawn and not taken, if there is one."""
        return self._drawn[0] if self._drawn else None

    def take(self) -> Delivery:
        """Remove and return the one in hand."""
        return self._drawn.popleft()
