"""What belongs to one app: its settings, its handlers, and who captures its mail."""

from __future__ import annotations

import contextlib
import functools
import threading
import typing as t
import weakref
from collections.abc import Iterator

from flask import Flask
from flask import has_app_context

from ..handlers import SILENT
from ..handlers.base import EmailHandler
from ..log import log_report
from ..log import logger
from ..report import Observe
from ..report import Report
from ..signals import announce
from ..signals import message_failed
from ..signals import message_sent
from ..testing.outbox import Outbox
from .capturing import Capture
from .capturing import InMemory
from .capturing import OverSMTP
from .current import current_app_object
from .no_sending import refuse
from .other_accounts import check_circle
from .other_mail import OtherMail
from .rate_limit import Pace
from .settings import Account
from .settings import DEFAULT
from .settings import Settings

if t.TYPE_CHECKING:
    from ..testing.server import SMTPServer


class Registration:
    """One app's part of a :class:`.Mail`. It holds the app weakly: the app holds it.

    :param settings: What the app's ``MAIL_*`` keys say.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = weakref.ref(app)
        self.settings = settings
        # Replaced as a whole, so that whoever reads it while another thread captures sees one
        # state or the other.
        self._captures: tuple[Capture, ...] = ()
        self._capturing = threading.Lock()
        self._handlers: dict[tuple[str, object], EmailHandler] = {}
        self._paces: dict[str, Pace] = {}
        self.other_mail: OtherMail = OtherMail(settings)
        self.observe: Observe | None = None
        """Called with each phase of each message before it begins."""
        self._passes_on: dict[str, set[str]] = {}
        self.edges: dict[str, t.Any] = {}
        """What the edges keep for this app, by their names."""

    def hold(self) -> Flask | None:
        """The app, for as long as the caller keeps it; None if there is none any more."""
        return self._app()

    @property
    def sends_at_once(self) -> bool:
        """Whether mail that is to be sent later is sent at once, into the outbox of a test."""
        in_test = bool(self._captures) or self.app.testing
        return in_test and self.settings.queue.testing_queue == "memory"

    @property
    def app(self) -> Flask:
        app = self._app()
        assert app is not None  # whoever asks has it
        return app

    def handler(self, using: str | None) -> EmailHandler:
        """The handler that is in force now. TESTING and debug are looked at every time, for they
        may be set after init_app.

        :raises RuntimeError: in a preview, which sends nothing.
        """
        refuse()
        self.other_mail.past_the_guard(self.app)
        account = self.settings.account(using)
        if captures := self._captures:
            return captures[-1].handler(account)
        app = self.app
        kind = self.settings.choose(account, testing=app.testing, debug=app.debug)
        handler = self._handlers.get((account.name, kind))
        if handler is None:
            # No lock: a child of a fork could find it held by a thread that it has not. If two
            # threads build one, both take the first.
            built = self._build(account, kind)
            handler = self._handlers.setdefault((account.name, kind), built)
            if handler is built and kind == "smtp" and not account.connected:
                logger.warning(
                    "Neither MAIL_URL nor MAIL_HOST is set: mail is sent through localhost:25."
                )
        return handler

    def sends(self, using: str | None) -> bool:
        """Whether the handler in force really sends; a capture counts as if it did."""
        account = self.settings.account(using)
        kind = self.settings.choose(account, testing=self.app.testing, debug=self.app.debug)
        return bool(self._captures) or kind not in SILENT

    def _build(self, account: Account, kind: object) -> EmailHandler:
        if kind == "mailbox":
            from .dev_mailbox import in_app  # few apps in production keep mail

            return in_app(account, self.app)
        built = account.build(kind)
        return built.with_handlers(functools.partial(self._handler_for, account.name))

    def _handler_for(self, account: str, other: str) -> EmailHandler:
        """Return the handler of another account, for the handler of *account*."""
        check_circle(self._passes_on, account, self.settings.account(other).name)
        return self.handler(other)

    def pace(self, using: str | None) -> Pace:
        """The rate limit of an account, which all its callers in this process share."""
        account = self.settings.account(using)
        return self._paces.setdefault(account.name, Pace(account.rate_limit or ()))

    def start_capture(self, capture: Capture) -> None:
        """Give mail to *capture* until :meth:`end_capture`; the last one started gets it."""
        with self._capturing:
            self._captures = (*self._captures, capture)

    def end_capture(self, capture: Capture) -> None:
        """Undo :meth:`start_capture`, whatever else was started meanwhile."""
        with self._capturing:
            self._captures = tuple(other for other in self._captures if other is not capture)
        capture.close()

    def tell(self, report: Report, using: str | None) -> None:
        """Log a report and send its signal."""
        log_report(report, using or DEFAULT)
        # Of a sending that was given up the garbage collector may tell, after its app is gone.
        app = self.hold()
        if not report.outcomes or app is None:
            return
        signal = message_sent if report.accepted else message_failed
        announce(signal, app, message=report.message, report=report)


class Registrations:
    """The apps that one :class:`.Mail` is registered on, as long as they live."""

    def __init__(self) -> None:
        self._by_app: weakref.WeakKeyDictionary[Flask, Registration] = weakref.WeakKeyDictionary()

    def add(self, app: Flask, settings: Settings) -> Registration:
        mine = self._by_app[app] = Registration(app, settings)
        return mine

    def current(self) -> Registration:
        """That of the current app.

        :raises RuntimeError: outside an app context.
        """
        if not has_app_context():
            raise RuntimeError(
                "Mail is sent on behalf of an app, and there is no app context here. In a script,"
                " wrap the code in 'with app.app_context():'; in a thread, push one there."
            )
        return self.of(current_app_object())

    def of(self, app: Flask) -> Registration:
        """That of an app.

        :raises RuntimeError: if there is none.
        """
        try:
            return self._by_app[app]
        except KeyError:
            raise RuntimeError(
                f"This Mail is not registered on the app {app.name!r}: call mail.init_app(app) in"
                " the function that creates the app."
            ) from None

    @contextlib.contextmanager
    def capture(self, app: Flask | None, server: SMTPServer | None) -> Iterator[Outbox]:
        """Capture the mail of an app; without one, of the current app, or of all."""
        outbox = Outbox() if server is None else server.outbox
        target = app or (current_app_object() if has_app_context() else None)
        with contextlib.ExitStack() as captures:
            for mine in [self.of(target)] if target else self:
                mine.other_mail.past_the_capture(mine.app)
                capture = OverSMTP(server, mine.settings) if server else InMemory(outbox)
                mine.start_capture(capture)
                captures.callback(mine.end_capture, capture)
            yield outbox

    def names(self) -> list[str]:
        """The names of the apps."""
        return sorted(app.name for app in self._by_app)

    def __iter__(self) -> Iterator[Registration]:
        return iter([*self._by_app.values()])
