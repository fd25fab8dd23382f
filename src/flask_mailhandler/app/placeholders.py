"""What a provider fills in after a mail has left the app: ``MAIL_PLACEHOLDERS``."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ConfigurationError
from ..text.checks import shorten


def read_placeholders(value: object, name: str) -> tuple[str, ...]:
    """Read how placeholders begin: a list of texts, or one text with commas between.

    :param name: The key, for the error.
    :raises ConfigurationError: for anything else. Everything begins with an empty text.
    """
    items = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    if isinstance(items, Iterable):
        found = [*items]
        if all(isinstance(item, str) and item.strip() for item in found):
            return tuple(found)
    raise ConfigurationError(
        f"{name} takes a list of texts that are not empty, such as ['%unsubscribe_url%'], not"
        f" {shorten(value)}."
    )
