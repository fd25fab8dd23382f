"""Readers of the options that providers have."""

from __future__ import annotations

import re

from ... import config
from ...errors import ConfigurationError
from ...secret import Secret


def read_key(value: object, name: str) -> Secret:
    """Read a key or a token that can be sent in a header field."""
    found = config.secret(value, name)
    if not re.fullmatch(rb"[!-~]+", found.octets()):
        raise ConfigurationError(
            f"{name} must have only visible ASCII characters, without spaces. Copy it again."
        )
    return found


def read_region(value: object, name: str) -> str:
    """Read the region of a provider, which checks whether it has it."""
    found = config.text(value, name).strip().lower()
    if not re.fullmatch("[a-z]{2}|[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}", found):
        # Without its value: in a URL that lacks the region, it is a key.
        raise ConfigurationError(f"{name} must be a region like 'eu-west-1', or 'us' or 'eu'.")
    return found


def read_url(value: object, name: str) -> str:
    """Read the URL of an API."""
    from ...net.http.url import is_private  # loads what connects
    from ...net.http.url import split

    found = config.text(value, name).strip().rstrip("/")
    try:
        usable = is_private(split(found))
    except ValueError:
        usable = False
    if not usable or "?" in found:
        raise ConfigurationError(
            f"{name} must be like 'https://api.example.com', without a login and a query. With http"
            " it must be on this machine, because the key is sent there."
        )
    return found
