"""A message's HTML for a frame of its own.

The frame's headers allow no script, no request and no form, whatever is written, so little is taken
out of it: only elements for which a browser connects to their server before it asks the policy.
Else it is changed to be seen as in a mail client: the images that are in the message, the colour
scheme that was chosen, links that open a new tab.
"""

from __future__ import annotations

import base64
import re
import typing as t
import urllib.parse

from .displayed import DisplayedMessage

Scheme: t.TypeAlias = t.Literal["light", "dark"]

MAX_IMAGES = 8 << 20
"""The octets of all images that are put into the HTML."""

_CID = re.compile(r"""(?<=["'(=\s])cid:([^"'()\s<>]{1,300})""", re.IGNORECASE)
_IMAGE = re.compile(r"image/[a-z0-9.+-]{1,60}\Z")
_ASKED = re.compile(r"prefers-color-scheme\s*:\s*(light|dark)", re.IGNORECASE)
_DECLARED = re.compile(
    r"(?<!prefers-)\b(color-scheme\s*:)[^;}\"']{0,60}\bdark\b[^;}\"']{0,60}", re.I
)
# Without "<", so that no character is looked at for two tags.
_META = re.compile(r"<meta\b([^<>]{0,400})", re.IGNORECASE)
_SCHEMES = re.compile(r"\b(?:color-schemes?|dark)\b", re.IGNORECASE)
_HEAD = 1 << 16
"""The characters in which a ``<meta>`` is looked for."""
_REMOTE = re.compile(
    r"""(?:\b(?:src|srcset|background|poster)\s*=\s*["']?|url\(\s*["']?)(?:https?:)?//""",
    re.IGNORECASE,
)
_CONNECTS = re.compile("<(link|i?frame|frameset|object|embed)", re.IGNORECASE)
# What stands before the document would make an old page of it.
_DOCTYPE = re.compile(r"\s*(?:<!doctype[^>]{0,400}>)?", re.IGNORECASE)


def framed(message: DisplayedMessage, scheme: Scheme, head: str = "") -> str:
    """Return the document of the frame.

    :param scheme: What ``prefers-color-scheme`` is to be, whatever the reader's own is.
    :param head: What stands before all of the message's.
    """
    html = _with_images(_CONNECTS.sub(r"<no-\1", message.html), message)
    # What is always true, and what never is.
    html = _ASKED.sub(
        lambda asked: "min-width:0" if asked[1].lower() == scheme else "max-width:0", html
    )
    # A message that says nothing of dark is shown on white, as mail clients do.
    follows = _declares_dark(html)
    html = _DECLARED.sub(rf"\1 {scheme}", html)
    doctype = _DOCTYPE.match(html)
    start = doctype.end() if doctype else 0
    colours = f'<meta name="color-scheme" content="{scheme if follows else "light"}">'
    return f'{html[:start] or "<!doctype html>"}{head}<base target="_blank">{colours}{html[start:]}'


def has_dark(html: str) -> bool:
    """Whether it has colours of its own for dark clients."""
    return _ASKED.search(html) is not None or _declares_dark(html)


def has_remote(html: str) -> bool:
    """Whether it would fetch images from elsewhere, if it were let."""
    return _REMOTE.search(html) is not None


def _declares_dark(html: str) -> bool:
    """Whether it has said that it can be dark, in a ``<meta>`` or in its style."""
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
