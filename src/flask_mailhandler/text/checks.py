"""Checks of text for a header, an address, a file name or a command."""

from __future__ import annotations

import re
import typing as t

from ..errors import MessageError

if t.TYPE_CHECKING:
    from email.header import Header

TextInput: t.TypeAlias = "str | Header | None"
"""Text, including a lazy string, or a ``Header`` of the standard library."""

# The characters that a header, an address, a file name or a command must not contain: C0 except
# TAB, DEL, C1 (including NEL), the Unicode line and paragraph separators, and lone surrogates. Some
# Python releases write some of these into a header, and for each there is a reader that ends a line
# at it.
CONTROLS = "[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"


def check_text(value: str, field: str) -> str:
    """Return *value*, or refuse it if a character in it could end a header line or a command.

    :param field: The name of the value in the error.
    :raises MessageError: for a control character or a lone surrogate.
    """
    # No printable character is a control character. Most texts have no other, and need no pattern,
    # which takes 0.4 ms to compile.
    if not value.isprintable() and (found := re.search(CONTROLS, value)):
        raise MessageError(
            f"{field} has the control character {found[0]!r} at position {found.start()}:"
            f" {shorten(value)}. Remove it; only the text can have line breaks."
        )
    return value


def shorten(value: object, limit: int = 80) -> str:
    """Return the repr of *value*, cut to *limit* characters, for the text of an error."""
    # The value may be huge, so it is cut before its repr is built.
    try:
        text = repr(value[: limit + 1] if isinstance(value, str | bytes) else value)
    except ValueError:  # a number with more digits than Python writes
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def plain(value: object) -> str | None:
    """Return *value* as an exact ``str`` if it is text, and otherwise None.

    Text is a ``str`` or an instance of a subclass such as ``Markup``, a ``LocalProxy`` for one, a
    lazy string of a translation library, or a ``Header`` of the standard library.
    """
    if type(value) is str:
        return value
    value = unproxied(value)
    if isinstance(value, str):
        return str.__str__(value)
    if any(kind.__module__ == "email.header" for kind in type(value).__mro__):
        from .decoding import decoded  # only few texts are Headers

        # A receiver reads encoded words in it as their text.
        return decoded(str(value))
    # A lazy string has the methods of str; bytes have no format().
    if hasattr(value, "encode") and hasattr(value, "format"):
        return str.__str__(str(value))
    return None


def unproxied(value: object) -> object:
    """Return the object behind a ``LocalProxy`` of Werkzeug, and any other value as it is.

    To ``isinstance``, such a proxy has the class of its object.
    """
    if hasattr(type(value), "_get_current_object"):
        return t.cast(t.Any, value)._get_current_object()
    return value
