"""One call of ``send`` or ``send_each``: prepare, dispatch, and log each report."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from .. import config
from ..address import AddressesInput
from ..address import AddressInput
from ..handlers.base import EmailHandler
from ..handlers.prepare import check_ids
from ..handlers.prepare import Prepared
from ..handlers.unreported import without_delivery
from ..message.given import AnyMessage
from ..report import Report
from .account import DEFAULT
from .rate_limit import RateLimit
from .registration import Registration


class SendCall:
    """Sends through an account of an app, logs each report and sends its signal.

    :param recipients: The recipients of each message, instead of those in its headers.
    :param timeout: Seconds for each message.
    :param envelope_sender: The address for bounces of a message of the standard library.
    """

    def __init__(
        self,
        registration: Registration,
        using: str | None,
        recipients: AddressesInput = None,
        timeout: float | None = None,
        envelope_sender: AddressInput | None = None,
    ) -> None:
        if registration.framework.on_loop:
            registration.framework.check_blocking(registration.app)
        self.handler: EmailHandler = registration.handler(using)
        self._registration = registration
        self._screen = registration.screen
        self._using = using
        self._observe = registration.observe
        self._tell: Callable[[Report], None] = functools.partial(registration.tell, using=using)
        self._prepare: Callable[[AnyMessage], Prepared] = functools.partial(
            self.handler.prepare,
            recipients=recipients,
            envelope_sender=envelope_sender,
            timeout=timeout,
            before=registration.before,
        )
        if (telemetry := registration.telemetry) is not None and telemetry.is_heard:
            self._prepare, self._observe, self._tell = telemetry.around_call(
                using or DEFAULT, self.handler, self._prepare, self._observe, self._tell
            )

    def send(self, messages: Iterable[AnyMessage]) -> list[Report]:
        """Send the messages after all are checked."""
        prepared = [*map(self._prepare, messages)]
        if len(prepared) > 1:
            check_ids(prepared)
        if self._screen is not None:
            prepared = self._screen(prepared)
        reports: list[Report] = []
        try:
            for report in self.handler.dispatch(prepared, self._observe, left=reports.append):
                reports.append(report)
        finally:
            # Not earlier: a receiver of the signal may need a connection of its own.
            rest = collections.deque(reports)
            try:
                while rest:
                    self._tell(rest.popleft())
            finally:
                if rest:
                    self._tell_all(rest)
        return reports

    def send_each(self, messages: Iterable[AnyMessage], connections: int) -> Iterator[Report]:
        """Send lazily, within the rate limit of the account."""
        limit = self._registration.rate_limit(self._using)
        if self._registration.settings.account(self._using).group is not None:
            self.handler, limit = self._paced(limit)
        prepared = map(
            self._prepare if self._screen is None else self._screened, limit.each(messages)
        )
        at_hand = isinstance(messages, Sequence) and not limit.limited
        if at_hand or connections > 1:
            yield from self._dispatched(prepared, at_hand, connections)
            return
        parts = _Parts(prepared)
        while not parts.ended:
            for report in self._dispatched(parts.next(), at_hand=False):
                parts.last = report
                yield report
            if parts.stopped:
                report = without_delivery(parts.stopped.pop())
                self._tell(report)
                yield report

    def _paced(self, limit: RateLimit) -> tuple[EmailHandler, RateLimit]:
        """Return the handler and the limit for messages that are passed to other accounts, each of
        which has its own limit."""
        from ..handlers.failover.handler import FailoverEmailHandler

        if not isinstance(self.handler, FailoverEmailHandler):
            return self.handler, limit  # a test captures the mail
        return self.handler.paced(self._registration), RateLimit(())

    def _dispatched(
        self, prepared: Iterator[Prepared], at_hand: bool, connections: int = 1
    ) -> Iterator[Report]:
        for report in self.handler.dispatch(
            prepared,
            self._observe,
            ready=lambda: at_hand,
            connections=connections,
            left=self._tell,
        ):
            self._tell(report)
            yield report

    def at_once(self, connections: int) -> int:
        """Return how many of so many connections are used."""
        return self.handler.at_once(config.integer(1, 1000)(connections, "connections="))

    def _screened(self, message: AnyMessage) -> Prepared:
        assert self._screen is not None
        return self._screen([self._prepare(message)])[0]

    def _tell_all(self, reports: collections.deque[Report]) -> None:
        """Log and signal the reports after one whose receiver was interrupted."""
        try:
            while reports:
                self._tell(reports.popleft())
        finally:
            if reports:
                self._tell_all(reports)


class _Parts:
    """The messages of a generator, up to each that needs no delivery: it is reported before the
    next message is asked for, which a handler that has begun to deliver cannot do."""

    def __init__(self, prepared: Iterator[Prepared]) -> None:
        self._prepared = prepared
        self.stopped: list[Prepared] = []
        """The message that needs no delivery, after a part that ends with one."""
        self.last: Report | None = None
        """The last report of a handler. After one that is deferred, the part goes on: a handler
        that found no server defers the others at once, and does not try another connection."""
        self.ended = False

    def next(self) -> Iterator[Prepared]:
        """Yield the messages of the next part."""
        self.ended = True
        for item in self._prepared:
            if item.job is None and not (self.last is not None and self.last.deferred):
                self.stopped.append(item)
                self.ended = False
                return
            yield item
