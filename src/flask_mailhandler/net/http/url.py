"""A URL that a request can be sent to."""

from __future__ import annotations

import re
import urllib.parse

from ..hosts import is_loopback


def split(url: str) -> urllib.parse.SplitResult:
    """Parse a URL to which a request can be sent.

    :raises ValueError: if it has no host, or has a user name, a fragment, or characters that a URL
        cannot have. The URL is not in the error, because it may hold a secret.
    """
    wrong = ValueError("not a URL that a request can be sent to")
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        host.encode("idna")  # as connecting does
        usable = bool(host) and parts.port != 0
    except ValueError:
        raise wrong from None
    if not usable or not re.fullmatch("[!-~]+", url) or re.search("[@#]", url):
        raise wrong
    return parts


def is_private(url: urllib.parse.SplitResult) -> bool:
    """Return whether a secret may be sent there: by ``https``, or within this machine."""
    return url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or ""))
