"""The handler of :mod:`logging`."""

from __future__ import annotations

import hashlib
import logging
import typing as t
import weakref
from collections.abc import Mapping

from flask.sansio.app import App

from ...app.current import AT_SHUTDOWN
from ...app.current import living
from ...app.framework import current_app_object
from ...app.framework import itself
from ...app.no_sending import is_preview
from ...errors import ConfigurationError
from ...templating.package_mail import PackageMail
from ...text.checks import shorten
from .composing import MARK
from .desk import Desk
from .options import Options
from .options import read_options
from .stderr import SENDING
from .stderr import tell
from .stderr import tell_of

if t.TYPE_CHECKING:
    from ...app.registration import Registration
    from ...app.registrations import Registrations
    from ...previews.preview import Previews

_OURS = __name__.partition(".")[0]
_SEEN = "_error_mail"


class ErrorMailHandler(logging.Handler):
    """Mails errors: one mail for a kind of error, then digests that count it.

    :meth:`.Mail.error_handler` returns it. ::

        logging.getLogger().addHandler(mail.error_handler(to="ops@example.com"))

    A formatter is not used. Filters are.
    """

    def __init__(
        self, registrations: Registrations, options: Options, app: App | None = None
    ) -> None:
        super().__init__(options.level)
        self._registrations = registrations
        self._options = options
        self._mails = PackageMail()  # now, because it loads modules
        self._app = None if app is None else weakref.ref(app)
        # Without the addresses: a record keeps it, and may be written to a log with all it has.
        about = repr(([*options.to], options.using)).encode("utf-8", "backslashreplace")
        self._desk_name = f"error mail {hashlib.sha256(about).hexdigest()[:16]}"
        self._desks: weakref.WeakKeyDictionary[Desk, None] = weakref.WeakKeyDictionary()

    def handle(self, record: logging.LogRecord) -> t.Any:
        """Emit a record that passes the filters.

        The handler's lock is not taken. What is called may be code of the app, and could wait for
        another thread that logs.
        """
        found: t.Any = self.filter(record)  # since Python 3.12 it may be another record
        if found:
            self.emit(found if isinstance(found, logging.LogRecord) else record)
        return found

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record. A thread mails it."""
        try:
            if SENDING.get():
                tell_of(record, "because it was logged while an error was mailed")
            elif _is_about_error_mail(record):
                tell_of(record, "because it is about an error mail")
            elif not is_preview():
                token = SENDING.set(True)
                try:
                    self._add(record)
                finally:
                    SENDING.reset(token)
        except Exception as error:
            # RecursionError too: logging itself raises that one.
            try:  # noqa: SIM105 suppress() would need more of the stack, which is used up
                tell_of(record, f"because of {type(error).__name__}")
            except Exception:
                pass

    def _add(self, record: logging.LogRecord) -> None:
        mine = self._registration()
        app = None if mine is None else mine.hold()
        if mine is None or app is None:
            tell_of(record, "because its Mail is registered on no app: call mail.init_app(app)")
            return
        # The root logger may have this handler too, or another with the same addresses.
        seen = vars(record).setdefault(_SEEN, set())
        if self._desk_name in seen:
            return
        seen.add(self._desk_name)
        desk = mine.scope.get(self._desk_name)
        if desk is None:
            desk = mine.scope.setdefault(self._desk_name, Desk(mine, self._options, self._mails))
            mine.edges.setdefault(AT_SHUTDOWN, weakref.WeakKeyDictionary())[desk] = None
        self._desks[desk] = None
        desk.add(record, app)

    def _registration(self) -> Registration | None:
        """Return the registration of the current app; else of the app that was passed; else of the
        app that was registered last."""
        for app in (current_app_object(), None if self._app is None else self._app()):
            if app is not None and (found := self._registrations.find(app)) is not None:
                return found
        return self._registrations.last()

    def flush(self) -> None:
        """Mail what waits, now and in this thread. ::

            handler.flush()

        Counts do not wait for the next digest.
        """
        token = SENDING.set(True)
        try:
            for desk in living(self._desks):
                desk.flush()
        except Exception as error:
            tell(f"errors could not be mailed: {type(error).__name__}: {error}")
        finally:
            SENDING.reset(token)

    def close(self) -> None:
        """Mail what waits, and end the thread."""
        for desk in living(self._desks):
            desk.drain()
        super().close()

    def __repr__(self) -> str:
        level = logging.getLevelName(self.level)
        return f"<{type(self).__name__} to {', '.join(self._options.to)} ({level})>"


def _is_about_error_mail(record: logging.LogRecord) -> bool:
    """Whether a record of this package is about an error mail, which any process may have sent."""
    return str(record.name).partition(".")[0] == _OURS and MARK in str(record.args)


def make_handler(
    registrations: Registrations, previews: Previews, to: object, given: Mapping[str, t.Any]
) -> ErrorMailHandler:
    """Return a handler, and register the preview of its mails: see :meth:`.Mail.error_handler`.

    :raises TypeError: for an argument that does not exist.
    :raises MessageError: for an address that is not one.
    :raises ConfigurationError: for another wrong value.
    """
    from .samples import add_preview

    options = read_options(to, given)
    if (app := given.get("app")) is not None and not isinstance(app := itself(app), App):
        raise ConfigurationError(f"app= takes the app, not {shorten(app)}.")
    for mine in registrations:
        mine.settings.account(options.using)  # raises if there is none
    add_preview(previews, options)
    return ErrorMailHandler(registrations, options, app)
