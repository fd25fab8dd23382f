"""Another mail extension on the same app: what it sends is neither redirected nor captured here."""

from __future__ import annotations

import sys
import typing as t
import warnings

from flask import Flask

from ..errors import ConfigurationWarning
from .settings import Settings

# Where Flask-Mail and Flask-Mailman keep theirs.
_NAMES = ("mail", "mailman")
_OURS = __name__.partition(".")[0]


class OtherMail:
    """Warns of it, once for each reason.

    :param settings: Of the app.
    """

    def __init__(self, settings: Settings) -> None:
        guards = ("redirect_to", "allow_to")
        self._guards = [
            f"MAIL_{name.upper()}"
            for name in guards
            if any(account.options.get(name) for account in settings.accounts.values())
        ]
        self._warned: set[str] = set()

    def past_the_guard(self, app: Flask) -> None:
        """Warn if it sends to whom the staging guard would keep mail from."""
        if self._guards:
            self._warn(app, f"goes past {' and '.join(self._guards)}")

    def past_the_capture(self, app: Flask) -> None:
        """Warn if mail that it sends would be missing in what is captured."""
        self._warn(app, "is not captured")

    def _warn(self, app: Flask, what: str) -> None:
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
                f" app.extensions[{name!r}]. It reads the same MAIL_* keys, and what is sent by it"
                f" {what}. Have it sent by this Mail instead, or remove that extension.",
                ConfigurationWarning,
                stacklevel=_outside(),
            )


def _is_ours(other: t.Any) -> bool:
    return any(kind.__module__.partition(".")[0] == _OURS for kind in other.__class__.__mro__)


def _outside() -> int:
    """The stack level of whoever called this package, as :func:`warnings.warn` counts it above."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_within(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_within(module: str) -> bool:
    return module.partition(".")[0] in (_OURS, "contextlib")
