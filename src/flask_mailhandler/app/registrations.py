"""The apps that one :class:`.Mail` is registered on, and what they share."""

from __future__ import annotations

import contextlib
import typing as t
import weakref
from collections.abc import Callable
from collections.abc import Iterator

from flask import has_app_context
from flask.globals import app_ctx

from ..message.given import Before
from .current import app_in_context
from .current import living
from .current import REGISTRATION
from .framework import current_app_object

if t.TYPE_CHECKING:
    from flask.sansio.app import App

    from ..address import AddressInput
    from ..testing.outbox import Outbox
    from ..testing.server import SMTPServer
    from .listener import Listener
    from .registration import Registration
    from .settings import Settings

P = t.TypeVar("P")


class MailBase:
    """The base of :class:`.Mail`: it knows the apps that it is registered on."""

    def __init__(self) -> None:
        self._registrations = Registrations()

    def _registration(self) -> Registration:
        """Return the registration on the current app.

        :raises RuntimeError: outside an app context, or if the app is not one of this ``Mail``.
        """
        return self._registrations.current()

    @staticmethod
    def address_of(
        kind: type[P],
        function: Callable[[P], AddressInput],
        *,
        locale: Callable[[P], object] | None = None,
    ) -> None:
        """Say what the address of an object of a class is, so that it may stand in ``to=``. ::

            mail.address_of(User, lambda user: (user.name, user.email))

        The function becomes ``User.__mail_address__``, and *locale* ``User.__mail_locale__``. In a
        class of your own, you can write these methods instead.

        :param function: Returns an address, or a ``(name, address)`` pair.
        :param locale: Returns the language for :meth:`render`; None is the language of the app.
        :raises TypeError: if it is not a class, or a class that cannot be changed.
        """
        from .people import address_of  # few apps use it

        address_of(kind, function, locale)


class Registrations:
    """The registrations of one :class:`.Mail`, each for as long as its app lives."""

    def __init__(self) -> None:
        self.before: list[Before] = []
        """The ``before_send`` functions, which all apps share."""
        self.listeners: list[Listener] = []
        """The ``on_event`` functions, which all apps share."""
        self._by_app: weakref.WeakKeyDictionary[App, Registration] = weakref.WeakKeyDictionary()

    def add(self, app: App, settings: Settings) -> Registration:
        """Register an app.

        The modules that send are loaded now. Importing :class:`.Mail` alone does not load them,
        and no thread does so later.
        """
        from . import send_call  # noqa: F401
        from .registration import Registration

        mine = self._by_app[app] = Registration(app, settings, self.before, self.listeners)
        app.extensions[REGISTRATION] = mine
        return mine

    def current(self) -> Registration:
        """Return the registration of the current app.

        :raises RuntimeError: outside an app context, or if the app is not registered.
        """
        # app_in_context() has the error where there is no app, and of() where it has no Mail.
        found = self._by_app.get(app_ctx.app) if has_app_context() else None
        return found or self.of(app_in_context())

    def of(self, app: App) -> Registration:
        """Return the registration of an app.

        :raises RuntimeError: if the app is not registered.
        """
        try:
            return self._by_app[app]
        except KeyError:
            raise RuntimeError(
                f"This Mail is not registered on the app {app.name!r}: call mail.init_app(app) in"
                " the function that creates the app."
            ) from None

    def find(self, app: App) -> Registration | None:
        """Return the registration of an app, or None."""
        return self._by_app.get(app)

    def last(self) -> Registration | None:
        """Return the registration of the app that was registered last; None without one."""
        registrations = [*self]
        return registrations[-1] if registrations else None

    @contextlib.contextmanager
    def capture(self, app: App | None, server: SMTPServer | None) -> Iterator[Outbox]:
        """Capture the mail of an app; without *app*, of the current app, or of all apps."""
        from ..testing.outbox import Outbox  # only tests capture mail

        outbox = Outbox() if server is None else server.outbox
        target = app or current_app_object()
        with contextlib.ExitStack() as captures:
            for mine in [self.of(target)] if target else self:
                captures.enter_context(mine.capture(server or outbox))
            yield outbox

    def names(self) -> list[str]:
        """Return the names of the apps."""
        return sorted(app.name for app in living(self._by_app))

    def __iter__(self) -> Iterator[Registration]:
        return iter([self._by_app[app] for app in living(self._by_app)])
