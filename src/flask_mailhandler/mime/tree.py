"""The tree of a message's parts."""

from __future__ import annotations

import functools
import typing as t
from collections.abc import Callable
from collections.abc import Iterator

from .header_block import header_block
from .part import Boundaries
from .part import multipart
from .part import Part
from .transfer import encode_text

if t.TYPE_CHECKING:
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
    return _with_attachments()(message)


@functools.cache  # the import takes 1 µs each time
def _with_attachments() -> Callable[[Message], Part]:
    from .mixed import mixed  # many processes send no attachment

    return mixed


def _text_and_html(message: Message) -> Part:
    forms = texts(message)
    if len(forms) == 1:
        return forms[0]
    return multipart("alternative", forms, Boundaries(seed(message)))


def seed(message: Message) -> bytes:
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


def texts(message: Message) -> list[Part]:
    if not message.html:
        return [_text_part(message.text, "plain")]
    html = _text_part(message.html, "html")
    text = message.text or _made_of(message.html)
    return [_text_part(text, "plain"), html] if text else [html]


def _made_of(html: str) -> str:
    from ..plaintext import plaintext  # only where there is HTML and no text

    return plaintext(html)
