"""One call: messages in, one report for each out, through whatever accounts are up.

::

    messages ── run ──▶ the account that was chosen, over its connections ── report ──┬──▶
                 ▲                                                                    │
                 │ another account is chosen for the next message:          go on, one account
                 └ this run ends, and its connection stays in the pool      after the other

A list stays one run, with one connection, as long as its account is up. When the account goes down,
the messages that are left do not try it.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import time
import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from ...address import Addresses
from ...errors import MessageError
from ...log import logger
from ...log import masked
from ...report import DeliveryError
from ...report import Job
from ...report import Observe
from ...report import Report
from ...report import report_on
from ..prepare import Prepared
from ..unreported import without_delivery
from . import rules
from .choice import Choice
from .joining import joined
from .joining import not_final
from .joining import unrecognized
from .untried import deferred
from .untried import not_tried

if t.TYPE_CHECKING:
    from .health import Health
    from .members import Members
    from .plan import Plan

# With less time, a message is not passed to another account: it could only become unknown there.
_LEAST = 1.0


class Pace(t.Protocol):
    """The rate limits of accounts."""

    def limited(self, account: str) -> bool:
        """Whether an account has a rate limit."""
        ...

    def enter(self, account: str) -> bool:
        """Wait until an account may send a message, and count it. False if it must not wait."""
        ...


class _Begun(t.NamedTuple):
    """A message that a handler has, and has not reported on yet."""

    item: Prepared
    choice: Choice
    at: float


class Sending:
    """Sends messages, each through the account that is chosen for it.

    :param pace: The rate limits of the accounts; None leaves them out.
    :param prepared: As for :meth:`.EmailHandler.dispatch`, and so are the others.
    """

    def __init__(
        self,
        plan: Plan,
        health: Health,
        members: Members,
        pace: Pace | None,
        prepared: Iterable[Prepared],
        observe: Observe | None,
        ready: Callable[[], bool],
        before_wait: Callable[[], object],
        left: Callable[[Report], None] | None,
    ) -> None:
        self._plan = plan
        self._health = health
        self._members = members
        self._pace = pace
        self._rest = iter(prepared)
        self._observe = observe
        self._ready = ready
        self._before_wait = before_wait
        self._left = left
        self._next: tuple[Prepared, Choice] | None = None
        """The message after the run in hand, for which another account was chosen."""
        self._begun: collections.deque[_Begun] = collections.deque()
        self._ends = False
        """Whether the run in hand takes no further message."""
        self._reported = 0.0
        self._failed: DeliveryError | None = None
        """The error of the last message, if no account could send any message."""

    def reports(self) -> Iterator[Report]:
        """Yield a report for each message, in order."""
        while True:
            if self._next is None:
                item = next(self._rest, None)
                if item is None:
                    return
                if item.job is None:
                    yield without_delivery(item)
                    continue
                self._next = item, self._choose(item)
            (item, choice), self._next = self._next, None
            if self._failed is not None and choice.was_down and not choice.probe:
                # All accounts have failed in this call. A long list does not wait for each.
                yield not_tried(item, choice, self._failed)
                continue
            yield from self._run(item, choice)

    def _choose(self, item: Prepared) -> Choice:
        choice = item.via or self._health.choose(self._plan)
        assert choice is not None  # a plan is never empty
        if self._pace is not None and item.via is None:
            self._pace.enter(choice.account)
        return choice

    def _run(self, item: Prepared, choice: Choice) -> Iterator[Report]:
        """Send a message, and those after it as long as the same account is chosen for them."""
        self._ends = False
        reports = self._dispatched(choice, self._share(item, choice), self._left)
        with contextlib.closing(reports):
            for report in reports:
                begun = self._begun.popleft()
                if begun.item.job is not None:
                    report = self._noted(begun, report)
                    if not self._begun and rules.may_go_on(report):
                        self._end(reports, report)
                    report = self._settled(begun, report)
                yield report
                self._reported = time.monotonic()

    def _end(self, reports: Iterator[Report], report: Report) -> None:
        """End a run, so that the pool has its connection back while its last message goes on. Two
        calls that each kept what the other waits for would wait until their time is over."""
        self._ends = True
        try:
            next(reports, None)  # there is no other message
        except BaseException:
            self._leave(report)
            raise

    def _share(self, item: Prepared, choice: Choice) -> Iterator[Prepared]:
        """Yield the messages of a run."""
        account = choice.account
        while True:
            yield self._begin(item, choice)
            if self._ends:
                return
            for item in self._rest:
                if item.job is not None:
                    choice = self._choose(item)
                    if choice.account != account or choice.was_down:
                        self._next = item, choice
                        return
                break
            else:
                return

    def _begin(self, item: Prepared, choice: Choice) -> Prepared:
        self._begun.append(_Begun(item, choice, time.monotonic()))
        if item.job is None:
            return item
        try:
            found, why = _for(item, choice.account), "it cannot send the message as it is"
        except MessageError as error:
            found, why = None, str(error)
        return deferred(item, choice.account, why) if found is None else found

    def _dispatched(
        self, choice: Choice, share: Iterator[Prepared], left: Callable[[Report], None] | None
    ) -> t.Any:
        # The message that is drawn next may have to wait for the limit of any of them.
        limited = self._pace is not None and any(map(self._pace.limited, self._plan.names))
        return self._members(choice.account).dispatch(
            share,
            self._observe,
            ready=(lambda: False) if limited else self._ready,
            before_wait=self._before_wait,
            left=left,
        )

    # One account after the other

    def _noted(self, begun: _Begun, report: Report) -> Report:
        """Return the report of the account that was tried first."""
        if not report.account:  # it could not be prepared for the account
            found, error = report.outcomes, report.error
            account = begun.choice.account
            report = report_on(report.message, report.message_id, found, error, account=account)
        self._health.note(begun.choice, report)
        return report

    def _settled(self, begun: _Begun, report: Report) -> Report:
        """Return the report of a message in the end: it goes on as long as it may."""
        if begun.choice.only:
            return report
        tried, probed = {begun.choice.account}, begun.choice.was_down
        given_up: list[Report] = []
        rest, replied = rules.may_go_on(report), not rules.takes_nothing(report)
        try:
            while rest and (choice := self._health.choose(self._plan, tried, probed=probed)):
                tried.add(choice.account)
                if (item := self._for_the_rest(begun, choice, report, rest)) is None:
                    self._health.give_back(choice)
                    continue
                if self._pace is not None and not self._pace.enter(choice.account):
                    self._health.give_back(choice)
                    break
                probed = probed or choice.was_down
                later = self._send_one(item, choice, report, given_up)
                self._health.note(choice, later)
                replied = replied or not rules.takes_nothing(later)
                report = joined(report, later, rest)
                rest = rules.may_go_on(report)
        except BaseException:
            self._leave(joined(report, given_up[0], rest) if given_up else report)
            raise
        self._failed = report.error if rest and not replied else None
        if not tried.issuperset(self._plan.names):
            report = not_final(report, rest)  # they are down
        if report.safe_until is not None and begun.item.via is None:
            # Only the queue repeats it by the same account.
            return unrecognized(report)
        return report

    def _leave(self, report: Report) -> None:
        """Tell the caller of a message that a server may have, and that cannot be reported."""
        if self._left is not None and (report.accepted or report.unknown):
            self._left(report)

    def _for_the_rest(
        self, begun: _Begun, choice: Choice, report: Report, rest: Addresses
    ) -> Prepared | None:
        """Return the message for another account and the recipients that are left; None if that
        account cannot send it, or no time is left."""
        try:
            item = _for(begun.item, choice.account)
        except MessageError as error:
            logger.warning(
                "%s is not passed to the account %s: %s",
                report.message_id,
                choice.account,
                masked(str(error)),
            )
            return None
        if item is None or (job := item.job) is None:
            return None
        timeout = self._time_left(begun, job)
        if timeout is not None and timeout < _LEAST:
            return None
        to = job.envelope.recipients
        if len(rest) < len(report.outcomes):
            # The others have been settled, so only these are sent again.
            to = Addresses([one for one in to if one in rest])
            item = item._replace(withheld=())
        if not to:
            return None
        return item._replace(
            job=dataclasses.replace(job, envelope=job.envelope.to(to), timeout=timeout)
        )

    def _time_left(self, begun: _Begun, job: Job) -> float | None:
        """Return the seconds that are left of the message's own; None if it has no limit."""
        allowed = job.timeout
        if allowed is None:
            allowed = getattr(self._members(begun.choice.account), "timeout", None)
        if allowed is None:
            return None
        # In a list, a message is drawn while the one before it is still being sent.
        return float(allowed) - (time.monotonic() - max(begun.at, self._reported))

    def _send_one(
        self, item: Prepared, choice: Choice, before: Report, given_up: list[Report]
    ) -> Report:
        """Send a message to the recipients that are left.

        :param given_up: Gets the report of a message that a server may have, if an exception ends
            the delivery.
        """
        logger.warning(
            "%s goes on from the account %s to %s: %s",
            before.message_id,
            before.account,
            choice.account,
            masked(str(before.error)),
        )
        (report,) = self._dispatched(choice, iter([item]), given_up.append)
        return t.cast(Report, report)


def _for(item: Prepared, account: str) -> Prepared | None:
    """Return a message as an account sends it.

    :raises MessageError: if the account cannot send it as it is.
    """
    assert item.job is not None
    if item.job.account == account:
        return item
    found = item if item.again is None else item.again(item, account)
    if found is None or found.job is None or found.job.account == account:
        return found
    return found._replace(job=dataclasses.replace(found.job, account=account))
