"""Text as it may stand in a header, an address, a file name, a command."""

from __future__ import annotations

import re

from .errors import MessageError

# What no header, address, file name or command may contain: C0 but TAB, DEL, C1 (NEL among
# them), the Unicode line and paragraph separators, lone surrogates. Some Python releases let
# some of these through into a header, and every one of them ends a line for somebody.
CONTROLS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def check_text(value: str, field: str) -> str:
    """Return *value*, refusing the characters that could end a header line or a command.

    :param field: How the value is called in the error.
    :raises MessageError: for a control character or a lone surrogate.
    """
    if found := CONTROLS.search(value):
        raise MessageError(
            f"{field} has the control character {found[0]!r} at position {found.start()}:"
            f" {shorten(value)}. Take it out; line breaks belong in the text."
        )
    return value


def shorten(value: object, limit: int = 80) -> str:
    """Return the repr of *value*, cut to *limit* characters, for an error's text."""
    # A hostile value may be huge: cut it before its repr is built.
    text = repr(value[: limit + 1] if isinstance(value, str | bytes) else value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def plain(value: object) -> str | None:
    """Return *value* as an exact ``str`` if it is text: a ``str``, a subclass such as
    ``Markup``, or a lazy string of a translation library; else None."""
    if isinstance(value, str):
        return value if type(value) is str else str.__str__(value)
    # A lazy string behaves as its text does, so it has str's methods (and bytes have not).
    if hasattr(value, "encode") and hasattr(value, "format"):
        return str.__str__(str(value))
    return None
