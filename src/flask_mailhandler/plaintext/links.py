"""A link in text: ``text (url)``."""

from __future__ import annotations

import re

from .space import squeeze

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SCHEME = re.compile(r"(?:https?://|mailto:)")
_PHONE = re.compile(r"[-\d\s().+/]+")


def shown(href: str) -> str:
    """Return the URL as a reader needs it, without white space; "" if it does not work in a
    message."""
    href = "%20".join(_CONTROL.sub("", href).split())
    scheme, _, rest = href.partition(":")
    match scheme.lower():
        case "mailto":
            return rest.partition("?")[0]
        case "tel" | "sms" | "callto":
            return rest
        case "javascript" | "vbscript" | "data" | "cid" | "about":
            return ""
    return "" if href.startswith("#") else href


def cite(text: str, url: str) -> str:
    """Return the text of a link with its URL, or only one of them if they are the same."""
    if _PHONE.fullmatch(text) and _PHONE.fullmatch(url) and _digits(text) == _digits(url):
        return text
    return url if _bare(text) == _bare(url) else f"{text} ({url})"


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def _bare(url: str) -> str:
    return _SCHEME.sub("", squeeze(url).casefold()).removesuffix("/")
