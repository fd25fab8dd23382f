"""The tree of a message with attachments. It is loaded with the first one."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from ..attachment import Attachment
from ..text.mimetype import parse_mimetype
from .leaf import are_small
from .leaf import attachment_part
from .part import Boundaries
from .part import multipart
from .part import Part
from .tree import seed
from .tree import texts

if t.TYPE_CHECKING:
    from ..message.message import Message


def mixed(message: Message) -> Part:
    """Build the parts of a message that has attachments, as :func:`.tree` shows them."""
    images, files = message.inline_attachments, message.attachments
    others = sorted(message.alternatives, key=rank)
    write = functools.partial(
        attachment_part, cids=set(), at_once=are_small((*images, *files, *others))
    )
    shown = [write(item, "inline") for item in images]
    attached = [write(item, "attachment") for item in files]
    before = [write(item, None) for item in others if rank(item) < HTML]
    after = [write(item, None) for item in others if rank(item) > HTML]
    boundaries = Boundaries(seed(message), [*_verbatim([*shown, *attached, *before, *after])])
    bodies = texts(message) if message.text or message.html or not others else []
    forms = [*bodies, *before]
    if message.html:
        # https://www.rfc-editor.org/rfc/rfc2387#section-3.1: the type is that of the first part
        related = multipart("related", [bodies[-1], *shown], boundaries, 'type="text/html"')
        forms = [*bodies[:-1], *before, related]
        shown = []
    body = multipart("alternative", [*forms, *after], boundaries)
    return multipart("mixed", [body, *shown, *attached], boundaries)


HTML = 1
# https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4: a reader shows the last form that it
# supports. Some readers choose a last form that they do not support, so these come before the HTML.
# Readers that support such a form find it in any place.
_BEFORE_HTML = frozenset(
    f"text/{name}" for name in ("x-amp-html", "watch-html", "enriched", "richtext", "markdown")
)


def rank(alternative: Attachment) -> int:
    """Return the place of an alternative: before the :data:`HTML`, after it, or last."""
    maintype, subtype, _ = parse_mimetype(alternative.mimetype)
    kind = f"{maintype}/{subtype}"
    if kind in _BEFORE_HTML:
        return HTML - 1
    return HTML + 2 if kind == "text/calendar" else HTML + 1


def _verbatim(parts: Iterable[Part]) -> Iterator[bytes]:
    """Yield the bodies of attached messages. They have no encoding that could hide a delimiter."""
    for part in parts:
        if part.fields[0].startswith("Content-Type: message/"):
            yield b"".join(octets for octets in part.body if isinstance(octets, bytes))
