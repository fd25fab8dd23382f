"""The URL under which recipients of mail reach the app: ``MAIL_BASE_URL``."""

from __future__ import annotations

import typing as t

from .. import config
from ..errors import ConfigurationError


class BaseURL(t.NamedTuple):
    """``https://shop.example:8443/app`` split into its parts."""

    scheme: str
    host: str
    """With its port, if it has one."""
    path: str
    """The path that the app is mounted at; at least ``/``."""

    @property
    def url(self) -> str:
        """The URL as a text."""
        return f"{self.scheme}://{self.host}{self.path}"


def read_base_url(value: object, name: str) -> BaseURL:
    """Read ``https://shop.example``, with a path if the app is mounted at one.

    :param name: The key, for the error.
    :raises ConfigurationError: for any other value. The text does not show the value, because it
        may contain a password.
    """
    from urllib.parse import quote
    from urllib.parse import urlsplit

    text = config.text(value, name).strip()
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
        if url.scheme not in ("http", "https") or not host or set(text) & set("?#@\\ "):
            raise ValueError
        shown = _host(host, name)
    except ValueError:
        raise ConfigurationError(
            f"{name} must be like 'https://shop.example' or 'https://shop.example/app', without a"
            " user name and without '?' and '#'."
        ) from None
    path = quote(url.path.rstrip("/"), safe="/%:@!$&'()*+,;=~")
    return BaseURL(url.scheme, shown if port is None else f"{shown}:{port}", f"{path}/")


def _host(host: str, name: str) -> str:
    if ":" in host:
        from ipaddress import IPv6Address

        return f"[{IPv6Address(host)}]"
    # The domain is checked and converted to ASCII like the one of an address.
    return config.address(f"anybody@{host}", name).domain
