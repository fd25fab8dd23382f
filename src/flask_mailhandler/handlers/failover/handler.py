"""The handler of an account that passes its messages to other accounts."""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ...address import AddressesInput
from ...address import AddressInput
from ...message.given import AnyMessage
from ...message.given import Before
from ...report import Job
from ...report import Observe
from ...report import Report
from ..base import EmailHandler
from ..prepare import Prepared
from .again import identified
from .again import PreparedAgain
from .health import Health
from .members import Members
from .plan import Plan
from .sending import Pace
from .sending import Sending


class FailoverEmailHandler(EmailHandler):
    """Passes each message to one of several accounts, and on to another where that is safe.

    An app makes it for ``MAIL_FAILOVER`` and ``MAIL_SPREAD``. Its options are those of the first
    account. ``print(mail.handler)`` shows which accounts are down.

    A message is checked for all of these accounts, so that none of them refuses it when it goes
    on. It is prepared for the first, and again for another one whose options differ.
    """

    plan: Plan
    """The accounts."""
    members: Members
    """Their handlers."""
    health: Health
    """Which of them are down."""
    pace: Pace | None = None
    """Their rate limits, for calls that wait for these."""

    def paced(self, pace: Pace) -> t.Self:
        """Return the same handler, which keeps the rate limit of each account."""
        return dataclasses.replace(self, pace=pace)

    def prepare(
        self,
        message: AnyMessage,
        *,
        recipients: AddressesInput = None,
        envelope_sender: AddressInput | None = None,
        timeout: float | None = None,
        before: Sequence[Before] = (),
    ) -> Prepared:
        """Complete, check and render a message for the first account, and check it for the others.

        :raises MessageError: if one of them cannot send it as it is.
        """
        first, *others = self.plan.names
        message = identified(message, self.members(first).default_from)

        def prepare_for(account: str, message: AnyMessage) -> Prepared:
            return self.members(account).prepare(
                message,
                recipients=recipients,
                envelope_sender=envelope_sender,
                timeout=timeout,
                before=before,
            )

        prepared = prepare_for(first, message)
        if prepared.job is None:
            return prepared
        for account in others:
            self.members(account).check(prepared.job)
        again = PreparedAgain(self.members, self.plan.names, prepare_for, message)
        return prepared._replace(again=again)

    def check(self, job: Job) -> None:
        """Check that each account can deliver a message."""
        for account in self.plan.names:
            self.members(account).check(job)

    def deliver(self, jobs: Iterable[Job], observe: Observe) -> Iterator[Report]:
        """Deliver jobs that another handler passes on, as they are."""
        yield from self.dispatch(
            (Prepared(job.message, job.message_id, job) for job in jobs), observe
        )

    def dispatch(
        self,
        prepared: Iterable[Prepared],
        observe: Observe | None = None,
        *,
        ready: Callable[[], bool] | None = None,
        before_wait: Callable[[], object] = lambda: None,
        connections: int = 1,
        left: Callable[[Report], None] | None = None,
    ) -> Iterator[Report]:
        """Deliver what :meth:`prepare` has made: see :meth:`.EmailHandler.dispatch`."""
        if connections > 1:
            from ..parallel import in_parallel

            return in_parallel(self.dispatch, prepared, observe, connections, left)
        if ready is None:
            at_hand = isinstance(prepared, Sequence)
            ready = functools.partial(bool, at_hand)
        send = Sending(
            self.plan,
            self.health,
            self.members,
            self.pace,
            prepared,
            observe,
            ready,
            before_wait,
            left,
        )
        return send.reports()

    def at_once(self, connections: int) -> int:
        """Return how many of *connections* each account can use."""
        return min(self.members(name).at_once(connections) for name in self.plan.names)

    def close(self) -> None:
        """Close the idle connections of all accounts."""
        for name in self.plan.names:
            self.members(name).close()

    def __repr__(self) -> str:
        states = {name: str(state) for name, state in self.health.states().items()}
        return f"<{type(self).__name__} {self.plan.describe(states)}>"
