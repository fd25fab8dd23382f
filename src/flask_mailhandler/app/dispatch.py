"""One call of an app that sends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from ..address import AddressesInput
from ..handlers.base import EmailHandler
from ..handlers.prepare import AnyMessage
from ..handlers.prepare import Before
from ..handlers.prepare import check_ids
from ..handlers.prepare import Prepared
from ..report import Report
from .registration import Registration


class Dispatch:
    """Sends by an account of an app, logs each report and sends its signal.

    :param before: The ``before_send`` functions.
    :param recipients: Who gets each message, whatever its header says.
    :param timeout: Seconds for each message.
    """

    def __init__(
        self,
        registration: Registration,
        using: str | None,
        before: Sequence[Before],
        *,
        recipients: AddressesInput,
        timeout: float | None,
    ) -> None:
        self.handler: EmailHandler = registration.handler(using)
        self._registration = registration
        self._using = using
        self._before = before
        self._recipients = recipients
        self._timeout = timeout

    def send(self, messages: Iterable[AnyMessage]) -> list[Report]:
        """Send after all are checked."""
        prepared = [self._prepare(message) for message in messages]
        check_ids(prepared)
        reports: list[Report] = []
        with contextlib.ExitStack() as at_the_end:
            # Not before: a receiver of the signal may want a connection of its own.
            at_the_end.callback(self._tell_all, reports)
            for report in self.handler.dispatch(prepared, left=reports.append):
                reports.append(report)
        return reports

    def at_once(self, connections: int) -> int:
        """How many of so many connections are used."""
        return self.handler.at_once(connections)

    def send_each(self, messages: Iterable[AnyMessage], connections: int) -> Iterator[Report]:
        """Send lazily, within the rate limit of the account."""
        limit = self._registration.rate_limit(self._using)
        at_hand = isinstance(messages, Sequence) and not limit.limited
        prepared = (self._prepare(message) for message in limit.each(messages))
        for report in self.handler.dispatch(
            prepared, ready=lambda: at_hand, connections=connections, left=self._tell
        ):
            self._tell(report)
            yield report

    def _tell_all(self, reports: Iterable[Report]) -> None:
        with contextlib.ExitStack() as each:
            # In their order, and all of them: one may be interrupted.
            for report in reversed([*reports]):
                each.callback(self._tell, report)

    def _tell(self, report: Report) -> None:
        self._registration.tell(report, self._using)

    def _prepare(self, message: AnyMessage) -> Prepared:
        return self.handler.prepare(
            message, recipients=self._recipients, timeout=self._timeout, before=self._before
        )
