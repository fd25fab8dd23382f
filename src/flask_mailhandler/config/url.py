"""A handler and its options in one URL: ``MAIL_URL``."""

from __future__ import annotations

import re

from ..errors import ConfigurationError
from .readers import secret

_QUOTED = (
    "In the user name and the password, write '@', ':', '/', '?', '#' and '%' as %40, %3A, %2F,"
    " %3F, %23, %25."
)
SET_MAIL_URL = "Set MAIL_URL to the URL, or the 'url' of an account."


def refuse_url(value: object, name: str, wanted: str, instead: str = SET_MAIL_URL) -> None:
    """Refuse a URL in a setting that takes none.

    The error does not show the URL, because it may contain a password.

    :param wanted: What the setting takes.
    :param instead: Where to write the URL instead.
    :raises ConfigurationError: with *instead*.
    """
    if re.search("@|://", repr(value)):
        raise ConfigurationError(
            f"{name} must be {wanted}, but it contains '@' or '://' like a URL. {instead}"
        )


def parse_url(value: object, name: str) -> dict[str, object]:
    """Read ``smtps://user:p%40ss@host:465?timeout=10``, ``console:`` or ``file:///path``.

    :return: The options as text, including ``handler``.
    :raises ConfigurationError: without the URL, because it may contain a password.
    """
    from urllib.parse import parse_qsl
    from urllib.parse import unquote
    from urllib.parse import urlsplit

    found: dict[str, object] = {}
    # A value from a file or a shell may end with a line end. Inside a URL, urlsplit would drop it.
    given = secret(value.strip() if isinstance(value, str) else value, name)
    try:
        url = urlsplit(given.reveal())
        # After an unescaped '#', '/' or '?' in a password, the rest would be lost.
        if url.fragment or not url.scheme:
            raise ValueError
        query = parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
        host, port = url.hostname, url.port
        user, password = (
            escaped and unquote(escaped, errors="strict")
            for escaped in (url.username, url.password)
        )
    except ValueError:
        raise ConfigurationError(
            f"{name} must be like 'smtps://user:password@host', 'smtp://host:587' or 'console:',"
            f" with a port from 1 to 65535. {_QUOTED}"
        ) from None
    handler = {"smtps": "smtp"}.get(url.scheme, url.scheme)
    if handler == "smtp":
        if not host or url.path.strip("/"):
            raise ConfigurationError(
                f"{name} needs a host, and only a query may follow it. {_QUOTED}"
            )
        found = {"host": host, "port": port, "security": "tls" if url.scheme == "smtps" else None}
        found |= {"username": user, "password": password}
    elif handler == "file":
        found = {"folder": unquote(url.path) or None}
    elif url.netloc or url.path:
        raise ConfigurationError(
            f"{name} begins with '{handler}:', which only options can follow, as in"
            f" '{handler}:?option=value'. For a server, write 'smtps://user:password@host' or"
            " 'smtp://host:587', for a folder 'file:///path'."
        )
    found = {key: item for key, item in found.items() if item is not None}
    return {"handler": handler, **found, **dict(query)}
