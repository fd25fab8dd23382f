"""The rules, each with its reason."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from urllib.parse import unquote

from ..mime.links import why_dead
from ..plaintext.markup import Start
from ..text.checks import shorten
from ..text.invisible import invisible_in_line
from .examined import Examined
from .rule import Found
from .rule import Rule
from .rule import Where
from .unsubscribe import one_click
from .unsubscribe import syntax

CLIPPED = 102 * 1024
"""The octets of HTML that Gmail shows."""

# Bounded, so that a million braces are read once.
_BRACES = re.compile(r"\{\{[^{}]{0,60}(?:\}\})?|\{%[^{}]{0,60}\}?|\{[A-Za-z_][\w.]{0,60}\}")


def _subject(mail: Examined) -> Iterator[Found]:
    if not any(value.strip() for value in mail.values("subject")):
        yield Found("header", "There is no subject.")


def _text_part(mail: Examined) -> Iterator[Found]:
    if not mail.text.strip():
        yield Found("text", "There is no text beside the HTML." if mail.html else "It is empty.")


def _braces(mail: Examined) -> Iterator[Found]:
    inside = [value for tag in mail.tags for value in tag.attributes.values()]
    yield from _unfilled("header", mail.values("subject"), mail.placeholders)
    in_html = [*_unfilled("html", [mail.words, *inside], mail.placeholders)]
    yield from in_html
    # The text is most often made from the HTML, or of the same variables.
    told = {found.text for found in in_html}
    for found in _unfilled("text", [mail.text], mail.placeholders):
        if found.text not in told:
            yield found


def _unfilled(where: Where, texts: list[str], placeholders: tuple[str, ...]) -> Iterator[Found]:
    for text in texts:
        for found in _BRACES.findall(text):
            if not found.startswith(placeholders):
                yield Found(where, f"{shorten(found)} was not filled in.")


def _size(mail: Examined) -> Iterator[Found]:
    if mail.size > CLIPPED:
        yield Found("html", f"It has {mail.size:,} octets; Gmail shows {CLIPPED:,}.")


def _alt(mail: Examined) -> Iterator[Found]:
    for tag in mail.tags:
        if tag.tag == "img" and "alt" not in tag.attributes:
            source = shorten(tag.attributes.get("src", ""))
            yield Found("html", f"The image {source} has no alt.")


def _link(mail: Examined) -> Iterator[Found]:
    for link in mail.links:
        name, url = shorten(link.text or link.url), shorten(link.url)
        match why_dead(link.url, placeholders=mail.placeholders):
            case "empty":
                yield Found("html", f"The link {name} leads nowhere.")
            case "relative" if not _BRACES.search(link.url):
                yield Found("html", f"The link {name} leads to {url}, which is relative.")
            case "no place":
                yield Found("html", f"The link {name} leads to {url}, which is no place.")


def _image(mail: Examined) -> Iterator[Found]:
    for url in filter(None, map(_image_url, mail.tags)):
        why = why_dead(url, image=True, placeholders=mail.placeholders)
        kind, _, rest = url.strip().partition(":")
        if why == "empty":
            yield Found("html", "An image has no src.")
        elif why and not _BRACES.search(url):
            yield Found("html", f"The image {shorten(url)} is at no address.")
        elif kind.lower() == "data":
            yield Found("html", f"The image {shorten(url, 30)} is in the HTML itself.")
        elif kind.lower() == "cid" and not {rest, unquote(rest)} & mail.cids:
            yield Found("html", f"The image {shorten(url)} is not in the mail.")


def _image_url(tag: Start) -> str | None:
    """Where the image of a tag is; " " if it should have one, None if it need not."""
    if tag.tag == "img":
        return tag.attributes.get("src") or " "
    return tag.attributes.get("background") or None


def _invisible(mail: Examined) -> Iterator[Found]:
    for name, value in mail.fields:
        for position in itertools.islice(invisible_in_line(value), 1):
            shown = f"{value[position]!a} at position {position}"
            yield Found("header", f"{name} has the invisible character {shown}: {shorten(value)}.")


def _style_sheet(mail: Examined) -> Iterator[Found]:
    for tag in mail.tags:
        if tag.tag == "link" and "stylesheet" in tag.attributes.get("rel", "").lower().split():
            sheet = shorten(tag.attributes.get("href", ""))
            yield Found("html", f"The style sheet {sheet} is in another file.")


def _file_name(mail: Examined) -> Iterator[Found]:
    for kind in mail.nameless:
        yield Found("header", f"An attachment of type {kind} has no file name.")


RULES = (
    Rule(
        "subject",
        "warning",
        "Readers choose by the subject, and many filters count a mail without one as spam.",
        "https://www.rfc-editor.org/rfc/rfc5322#section-3.6.5",
        _subject,
    ),
    Rule(
        "text-part",
        "warning",
        "Who reads without HTML, on a watch or by a screen reader, sees nothing; filters distrust"
        " HTML that comes alone.",
        "https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4",
        _text_part,
    ),
    Rule(
        "link",
        "error",
        "A mail has no address of its own, so what is relative leads nowhere; and no reader runs"
        " what is no address.",
        "https://www.rfc-editor.org/rfc/rfc3986#section-5.1",
        _link,
    ),
    Rule(
        "image",
        "error",
        "An image is found at a whole https: address, or in the mail by its cid:. Gmail and Outlook"
        " do not show data: images.",
        "https://www.caniemail.com/features/image-base64/",
        _image,
    ),
    Rule(
        "alt",
        "warning",
        "Most readers show the alt until images are allowed, and a screen reader reads it. Write"
        ' alt="" where an image is only decoration.',
        "https://www.w3.org/WAI/tutorials/images/",
        _alt,
    ),
    Rule(
        "style-sheet",
        "warning",
        "Mail clients do not load style sheets. Write the CSS into <style>.",
        "https://www.caniemail.com/features/html-link/",
        _style_sheet,
    ),
    Rule(
        "file-name",
        "warning",
        "Readers show a file without a name under a name of their own, without an ending that says"
        " with what to open it.",
        "https://www.rfc-editor.org/rfc/rfc2183#section-2.3",
        _file_name,
    ),
    Rule(
        "size",
        "warning",
        "Gmail cuts HTML off after 102 kB, and with it the link to unsubscribe.",
        "https://mailchimp.com/help/gmail-is-clipping-my-email/",
        _size,
    ),
    Rule(
        "braces",
        "error",
        "What stands in braces is most often a variable that the template did not fill in.",
        "https://jinja.palletsprojects.com/en/stable/templates/#variables",
        _braces,
    ),
    Rule(
        "invisible",
        "warning",
        "It came along with what was copied from a page or a chat. Filters take it for a way around"
        " them, and what is searched for is not found.",
        "https://www.unicode.org/reports/tr36/",
        _invisible,
    ),
    Rule(
        "unsubscribe",
        "error",
        "A reader that does not understand List-Unsubscribe shows no button, and who finds none"
        " reports spam.",
        "https://www.rfc-editor.org/rfc/rfc8058#section-3.1",
        syntax,
    ),
    Rule(
        "one-click",
        "warning",
        "Gmail and Yahoo want that a mail to many can be unsubscribed from with one click.",
        "https://support.google.com/a/answer/81126",
        one_click,
    ),
)
"""All rules, in the order of their findings."""
