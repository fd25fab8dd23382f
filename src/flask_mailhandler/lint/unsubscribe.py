"""List-Unsubscribe (RFC 2369 section 3.2) and List-Unsubscribe-Post (RFC 8058)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..message.headers import ONE_CLICK
from ..message.headers import ONE_CLICK_URL
from ..text.checks import shorten
from .examined import Examined
from .rule import Found

_FIELD, _POST = "List-Unsubscribe", "List-Unsubscribe-Post"
# https://www.rfc-editor.org/rfc/rfc2369#section-2: each URL in angle brackets, with commas
# between. Many writers add comments, which few readers understand.
_URIS = re.compile(r"<([^<>]*)>")
_USABLE = re.compile(r"(?:https?://[^/?#\s]|mailto:[^\s@]+@)[!-~]*\Z", re.I)


def syntax(message: Examined) -> Iterator[Found]:
    """Check that a reader can parse both fields."""
    fields = message.values(_FIELD.lower())
    posts = message.values(_POST.lower())
    for name, values in ((_FIELD, fields), (_POST, posts)):
        if len(values) > 1:
            yield Found("header", f"{name} appears {len(values)} times.")
    for value in fields[:1]:
        yield from _uris(value, message.placeholders)
    for value in posts[:1]:
        if value.strip() != ONE_CLICK:
            yield Found("header", f"{_POST} is {shorten(value)}, but must be {ONE_CLICK!r}.")
        https = len(re.findall(ONE_CLICK_URL, " ".join(fields)))
        if https != 1:
            yield Found("header", f"{_POST} needs one https: URL in {_FIELD}; there are {https}.")


def _uris(value: str, placeholders: tuple[str, ...]) -> Iterator[Found]:
    uris = _URIS.findall(value)
    if not uris:
        yield Found("header", f"{_FIELD} has no URL in angle brackets: {shorten(value)}.")
    elif _URIS.sub("", value).replace(",", "").strip():
        yield Found("header", f"{_FIELD} has text outside angle brackets: {shorten(value)}.")
    elif not re.fullmatch(r"\s*<[^<>]*>(?:\s*,\s*<[^<>]*>)*\s*", value):
        yield Found("header", f"{_FIELD} needs one comma between two URLs: {shorten(value)}.")
    for uri in uris:
        if not _USABLE.match(uri) and not uri.startswith(placeholders):
            yield Found(
                "header", f"{_FIELD} has {shorten(uri)}, which is not an https: or mailto: URL."
            )


def one_click(message: Examined) -> Iterator[Found]:
    """Check that a message with List-Unsubscribe supports unsubscribing with one click."""
    if message.values(_FIELD.lower()) and not message.values(_POST.lower()):
        yield Found("header", f"{_FIELD} is there without {_POST}: {ONE_CLICK}.")
