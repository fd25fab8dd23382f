"""A handler and its options in one URL: ``MAIL_URL``.

The URL is only split here. The handler's class, which its scheme names, says what the parts mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import ConfigurationError
from ..frozen import Frozen
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


class URL(Frozen):
    """The parts of a URL, unescaped. What they mean is up to the handler; see
    :meth:`.EmailHandler.options_of_url`."""

    setting: str
    """The key that holds the URL, for errors."""
    scheme: str
    username: str | None
    password: str | None
    host: str | None
    port: int | None
    path: str
    query: Mapping[str, str]
    """Further options."""

    def __repr__(self) -> str:  # any other part may be a secret
        return f"<URL {self.scheme}: of {self.setting}>"


def split_url(value: object, name: str) -> URL:
    """Split ``smtps://user:p%40ss@host:465?timeout=10``, ``console:``, ``file:///path``.

    :param name: The key that holds it.
    :raises ConfigurationError: without the URL in its text, because it may hold a password.
    """
    from urllib.parse import parse_qsl
    from urllib.parse import unquote
    from urllib.parse import urlsplit

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
    return URL(name, url.scheme, user, password, host, port, unquote(url.path), dict(query))


def needs_host(url: URL) -> dict[str, object]:
    """Return the host, port and login of a URL, as options.

    :raises ConfigurationError: if it has no host, or a path.
    """
    if not url.host or url.path.strip("/"):
        raise ConfigurationError(
            f"{url.setting} needs a host, and only a query may follow it. {_QUOTED}"
        )
    login: dict[str, object] = {"username": url.username, "password": url.password}
    return {"host": url.host, "port": url.port, **login}


def only_options(url: URL) -> dict[str, object]:
    """Return nothing: a URL that has a query alone.

    :raises ConfigurationError: if it has more.
    """
    parts = (url.username, url.password, url.host, url.port)
    if url.path or any(part is not None for part in parts):
        raise ConfigurationError(
            f"{url.setting} begins with '{url.scheme}:', which only options can follow, as in"
            f" '{url.scheme}:?option=value'. For a server, write 'smtps://user:password@host' or"
            " 'smtp://host:587', for a folder 'file:///path'."
        )
    return {}
