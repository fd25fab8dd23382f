"""A handler and its options as one URL: ``MAIL_URL``."""

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
    """Refuse a URL where none belongs, without showing it: there may be a password in it.

    :param wanted: What belongs there.
    :param instead: Where the URL belongs.
    :raises ConfigurationError: naming the right place for it.
    """
    if re.search("@|://", repr(value)):
        raise ConfigurationError(
            f"{name} must be {wanted}, and it has '@' or '://' in it, as a URL has. {instead}"
        )


def parse_url(value: object, name: str) -> dict[str, object]:
    """Read ``smtps://user:p%40ss@host:465?timeout=10``, ``console:``, ``file:///path``.

    :return: Options as text, with ``handler`` among them.
    :raises ConfigurationError: that does not show the URL, for it may hold a password.
    """
    from urllib.parse import parse_qsl
    from urllib.parse import unquote
    from urllib.parse import urlsplit

    found: dict[str, object] = {}
    # What a file or a shell gives may end a line. Within a URL, urlsplit would drop line ends.
    given = secret(value.strip() if isinstance(value, str) else value, name)
    try:
        url = urlsplit(given.reveal())
        # Of an unescaped '#', '/' or '?' in a password all that follows would be lost.
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
            f" the port from 1 to 65535. {_QUOTED}"
        ) from None
    handler = {"smtps": "smtp"}.get(url.scheme, url.scheme)
    if handler == "smtp":
        if not host or url.path.strip("/"):
            raise ConfigurationError(
                f"{name} needs a host, and after it nothing but a query. {_QUOTED}"
            )
        found = {"host": host, "port": port, "security": "tls" if url.scheme == "smtps" else None}
        found |= {"username": user, "password": password}
    elif handler == "file":
        found = {"folder": unquote(url.path) or None}
    elif url.netloc or url.path:
        raise ConfigurationError(
            f"{name} begins with '{handler}:', behind which only options can stand, as in"
            f" '{handler}:?option=value'. A server is written 'smtps://user:password@host' or"
            " 'smtp://host:587', a folder 'file:///path'."
        )
    found = {key: item for key, item in found.items() if item is not None}
    return {"handler": handler, **found, **dict(query)}
