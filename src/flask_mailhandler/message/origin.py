"""Which template a message was made from."""

from __future__ import annotations

from .message import Message

_KEY = "_origin"


def mark(message: Message, template: str) -> Message:
    """Note on a new message which template it comes from."""
    message.__dict__[_KEY] = template
    return message


def origin_of(message: Message) -> str | None:
    """The name of the template that the message, or what it is a copy of, was rendered from; None
    if it was not rendered. It is known in this process only: it is no part of the message."""
    return message.__dict__.get(_KEY)
