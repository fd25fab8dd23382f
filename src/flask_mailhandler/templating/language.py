"""The language that a mail is written in."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from flask import Flask

from ..errors import MessageError
from ..text.checks import shorten

_LOCALE = re.compile(r"[A-Za-z]{2,8}(?:_[A-Za-z0-9]{1,8})*\Z")


def read_locale(value: object) -> str:
    """Read ``de``, ``de_AT``, ``de-AT`` or a ``babel.Locale``, as ``de_AT``; None as "".

    :raises MessageError: for anything else. It becomes a part of a file's name.
    """
    text = "" if value is None else str(value).replace("-", "_")
    if text and not _LOCALE.match(text):
        raise MessageError(f"locale must be like 'de' or 'de_AT', not {shorten(value)}.")
    return text


def fallbacks(locale: str) -> Iterator[str]:
    """``zh_Hans_CN``, ``zh_Hans``, ``zh``, and "" for no locale."""
    while locale:
        yield locale
        locale = locale.rpartition("_")[0]
    yield ""


@contextlib.contextmanager
def speaking(app: Flask, locale: str) -> Iterator[None]:
    """Let Flask-Babel, if the app has it, speak this language. "" changes nothing.

    :raises MessageError: if it does not know the locale.
    """
    if not locale or "babel" not in app.extensions:
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
