"""The template that a message was rendered from, and its language."""

from __future__ import annotations

from .message import Message

_KEY, _LOCALE = "_origin", "_locale"


def mark(message: Message, template: str, locale: str = "") -> Message:
    """Record the template that a new message was rendered from, and its language."""
    message.__dict__[_KEY] = template
    if locale:
        message.__dict__[_LOCALE] = locale
    return message


def origin_of(message: Message) -> str | None:
    """Return the name of the template that a message was rendered from, or None.

    A copy has the template of its original. It is not part of the message: only this process and
    the queue know it.
    """
    return message.__dict__.get(_KEY)


def locale_of(message: Message) -> str:
    """Return the language that a message was rendered in, such as ``de_AT``, or ""."""
    return str(message.__dict__.get(_LOCALE, ""))
