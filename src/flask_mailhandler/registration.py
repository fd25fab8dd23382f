"""What belongs to one app: its settings, its handlers, and who captures its mail."""

from __future__ import annotations

import threading
import weakref

from flask import Flask

from .accounts import Account
from .accounts import DEFAULT
from .accounts import Settings
from .handlers.base import EmailHandler
from .handlers.memory import MemoryEmailHandler
from .log import log_report
from .log import logger
from .outbox import Outbox
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
        self.captures: list[Outbox] = []
        self._handlers: dict[tuple[str, object], EmailHandler] = {}
        self._lock = threading.Lock()

    @property
    def app(self) -> Flask:
        app = self._app()
        assert app is not None  # whoever asks has it
        return app

    def handler(self, using: str | None) -> EmailHandler:
        """The handler that is in force now. TESTING and debug are looked at every time, for they
        may be set after init_app."""
        account = self.settings.account(using)
        if self.captures:
            return self._capturing(account, self.captures[-1])
        app = self.app
        kind = self.settings.choose(account, testing=app.testing, debug=app.debug)
        with self._lock:
            handler = self._handlers.get((account.name, kind))
            if handler is None:
                handler = account.build(kind)
                if kind == "smtp" and not account.connected:
                    logger.warning(
                        "Neither MAIL_URL nor MAIL_HOST is set: mail is given to localhost:25."
                    )
                self._handlers[account.name, kind] = handler
        return handler

    def _capturing(self, account: Account, outbox: Outbox) -> MemoryEmailHandler:
        handler = account.build(MemoryEmailHandler)
        assert isinstance(handler, MemoryEmailHandler)
        return handler.into(outbox, account.name)

    def tell(self, report: Report, using: str | None) -> None:
        """Log a report and send its signal."""
        log_report(report, using or DEFAULT)
        if not report.outcomes:
            return
        signal = message_sent if report.accepted else message_failed
        announce(signal, self.app, message=report.message, report=report)
