"""The HTML of a message as a document for a frame.

The headers of the frame forbid scripts, requests and forms, whatever the HTML contains. So only
elements are removed for which a browser connects to a server before it checks the policy. The other
changes show the HTML as a mail client does: with the images in the message, in the chosen colour
scheme, and with links that open a new tab.
"""

from __future__ import annotations

import base64
import re
import typing as t
import urllib.parse

from .displayed import DisplayedMessage

Scheme: t.TypeAlias = t.Literal["light", "dark"]

MAX_IMAGES = 8 << 20
"""How many octets of images are inserted into the HTML."""

_CID = re.compile(r"""(?<=["'(=\s])cid:([^"'()\s<>]{1,300})""", re.IGNORECASE)
_IMAGE = re.compile(r"image/[a-z0-9.+-]{1,60}\Z")
_ASKED = re.compile(r"prefers-color-scheme\s*:\s*(light|dark)", re.IGNORECASE)
_DECLARED = re.compile(
    r"(?<!prefers-)\b(color-scheme\s*:)[^;}\"']{0,60}\bdark\b[^;}\"']{0,60}", re.I
)
# Without "<", so that each character is only read for one tag.
_META = re.compile(r"<meta\b([^<>]{0,400})", re.IGNORECASE)
_SCHEMES = re.compile(r"\b(?:color-schemes?|dark)\b", re.IGNORECASE)
_HEAD = 1 << 16
"""How many characters are searched for a ``<meta>``."""
_REMOTE = re.compile(
    r"""(?:\b(?:src|srcset|background|poster)\s*=\s*["']?|url\(\s*["']?)(?:https?:)?//""",
    re.IGNORECASE,
)
_CONNECTS = re.compile("<(link|i?frame|frameset|object|embed)", re.IGNORECASE)
# Text before the document type would switch the browser to quirks mode.
_DOCTYPE = re.compile(r"\s*(?:<!doctype[^>]{0,400}>)?", re.IGNORECASE)


def framed(message: DisplayedMessage, scheme: Scheme, head: str = "") -> str:
    """Return the document for the frame.

    :param scheme: The value for ``prefers-color-scheme``, instead of the reader's own.
    :param head: HTML to insert before that of the message.
    """
    html = _with_images(_CONNECTS.sub(r"<no-\1", message.html), message)
    # A condition that is always true, or one that is never true.
    html = _ASKED.sub(
        lambda asked: "min-width:0" if asked[1].lower() == scheme else "max-width:0", html
    )
    # A message without dark colours is shown on white, as in mail clients.
    follows = _declares_dark(html)
    html = _DECLARED.sub(rf"\1 {scheme}", html)
    doctype = _DOCTYPE.match(html)
    start = doctype.end() if doctype else 0
    colours = f'<meta name="color-scheme" content="{scheme if follows else "light"}">'
    return f'{html[:start] or "<!doctype html>"}{head}<base target="_blank">{colours}{html[start:]}'


def has_dark(html: str) -> bool:
    """Whether the HTML has its own colours for dark mode."""
    return _ASKED.search(html) is not None or _declares_dark(html)


def has_remote(html: str) -> bool:
    """Whether the HTML refers to remote images."""
    return _REMOTE.search(html) is not None


def _declares_dark(html: str) -> bool:
    """Whether a ``<meta>`` or the style declares support for dark mode."""
    for meta in _META.finditer(html[:_HEAD]):
        words = {word.lower() for word in _SCHEMES.findall(meta[1])}
        if len(words) > 1 and "dark" in words:
            return True
    return _DECLARED.search(html) is not None


def _with_images(html: str, message: DisplayedMessage) -> str:
    images, left = message.images(), MAX_IMAGES

    def image(found: re.Match[str]) -> str:
        nonlocal left
        leaf = images.get(urllib.parse.unquote(found[1]))
        if leaf is None or not _IMAGE.match(leaf.kind) or len(leaf.data) > left:
            return found[0]
        left -= len(leaf.data)
        return f"data:{leaf.kind};base64,{base64.b64encode(leaf.data).decode()}"

    return _CID.sub(image, html) if images else html
