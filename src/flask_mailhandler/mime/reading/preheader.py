"""The preheader: hidden text at the start of the HTML, which mail clients show in a list."""

from __future__ import annotations

import re

from ...plaintext.markup import events
from ...plaintext.markup import Start

_LONGEST = 1 << 16  # characters of HTML that are searched
_HIDDEN = re.compile(r"(?:^|;)(?:display:none|mso-hide:all|max-height:0|opacity:0)(?:px)?(?:;|!|$)")
_EMPTY = frozenset(("br", "img", "hr", "wbr", "meta", "link", "base"))
# Layouts put these after it, so that a client shows nothing else.
_FILLER = re.compile("[\u034f\u00ad\u200b-\u200d\u2007\u2060\ufeff]")


def preheader(html: str) -> str:
    """Return the preheader of a message's HTML in one line; "" if it starts with other text.

    .. code-block:: python

        preheader('<body><div style="display:none">One more click</div><h1>Welcome')
        # One more click
    """
    found: list[str] = []
    depth = 0
    for event in events(html[:_LONGEST]):
        if isinstance(event, str):
            words = " ".join(_FILLER.sub("", event).split())
            if words and not depth:
                break
            found.append(words)
        elif isinstance(event, Start):
            if depth:
                depth += event.tag not in _EMPTY
            elif event.tag == "img":
                break
            elif event.tag not in _EMPTY:
                depth += _is_hidden(event)
        elif depth:
            depth -= 1
            if not depth and any(found):
                break
    return " ".join(filter(None, found))


def _is_hidden(tag: Start) -> bool:
    style = "".join(tag.attributes.get("style", "").lower().split())
    return bool(_HIDDEN.search(style))
