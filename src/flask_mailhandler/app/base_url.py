"""Where the app is found by those who get its mail: ``MAIL_BASE_URL``."""

from __future__ import annotations

import typing as t

from .. import config
from ..errors import ConfigurationError


class BaseURL(t.NamedTuple):
    """``https://shop.example:8443/app`` in its parts."""

    scheme: str
    host: str
    """With its port, if there is one."""
    path: str
    """Where the app is mounted, ``/`` at least."""


def read_base_url(value: object, name: str) -> BaseURL:
    """Read ``https://shop.example``, with the path where the app is mounted, if it is at one.

    :param name: The key, for the error.
    :raises ConfigurationError: for anything else. The text does not show the value: there may be a
        password in it.
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
    # A domain is checked, and gets its ASCII form, as that of an address.
    return config.address(f"anybody@{host}", name).domain
