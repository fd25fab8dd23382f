"""The language of a message."""

from __future__ import annotations

import contextlib
import re
import typing as t
from collections.abc import Iterator

from ..errors import MessageError
from ..text.checks import shorten

if t.TYPE_CHECKING:
    from flask.sansio.app import App

_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:_[A-Za-z0-9]{1,8})*\Z")


def read_locale(value: object) -> str:
    """Return ``de``, ``de_AT``, ``de-AT`` or a ``babel.Locale`` in the form ``de_AT``; "" for None.

    :raises MessageError: for anything else, because the locale becomes part of a file name.
    """
    text = "" if value is None else str(value).replace("-", "_")
    if text and not _LOCALE.match(text):
        raise MessageError(f"locale must be like 'de' or 'de_AT', not {shorten(value)}.")
    return text


def fallbacks(locale: str) -> Iterator[str]:
    """Yield ``zh_Hans_CN``, ``zh_Hans``, ``zh``, and "" for no locale."""
    while locale:
        yield locale
        locale = locale.rpartition("_")[0]
    yield ""


@contextlib.contextmanager
def speaking(app: App, locale: str) -> Iterator[None]:
    """Set the locale of Flask-Babel in the block, if the app has it. "" changes nothing, and
    Quart-Babel, which has the same name in ``app.extensions``, is left alone.

    :raises MessageError: if Babel does not know the locale.
    """
    kinds = type(app.extensions.get("babel")).__mro__
    if not locale or not any(kind.__module__.startswith("flask_babel") for kind in kinds):
        yield
        return
    from babel import UnknownLocaleError
    from flask_babel import force_locale

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(force_locale(locale))
        except (UnknownLocaleError, ValueError) as error:
            raise MessageError(f"locale={locale!r} is not known to Babel: {error}.") from None
        yield
