"""What the queue knows about its app: handlers, accounts, settings, the log and signals.

The other files are given a :class:`AppAccess` and a store. They know neither :class:`.Mail` nor
:class:`.MailQueue`.
"""

from __future__ import annotations

import socket
import typing as t
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextlib import nullcontext

from ..errors import MailError
from ..handlers.base import EmailHandler
from ..handlers.memory import MemoryEmailHandler
from ..phase import Phase
from ..report import Job
from ..report import Observe
from ..report import Report
from ..signals import is_heard
from ..signals import message_failed
from ..signals import message_sent

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..app.account import Account
    from ..app.queue_keys import QueueSettings
    from ..app.registration import Registration
    from ..app.telemetry.batch import Batch
    from ..events.event import Event
    from .events.refusing import Screening
    from .row import Row
    from .sending.results import Told


class Untraced(nullcontext[None]):
    """Stands in for a :class:`.Batch` if nothing is reported."""

    def __init__(self, observe: Observe) -> None:
        super().__init__()
        self.observe: Observe = observe

    def told(self, told: Told) -> Told:
        """Return *told*."""
        return told


class AppAccess:
    """The app, as the queue sees it.

    :param registration: The app's registration. It holds the app weakly.
    """

    def __init__(self, registration: Registration) -> None:
        self._registration = registration
        self.settings: QueueSettings = registration.settings.queue
        """What the ``MAIL_QUEUE*`` keys say."""

    @property
    def app(self) -> App:
        """The app, for a caller that holds it."""
        return self._registration.app

    def hold(self) -> App | None:
        """Return the app, for as long as the caller keeps it; None if it is gone."""
        return self._registration.hold()

    def app_context(self) -> AbstractContextManager[object]:
        """Return a context of the app, which handlers and receivers of signals may need."""
        return self._registration.framework.app_context(self.app)

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The accounts of the app."""
        return self._registration.settings.accounts

    def account_names(self, chosen: Collection[str] = ()) -> tuple[str, ...]:
        """Return the chosen accounts, each once, or all accounts of the app if none is chosen.

        :raises ConfigurationError: if the app has no such account.
        """
        settings = self._registration.settings
        return tuple(dict.fromkeys(settings.account(name).name for name in chosen or self.accounts))

    @property
    def retry_unknown(self) -> bool:
        """Whether to try a recipient again that may have got the message."""
        return self.settings.queue_unknown == "retry"

    @property
    def sends_at_once(self) -> bool:
        """Whether ``send_later`` sends at once, into the outbox of a test."""
        return self._registration.sends_at_once

    def handler(self, account: str) -> EmailHandler:
        """Return the handler that is in force for an account.

        :raises ConfigurationError: if its options cannot be used.
        """
        return self._registration.handler(account)

    def queued_handler(self, account: str) -> EmailHandler:
        """Return the handler for a message from the queue: an outbox marks it as queued.

        :raises ConfigurationError: if its options cannot be used.
        """
        handler = self.handler(account)
        if isinstance(handler, MemoryEmailHandler):
            return handler.queuing("", account)
        return handler

    def origin(self, account: str) -> str:
        """Return the name of this machine if this process sends nothing by the account, else "".

        A server in debug mode may use the database of production by mistake. Its messages carry
        its machine's name, and it takes only messages that carry that name.
        """
        if self._registration.sends(account):
            return ""
        return socket.gethostname() or "localhost"

    def observe(self, phase: Phase, job: Job) -> None:
        """Call the app's observers, if there are any, before a phase of a message begins."""
        if (observers := self._registration.observe) is not None:
            observers(phase, job)

    def batch(self, account: str, handler: EmailHandler, rows: Sequence[Row]) -> Batch | Untraced:
        """Return what reports the rows that a worker sends together."""
        if (telemetry := self._registration.telemetry) is not None and telemetry.is_heard:
            return telemetry.batch(account, handler, rows, self.observe)
        return Untraced(self.observe)

    def paused(self, account: str, error: MailError) -> None:
        """Count the pause of an account, if MAIL_TELEMETRY is set."""
        if (telemetry := self._registration.telemetry) is not None:
            telemetry.paused(account, error)

    def flush(self) -> None:
        """Export what MAIL_TELEMETRY has reported, before a process ends without an exit hook."""
        if (telemetry := self._registration.telemetry) is not None:
            telemetry.flush()

    @property
    def heard(self) -> bool:
        """Whether a function of the app is called while a message is sent, or after it."""
        return (
            is_heard(message_sent, self.app)
            or is_heard(message_failed, self.app)
            or self._registration.observe is not None
        )

    @property
    def screen(self) -> Screening | None:
        """What refuses suppressed recipients; None if MAIL_SUPPRESSIONS is off."""
        return t.cast("Screening | None", self._registration.screen)

    def down(self) -> dict[str, str]:
        """Return the accounts that this process has found down, and the error of each."""
        health = self._registration.edges.get("health")
        states = {} if health is None else health.states()
        return {name: state.why for name, state in states.items()}

    def tell_event(self, event: Event) -> None:
        """Tell the app of an event that was stored earlier."""
        from ..app.listeners import tell  # few apps have such events

        tell(self._registration, event)

    def tell(self, report: Report, account: str) -> None:
        """Log a report and send its signal."""
        self._registration.tell(report, account)
