"""Messages as a caller passes them: one, or several, and what they have for a provider."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from email.message import Message as MIMEMessage

from ..errors import MessageError
from ..text.checks import shorten
from .fields import FOR_PROVIDER
from .fields import NOTHING
from .message import Message
from .other_names import of_message

AnyMessage: t.TypeAlias = Message | MIMEMessage
"""A :class:`.Message`, or a message of the standard library: ``EmailMessage``, ``MIMEText`` ..."""
Before: t.TypeAlias = "Callable[[t.Any], AnyMessage | None]"
"""A ``before_send`` function."""


def several(messages: object, caller: str) -> Iterable[AnyMessage]:
    """Check that *messages* is an iterable of messages. A single message is iterable too, and
    would be lost.

    :param caller: The method that was called, for the error.
    :raises MessageError: if it is something else.
    """
    single = isinstance(messages, Message | MIMEMessage | str | bytes | Mapping)
    if single or not isinstance(messages, Iterable):
        wanted = "a message, a text or several messages" if caller == "send" else "several messages"
        hint = "write [message]" if isinstance(messages, AnyMessage) else of_message(messages)
        raise MessageError(f"{caller} takes {wanted}, not {shorten(messages)}: {hint}.")
    if caller != "send" and isinstance(messages, Iterator):
        return _noted(messages)
    return messages


def _noted(messages: Iterator[AnyMessage]) -> Iterator[AnyMessage]:
    """Add to an error of the caller's generator why no message follows it."""
    try:
        # Not `yield from`, which would close the caller's generator.
        for message in messages:  # noqa: UP028
            yield message
    except MessageError as error:
        error.add_note(
            "The generator raised it while it made a message, and a generator ends with its first"
            " error. Catch MessageError in the generator, and the other messages are sent."
        )
        raise


def for_provider(message: Message) -> dict[str, t.Any]:
    """Return those fields that only a provider reads and that a message has, as JSON types."""
    found = {name: getattr(message, name) for name in FOR_PROVIDER}
    given = {name: value for name, value in found.items() if value not in (None, NOTHING)}
    if not given:
        return given
    from .json_form import to_json  # few messages have any

    return {name: to_json(value) for name, value in given.items()}
