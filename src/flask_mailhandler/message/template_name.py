"""The template that a message was rendered from."""

from __future__ import annotations

from .message import Message

_KEY = "_origin"


def mark(message: Message, template: str) -> Message:
    """Record the template that a new message was rendered from."""
    message.__dict__[_KEY] = template
    return message


def origin_of(message: Message) -> str | None:
    """Return the name of the template that a message was rendered from, or None.

    A copy has the template of its original. It is not part of the message: only this process and
    the queue know it.
    """
    return message.__dict__.get(_KEY)
