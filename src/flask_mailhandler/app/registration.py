"""What belongs to one app: its settings, its handlers, its captures and its observers."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import typing as t
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from ..handlers import SILENT
from ..handlers.base import EmailHandler
from ..log import log_report
from ..log import logger
from ..message.given import Before
from ..phase import Phase
from ..report import Job
from ..report import Observe
from ..report import Report
from ..signals import announce
from ..signals import message_failed
from ..signals import message_sent
from .account import Account
from .account import DEFAULT
from .flask_framework import Framework
from .framework import framework_of
from .no_sending import refuse
from .no_sending import SAMPLE
from .other_extension import OtherMail
from .rate_limit import RateLimit
from .settings import Settings

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..events.event import Event
    from ..handlers.prepare import Prepared
    from ..handlers.smtp import SMTPEmailHandler
    from ..testing.outbox import Outbox
    from ..testing.server import SMTPServer
    from .capturing import Capture
    from .listener import Keep
    from .listener import Listener
    from .telemetry.telemetry import Telemetry

# Options whose addresses and links are signed with the app's secret key.
_SIGNED = frozenset({"bounce_address", "unsubscribe", "unsubscribe_mailto"})


class Registration:
    """A :class:`.Mail` on one app. It holds the app weakly, because the app holds it.

    :param settings: What the app's ``MAIL_*`` keys say.
    :param before: The ``before_send`` functions of the ``Mail``, which may grow.
    :param listeners: Its ``on_event`` functions, which may grow too.
    """

    def __init__(
        self,
        app: App,
        settings: Settings,
        before: Sequence[Before],
        listeners: Sequence[Listener],
    ) -> None:
        self._app = weakref.ref(app)
        self.framework: Framework = framework_of(app)
        """Flask or Quart."""
        self.before: Sequence[Before] = before
        self.listeners: Sequence[Listener] = listeners
        self.settings = settings
        self.screen: Callable[[Sequence[Prepared]], list[Prepared]] | None = None
        """Refuses the suppressed recipients of messages; None if MAIL_SUPPRESSIONS is off."""
        self.telemetry: Telemetry | None = None
        """Reports traces and metrics; None if MAIL_TELEMETRY is off."""
        if settings.telemetry is not None:
            from .telemetry.telemetry import Telemetry  # few apps have it

            self.telemetry = Telemetry(app.name, settings.telemetry)
        self.keep_events: Keep
        """Stores events; set by the queue, which has the store."""
        # Both tuples are replaced as a whole, so that a thread that reads one while another
        # thread changes it sees the old state or the new one.
        self._captures: tuple[Capture, ...] = ()
        self._observers: tuple[Observe, ...] = ()
        self._changing = threading.Lock()
        self._handlers: dict[tuple[str, object], EmailHandler] = {}
        self._passes_on: dict[str, set[str]] = {}
        self._rate_limits: dict[str, RateLimit] = {}
        self.other_mail: OtherMail = OtherMail(settings)
        for account in settings.accounts.values():
            if not _SIGNED.isdisjoint(account.options):
                from .signing import let_sign  # few accounts sign addresses

                let_sign(account.options, self._app, settings.base_url)
        self.edges: dict[str, t.Any] = {}
        """What the parts above store for this app, such as its queue and its previews, by name."""

    def hold(self) -> App | None:
        """Return the app, for as long as the caller keeps it; None if it is gone."""
        return self._app()

    @property
    def app(self) -> App:
        """The app, for a caller that holds it."""
        app = self._app()
        assert app is not None
        return app

    # Handlers

    def handler(self, using: str | None) -> EmailHandler:
        """Return the handler that is in force now. TESTING and debug mode are read in each call,
        because they may be set after init_app.

        :raises RuntimeError: in a preview, which sends nothing.
        """
        # Each send comes here, so nothing is called that has nothing to do.
        if SAMPLE.get():
            refuse()
        app = self._app()
        assert app is not None
        if self.other_mail.guards:
            self.other_mail.past_the_guard(app)
        account = self.settings.accounts.get(using or DEFAULT) or self.settings.account(using)
        if captures := self._captures:
            return captures[-1].handler(account)
        kind = self.settings.choose(account, testing=app.testing, debug=app.debug)
        handler = self._handlers.get((account.name, kind))
        if handler is None:
            # No lock: after a fork, the child could find it held by a thread that it does not
            # have. If two threads build a handler, both use the first.
            built = self._build(account, kind)
            handler = self._handlers.setdefault((account.name, kind), built)
            if handler is built and kind == "smtp" and not account.connected:
                server = t.cast("SMTPEmailHandler", built).server
                logger.warning(
                    "Neither MAIL_URL nor MAIL_HOST is set: mail is sent through %s:%s.",
                    server.host,
                    server.port,
                )
        return handler

    def _build(self, account: Account, kind: object) -> EmailHandler:
        if kind == "mailbox":
            from .dev_mailbox import mailbox_handler  # few apps in production store mail

            return mailbox_handler(account, self.app)
        if kind == "memory":
            return account.in_memory()
        if account.group is not None and kind is account.group:
            from .groups import group_handler  # few apps have more than one way out

            own_handler = functools.partial(self._own_handler, account.name)
            return group_handler(account, own_handler, self.edges)
        built = account.build(kind).with_handlers(
            functools.partial(self._handler_for, account.name)
        )
        vars(built)["of_account"] = account.name
        return built

    def _own_handler(self, group: str, name: str) -> EmailHandler:
        """Return the handler of an account itself, for the handler of *group*."""
        if name != group:
            from .other_accounts import check_circle

            check_circle(self._passes_on, group, name)
        account, app = self.settings.account(name).alone, self.app
        kind = self.settings.choose(account, testing=app.testing, debug=app.debug)
        found = self._handlers.get((name, kind)) or self._build(account, kind)
        return self._handlers.setdefault((name, kind), found)

    def _handler_for(self, account: str, other: str) -> EmailHandler:
        """Return the handler of another account, for the handler of *account*."""
        from .other_accounts import check_circle  # few handlers pass messages on

        check_circle(self._passes_on, account, self.settings.account(other).name)
        return self.handler(other)

    def passes_on(self, using: str | None) -> bool:
        """Whether an account passes its messages to others now, which it does not in a test."""
        account = self.settings.account(using)
        kind = self.settings.choose(account, testing=self.app.testing, debug=self.app.debug)
        return account.group is not None and kind is account.group and not self._captures

    def sends(self, using: str | None) -> bool:
        """Whether the handler in force really sends; a capture counts as if it did."""
        account = self.settings.account(using)
        kind = self.settings.choose(account, testing=self.app.testing, debug=self.app.debug)
        return bool(self._captures) or kind not in SILENT

    @property
    def sends_at_once(self) -> bool:
        """Whether ``send_later`` sends at once, into the outbox of a test."""
        in_test = bool(self._captures) or self.app.testing
        return in_test and self.settings.queue.testing_queue == "memory"

    @property
    def scope(self) -> dict[str, t.Any]:
        """What is stored for the capture that gets the mail, or for the app if there is none."""
        captures = self._captures
        return captures[-1].edges if captures else self.edges

    def rate_limit(self, using: str | None) -> RateLimit:
        """Return the rate limit of an account, which all its callers in this process share."""
        account = self.settings.account(using)
        return self._rate_limits.setdefault(account.name, RateLimit(account.rate_limit or ()))

    # For a call that waits for the limits of the accounts of a group: see handlers/failover

    def limited(self, account: str) -> bool:
        """Whether an account has a rate limit."""
        return self.rate_limit(account).limited

    def enter(self, account: str) -> bool:
        """Wait until an account may send a message, and count it."""
        self.rate_limit(account).wait()
        return True

    # Functions of the app, and captures of a test

    def add_observer(self, observer: Observe) -> None:
        """Call a function with the phase and the job before each phase of a message begins.

        It is private to this package as yet. Telemetry does not use it: a worker takes an observer
        to be slow, and stores each result at once.
        """
        with self._changing:
            self._observers = (*self._observers, observer)

    @property
    def observe(self) -> Observe | None:
        """A function that calls every observer; None while the app has none."""
        return self._call_observers if self._observers else None

    def _call_observers(self, phase: Phase, job: Job) -> None:
        """Call every observer. If one raises, the error is logged and the message is still sent."""
        for observer in self._observers:
            try:
                observer(phase, job)
            except Exception:
                logger.exception("An observer raised before the phase %s.", phase.name)

    @contextlib.contextmanager
    def capture(self, into: Outbox | SMTPServer) -> Iterator[None]:
        """Capture the app's mail in an outbox, or send it to a test server, while the context is
        open. Of several captures the last one that was started gets the mail."""
        from .capturing import capture_into  # only tests capture mail

        self.other_mail.past_the_capture(self.app)
        capture = capture_into(into, self.settings)
        with self._changing:
            self._captures = (*self._captures, capture)
        outbox: t.Any = getattr(into, "outbox", into)
        outbox.read = functools.partial(_read, self)
        if self.settings.has_webhooks:
            from .webhook_trial import post_event

            outbox.post = functools.partial(post_event, self)
        try:
            yield
        finally:
            with self._changing:  # others may have been started meanwhile
                self._captures = tuple(other for other in self._captures if other is not capture)
            capture.close()

    # Reports

    def tell(self, report: Report, using: str | None) -> None:
        """Log a report and send its signal."""
        if report.error is not None or logger.isEnabledFor(logging.INFO):
            log_report(report, report.account or using or DEFAULT)
        # The garbage collector may report a send that was given up, after its app is gone.
        app = self._app()
        if not report.outcomes or app is None:
            return
        # Each send comes here. Whether a receiver is one of this app, announce() finds out.
        if message_sent.receivers or message_failed.receivers:
            signal = message_sent if report.accepted else message_failed
            announce(signal, app, message=report.message, report=report)


def _read(mine: Registration, octets: bytes, recipient: str) -> list[Event]:
    """Read a notification in a test, as the app does whose mail is captured."""
    from .listeners import handle_notification

    with mine.framework.app_context(mine.app):
        return handle_notification(mine, octets, recipient)
