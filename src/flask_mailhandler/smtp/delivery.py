"""What has become of one job so far."""

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


class Delivery:
    """A job on its way: which recipients wait, what has become of the others. It outlives a
    session, so that what one connection has settled is not lost with it.

    :param job: Its envelope and content are all that is looked at.
    :param timeout: Seconds for it all in all.
    :param without_utf8: Writes the header of a content anew, for a server without SMTPUTF8; None
        if it cannot be written there.
    """

    def __init__(
        self,
        job: Job,
        timeout: float,
        without_utf8: Callable[[Content], Content | None] = lambda content: None,
    ) -> None:
        self.job = job
        self.without_utf8 = without_utf8
        self.timeout = timeout
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
        """The time for it, which runs from the first time that anybody asks."""
        if self._deadline is None:
            self._deadline = Deadline(self.timeout)
        return self._deadline

    def job_to(self, recipients: Sequence[Address]) -> Job:
        """The job, to these recipients of a batch."""
        return dataclasses.replace(self.job, envelope=self.job.envelope.to(Addresses(recipients)))

    def settle(
        self,
        recipients: Iterable[Address],
        said: Reply | str,
        phase: Phase,
        state: State | None = None,
        about: About | None = None,
    ) -> None:
        """Note the outcome of *recipients*, which then wait no longer.

        :param said: The reply that decided, or our own reason.
        :param state: The reply's own if it is None.
        :param about: Whose fault it is; if it is None the reply and the phase say so.
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
        blamed = about or fault(said, phase)
        for recipient in settled:
            self.outcomes[recipient] = Outcome(recipient, state, code, enhanced, text, blamed)
            self.waiting.pop(recipient, None)
        if state is not State.ACCEPTED:
            self._blame(state, str(said), phase, settled)

    def leave_the_rest(self, reply: Reply, phase: Phase) -> None:
        """Defer who waits still, for an earlier batch was not taken: a further one would fare
        the same."""
        self.settle([*self.waiting], f"not tried, for an earlier batch got: {reply}", phase)

    def interrupt(self) -> None:
        """Defer who waits, for the caller has stopped."""
        self.settle(self.waiting, "not tried, for sending was interrupted", Phase.MAIL)

    def spoil(self, error: MessageError) -> None:
        """Refuse who waits, for the content cannot be given as it was promised."""
        self.settle(self.waiting, str(error), Phase.CONTENT, State.REFUSED, About.CONTENT)

    def fail(self, error: DeliveryError) -> None:
        """Defer everybody who waits, for the session could not be had."""
        for recipient in self.waiting:
            self.outcomes[recipient] = Outcome(
                recipient, State.DEFERRED, text=str(error), about=About.ACCOUNT
            )
        self.waiting.clear()
        self.error = error

    def _blame(self, state: State, said: str, phase: Phase, settled: Sequence[Address]) -> None:
        """Keep the gravest failure as the error: unknown before deferred before refused."""
        if self.error is not None and not is_graver(state, self.error):
            return
        names = str(settled[0]) + (f" and {len(settled) - 1} more" if len(settled) > 1 else "")
        hint = (
            " It may have arrived: sending it again may double it."
            if state is State.UNKNOWN
            else ""
        )
        why = said.removesuffix(".")
        self.error = FAILURES[state](f"{names} {state} at {phase}: {why}.{hint}", phase=phase)

    def ordered(self) -> Iterator[Outcome]:
        """The outcomes in the order of the envelope."""
        return map(self.outcomes.__getitem__, self.job.envelope.recipients)

    def __repr__(self) -> str:
        return f"<Delivery {len(self.outcomes)} settled, {len(self.waiting)} waiting>"


class Waiting:
    """The deliveries not yet settled, drawn one at a time; a session that ends early leaves the
    one in hand for the next session.

    :param deliveries: May be made while it is read.
    :param ready: Whether the next of them can be had without waiting for anybody.
    """

    def __init__(
        self, deliveries: Iterable[Delivery], ready: Callable[[], bool] = lambda: True
    ) -> None:
        self._rest = iter(deliveries)
        self._ready = ready
        self._drawn: collections.deque[Delivery] = collections.deque()
        self._error: Exception | None = None

    def first(self) -> Delivery | None:
        """The one in hand, or None when all are settled. May wait for who makes them."""
        if not self._drawn:
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            self._draw()
        return self._drawn[0] if self._drawn else None

    def at_hand(self) -> Delivery | None:
        """The one in hand, or None if there is none without waiting."""
        return self.first() if self._drawn or self._ready() else None

    def following(self) -> Delivery | None:
        """The one after that in hand, or None if there is none without waiting. An error in
        making it is kept for when its turn comes."""
        if len(self._drawn) == 1 and self._error is None and self._ready():
            try:
                self._draw()
            except Exception as error:
                self._error = error
        return self._drawn[1] if len(self._drawn) > 1 else None

    @property
    def in_hand(self) -> Delivery | None:
        """The one that was drawn and not given away, if there is one."""
        return self._drawn[0] if self._drawn else None

    def take(self) -> Delivery:
        """Give the one in hand away."""
        delivery = self.first()
        assert delivery is not None
        self._drawn.popleft()
        return delivery

    def _draw(self) -> None:
        self._drawn.extend(itertools.islice(self._rest, 1))
