"""Text as it may stand in a header, an address, a file name, a command."""

from __future__ import annotations

import re
import typing as t

from ..errors import MessageError

if t.TYPE_CHECKING:
    from email.header import Header

TextInput: t.TypeAlias = "str | Header | None"
"""Text, a lazy string among it, or a ``Header`` of the standard library."""

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
    ``Markup``, a ``LocalProxy`` of one, a lazy string of a translation library, or a ``Header``
    of the standard library; else None."""
    if type(value) is str:
        return value
    value = unproxied(value)
    if isinstance(value, str):
        return str.__str__(value)
    if any(kind.__module__ == "email.header" for kind in type(value).__mro__):
        from .decoding import decoded  # who writes a Header has loaded more than this

        # One that was made of encoded words is read by its receiver as their text.
        return decoded(str(value))
    # A lazy string behaves as its text does, so it has str's methods (and bytes have not).
    if hasattr(value, "encode") and hasattr(value, "format"):
        return str.__str__(str(value))
    return None


def unproxied(value: object) -> object:
    """Return what *value* stands for, if it is a ``LocalProxy`` of Werkzeug, which says that it
    is of the class of its object."""
    if hasattr(type(value), "_get_current_object"):
        return t.cast(t.Any, value)._get_current_object()
    return value
