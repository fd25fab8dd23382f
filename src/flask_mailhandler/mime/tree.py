"""The tree of a message's parts."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Iterable
from collections.abc import Iterator

from .header_block import header_block
from .part import Boundaries
from .part import multipart
from .part import Part
from .transfer import encode_text

if t.TYPE_CHECKING:
    from ..attachment import Attachment
    from ..message.message import Message


def tree(message: Message) -> Part:
    """Build the parts of a message. Empty parts are left out, and a multipart with a single part
    is replaced by that part::

        multipart/mixed
        ├── multipart/alternative           the same text in several forms, simplest first
        │   ├── text/plain                  the text, or one made from the HTML
        │   ├── text/x-amp-html             alternatives that few readers support
        │   ├── multipart/related           the HTML and its images
        │   │   ├── text/html
        │   │   └── image/png               inline_attachments
        │   └── text/calendar               other alternatives, calendars last
        └── application/pdf                 attachments
    """
    if not (message.attachments or message.inline_attachments or message.alternatives):
        return _text_and_html(message)
    from .leaf import are_small  # many processes send no attachment
    from .leaf import attachment_part

    images, files = message.inline_attachments, message.attachments
    others = sorted(message.alternatives, key=rank)
    write = functools.partial(
        attachment_part, cids=set(), at_once=are_small((*images, *files, *others))
    )
    shown = [write(item, "inline") for item in images]
    attached = [write(item, "attachment") for item in files]
    before = [write(item, None) for item in others if rank(item) < HTML]
    after = [write(item, None) for item in others if rank(item) > HTML]
    boundaries = Boundaries(_seed(message), [*_verbatim([*shown, *attached, *before, *after])])
    texts = _texts(message) if message.text or message.html or not others else []
    forms = [*texts, *before]
    if message.html:
        # https://www.rfc-editor.org/rfc/rfc2387#section-3.1: the type is that of the first part
        related = multipart("related", [texts[-1], *shown], boundaries, 'type="text/html"')
        forms = [*texts[:-1], *before, related]
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
    from ..text.mimetype import parse_mimetype  # loaded with the attachment

    maintype, subtype, _ = parse_mimetype(alternative.mimetype)
    kind = f"{maintype}/{subtype}"
    if kind in _BEFORE_HTML:
        return HTML - 1
    return HTML + 2 if kind == "text/calendar" else HTML + 1


def _text_and_html(message: Message) -> Part:
    forms = _texts(message)
    if len(forms) == 1:
        return forms[0]
    return multipart("alternative", forms, Boundaries(_seed(message)))


def _seed(message: Message) -> bytes:
    return (message.message_id or "").encode()


def _text_prototypes() -> Iterator[tuple[tuple[str, str, str], Part]]:
    for subtype in ("plain", "html"):
        for charset in ("us-ascii", "utf-8"):
            for encoding in ("7bit", "quoted-printable", "base64"):
                fields = (
                    f"Content-Type: text/{subtype}; charset={charset}",
                    f"Content-Transfer-Encoding: {encoding}",
                )
                yield (subtype, charset, encoding), Part(fields, (), header_block(fields))


# All headers that a text can have.
_TEXTS = dict(_text_prototypes())


def _text_part(text: str, subtype: str) -> Part:
    """Write the text, or the HTML, of a message."""
    encoding, body = encode_text(text)
    charset = "us-ascii" if text.isascii() else "utf-8"
    fields, _, block = _TEXTS[subtype, charset, encoding]
    return Part(fields, (body,), block)


def _texts(message: Message) -> list[Part]:
    if not message.html:
        return [_text_part(message.text, "plain")]
    html = _text_part(message.html, "html")
    text = message.text or _made_of(message.html)
    return [_text_part(text, "plain"), html] if text else [html]


def _made_of(html: str) -> str:
    from ..plaintext import plaintext  # only where there is HTML and no text

    return plaintext(html)


def _verbatim(parts: Iterable[Part]) -> Iterator[bytes]:
    """Yield the bodies of attached messages. They have no encoding that could hide a delimiter."""
    for part in parts:
        if part.fields[0].startswith("Content-Type: message/"):
            yield b"".join(octets for octets in part.body if isinstance(octets, bytes))
