"""What belongs to one app: its settings, its handlers, and who captures its mail."""

from __future__ import annotations

import threading
import typing as t
import weakref

from flask import Flask

from .accounts import DEFAULT
from .accounts import Settings
from .handlers.base import EmailHandler
from .handlers.memory import MemoryEmailHandler
from .log import log_report
from .log import logger
from .outbox import Outbox
from .pace import Pace
from .report import Report
from .signals import announce
from .signals import message_failed
from .signals import message_sent


class Registration:
    """One app's part of a :class:`.Mail`. It holds the app weakly: the app holds it.

    :param settings: What the app's ``MAIL_*`` keys say.
    """

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = weakref.ref(app)
        self.settings = settings
        # Replaced as a whole, so that whoever reads it while another thread captures sees one
        # state or the other.
        self._captures: tuple[Outbox, ...] = ()
        self._capturing = threading.Lock()
        self._handlers: dict[tuple[str, object], EmailHandler] = {}
        self._paces: dict[str, Pace] = {}
        self.edges: dict[str, t.Any] = {}
        """What the edges keep for this app, by their names."""

    @property
    def gone(self) -> bool:
        """Whether there is no app any more."""
        return self._app() is None

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
        may be set after init_app."""
        account = self.settings.account(using)
        if captures := self._captures:
            memory = account.build(MemoryEmailHandler)
            assert isinstance(memory, MemoryEmailHandler)
            return memory.into(captures[-1], account.name)
        app = self.app
        kind = self.settings.choose(account, testing=app.testing, debug=app.debug)
        handler = self._handlers.get((account.name, kind))
        if handler is None:
            # No lock: a child of a fork could find it held by a thread that it has not. If two
            # threads build one, both take the first.
            built = account.build(kind)
            handler = self._handlers.setdefault((account.name, kind), built)
            if handler is built and kind == "smtp" and not account.connected:
                logger.warning(
                    "Neither MAIL_URL nor MAIL_HOST is set: mail is given to localhost:25."
                )
        return handler

    def pace(self, using: str | None) -> Pace:
        """The rate limit of an account, which all its callers in this process share."""
        account = self.settings.account(using)
        return self._paces.setdefault(account.name, Pace(account.rate_limit or ()))

    def start_capture(self, outbox: Outbox) -> None:
        """Put mail into *outbox* until :meth:`end_capture`; the last one started gets it."""
        with self._capturing:
            self._captures = (*self._captures, outbox)

    def end_capture(self, outbox: Outbox) -> None:
        """Undo :meth:`start_capture`, whatever else was started meanwhile."""
        with self._capturing:
            # By identity: two empty outboxes are equal.
            self._captures = tuple(box for box in self._captures if box is not outbox)

    def tell(self, report: Report, using: str | None) -> None:
        """Log a report and send its signal."""
        log_report(report, using or DEFAULT)
        if not report.outcomes:
            return
        signal = message_sent if report.accepted else message_failed
        announce(signal, self.app, message=report.message, report=report)
