"""Another mail extension on the same app: its mail is neither redirected nor captured here."""

from __future__ import annotations

import sys
import typing as t
import warnings

from ..errors import ConfigurationWarning
from .flask_mail_keys import is_our_backend
from .settings import Settings

if t.TYPE_CHECKING:
    from flask.sansio.app import App

# Where Flask-Mail and Flask-Mailman store themselves.
_NAMES = ("mail", "mailman")
_OURS = __name__.partition(".")[0]


class OtherMail:
    """Warns of the other extension, once for each reason.

    :param settings: The settings of the app.
    """

    def __init__(self, settings: Settings) -> None:
        guards = ("redirect_to", "allow_to")
        self.guards: list[str] = [
            f"MAIL_{name.upper()}"
            for name in guards
            if any(account.options.get(name) for account in settings.accounts.values())
        ]
        self._warned: set[str] = set()

    def past_the_guard(self, app: App) -> None:
        """Warn if the other extension can send to recipients that the staging guard blocks."""
        if self.guards:
            self._warn(app, f"bypasses {' and '.join(self.guards)}")

    def past_the_capture(self, app: App) -> None:
        """Warn if mail of the other extension would be missing from a capture."""
        self._warn(app, "is not captured")

    def _warn(self, app: App, what: str) -> None:
        if what in self._warned:
            return
        for name in _NAMES:
            other = app.extensions.get(name)
            if other is None or _is_ours(other):
                continue
            self._warned.add(what)
            kind = other.__class__
            warnings.warn(
                f"{kind.__module__}.{kind.__qualname__} is registered on this app too, as"
                f" app.extensions[{name!r}]. It reads the same MAIL_* keys, and the mail it sends"
                f" {what}. Send that mail with this Mail instead, or remove that extension.",
                ConfigurationWarning,
                stacklevel=outside(),
            )


def _is_ours(other: t.Any) -> bool:
    return is_our_backend(getattr(other, "backend", "")) or any(
        kind.__module__.partition(".")[0] == _OURS for kind in other.__class__.__mro__
    )


def outside() -> int:
    """Return the stack level of the code that called this package, for the call of
    :func:`warnings.warn` in the function that calls this one."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_within(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_within(module: str) -> bool:
    return module.partition(".")[0] in (_OURS, "contextlib")
