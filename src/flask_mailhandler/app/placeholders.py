"""What a provider fills in after the app has sent a message: ``MAIL_PLACEHOLDERS``."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ConfigurationError
from ..text.checks import shorten


def read_placeholders(value: object, name: str) -> tuple[str, ...]:
    """Read how placeholders begin: from a list of texts, or from one text with commas.

    :param name: The key, for the error.
    :raises ConfigurationError: for any other value, and for an empty text, with which every link
        begins.
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
