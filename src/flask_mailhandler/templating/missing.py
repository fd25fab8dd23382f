"""What a rendered message must have: a subject, and content to read or to see."""

from __future__ import annotations

import re

from ..errors import MessageError
from ..plaintext import plaintext
from ..plaintext.markup import events
from ..plaintext.markup import Start

# A usual element with text in it. Looking for one is quick; making the text takes longer.
_TEXT = re.compile(r"<(?:p|h[1-3]|li|td|a)(?:\s[^<>]*)?>\s*[^\s<&]", re.I)
_BODY = re.compile(r"<body[\s>]", re.I)
_SHOWN = frozenset({"img", "svg", "video", "object"})
# The place of the block "content" in our layout.
_EMPTY_SHEET = re.compile(r'<td class="sheet">\s*</td>')


def check_subject(subject: str, template: str, passed: bool) -> None:
    """Check that a message has a subject.

    :param passed: Whether the caller passed the subject, which may then be "".
    :raises MessageError: if it has none.
    """
    if not subject and not passed:
        raise MessageError(
            f"{template}: the mail has no subject. Write {{% block subject %}}Welcome{{% endblock"
            ' %}, or pass subject=. For a mail without a subject, pass subject="".'
        )


def check_body(html: str, text: str, template: str) -> None:
    """Check that there is something to read in a message.

    :param text: The text of the templates, "" if it will be made from the HTML.
    :raises MessageError: if there is nothing in it.
    """
    if html.strip():
        if _EMPTY_SHEET.search(html):
            raise MessageError(
                f"{template}: the layout has no content. Write {{% block content %}} ..."
                " {% endblock %}."
            )
        if not _shows_something(html):
            raise MessageError(
                f"{template}: the HTML shows no text and no image. Write some, or leave out the"
                " HTML."
            )
    elif not text.strip():
        raise MessageError(f"{template}: the mail is empty. Write its text.")


def _shows_something(html: str) -> bool:
    body = _BODY.search(html)
    found = _TEXT.search(html, body.start() if body else 0)
    if found and "none" not in found[0]:
        return True
    if plaintext(html).strip():
        return True
    return any(isinstance(event, Start) and event.tag in _SHOWN for event in events(html))
