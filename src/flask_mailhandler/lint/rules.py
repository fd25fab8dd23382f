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
from .contrast import contrast
from .examined import Examined
from .rule import Found
from .rule import Rule
from .rule import Where
from .translation import translation
from .unsubscribe import one_click
from .unsubscribe import syntax

CLIPPED = 102 * 1024
"""The octets of HTML that Gmail shows."""

# With limits, so that a million braces are read once.
_BRACES = re.compile(r"\{\{[^{}]{0,60}(?:\}\})?|\{%[^{}]{0,60}\}?|\{[A-Za-z_][\w.]{0,60}\}")


def _subject(message: Examined) -> Iterator[Found]:
    if not any(value.strip() for value in message.values("subject")):
        yield Found("header", "There is no subject.")


def _text_part(message: Examined) -> Iterator[Found]:
    if not message.text.strip():
        yield Found(
            "text",
            "There is no text next to the HTML." if message.html else "The message is empty.",
        )


def _braces(message: Examined) -> Iterator[Found]:
    inside = [value for tag in message.tags for value in tag.attributes.values()]
    yield from _unfilled("header", message.values("subject"), message.placeholders)
    in_html = [*_unfilled("html", [message.words, *inside], message.placeholders)]
    yield from in_html
    # The text is usually made from the HTML, or has the same variables.
    told = {found.text for found in in_html}
    for found in _unfilled("text", [message.text], message.placeholders):
        if found.text not in told:
            yield found


def _unfilled(where: Where, texts: list[str], placeholders: tuple[str, ...]) -> Iterator[Found]:
    for text in texts:
        for found in _BRACES.findall(text):
            if not found.startswith(placeholders):
                yield Found(where, f"{shorten(found)} was not filled in.")


def _size(message: Examined) -> Iterator[Found]:
    if message.size > CLIPPED:
        yield Found("html", f"The HTML has {message.size:,} octets; Gmail shows {CLIPPED:,}.")


def _alt(message: Examined) -> Iterator[Found]:
    for tag in message.tags:
        if tag.tag == "img" and "alt" not in tag.attributes:
            source = shorten(tag.attributes.get("src", ""))
            yield Found("html", f"The image {source} has no alt attribute.")


def _link(message: Examined) -> Iterator[Found]:
    for link in message.links:
        name, url = shorten(link.text or link.url), shorten(link.url)
        match why_dead(link.url, placeholders=message.placeholders):
            case "empty":
                yield Found("html", f"The link {name} leads nowhere.")
            case "relative" if not _BRACES.search(link.url):
                yield Found("html", f"The link {name} leads to the relative URL {url}.")
            case "no place":
                yield Found(
                    "html", f"The link {name} leads to {url}, which works only in a browser."
                )


def _image(message: Examined) -> Iterator[Found]:
    for url in filter(None, map(_image_url, message.tags)):
        why = why_dead(url, image=True, placeholders=message.placeholders)
        kind, _, rest = url.strip().partition(":")
        if why == "empty":
            yield Found("html", "An image has no src.")
        elif why and not _BRACES.search(url):
            yield Found("html", f"The image {shorten(url)} has no https: or cid: URL.")
        elif kind.lower() == "data":
            yield Found("html", f"The image {shorten(url, 30)} is embedded as a data: URL.")
        elif kind.lower() == "cid" and not {rest, unquote(rest)} & message.cids:
            yield Found("html", f"The image {shorten(url)} is not attached to the message.")


def _image_url(tag: Start) -> str | None:
    """Return the URL of the image of a tag; " " if it is missing, None if none is needed."""
    if tag.tag == "img":
        return tag.attributes.get("src") or " "
    return tag.attributes.get("background") or None


def _invisible(message: Examined) -> Iterator[Found]:
    for name, value in message.fields:
        for position in itertools.islice(invisible_in_line(value), 1):
            shown = f"{value[position]!a} at position {position}"
            yield Found("header", f"{name} has the invisible character {shown}: {shorten(value)}.")


def _style_sheet(message: Examined) -> Iterator[Found]:
    for tag in message.tags:
        if tag.tag == "link" and "stylesheet" in tag.attributes.get("rel", "").lower().split():
            sheet = shorten(tag.attributes.get("href", ""))
            yield Found("html", f"The style sheet {sheet} is an external file.")


def _file_name(message: Examined) -> Iterator[Found]:
    for kind in message.nameless:
        yield Found("header", f"An attachment of type {kind} has no file name.")


RULES = (
    Rule(
        "subject",
        "warning",
        "Readers decide by the subject, and many filters treat a message without one as spam.",
        "https://www.rfc-editor.org/rfc/rfc5322#section-3.6.5",
        _subject,
    ),
    Rule(
        "text-part",
        "warning",
        "A reader without HTML, such as a watch or a screen reader, shows nothing, and filters"
        " distrust HTML without text.",
        "https://www.rfc-editor.org/rfc/rfc2046#section-5.1.4",
        _text_part,
    ),
    Rule(
        "link",
        "error",
        "A message has no URL of its own, so a relative link leads nowhere. Mail clients do not"
        " run scripts.",
        "https://www.rfc-editor.org/rfc/rfc3986#section-5.1",
        _link,
    ),
    Rule(
        "image",
        "error",
        "An image needs a full https: URL, or the cid: of an attached image. Gmail and Outlook do"
        " not show data: images.",
        "https://www.caniemail.com/features/image-base64/",
        _image,
    ),
    Rule(
        "alt",
        "warning",
        "Most mail clients show the alt text until images are allowed, and screen readers read it."
        ' Write alt="" if an image is only decoration.',
        "https://www.w3.org/WAI/tutorials/images/",
        _alt,
    ),
    Rule(
        "style-sheet",
        "warning",
        "Mail clients do not load style sheets. Write the CSS in <style>.",
        "https://www.caniemail.com/features/html-link/",
        _style_sheet,
    ),
    Rule(
        "file-name",
        "warning",
        "Mail clients give a file without a name their own name, without the extension that says"
        " which program opens it.",
        "https://www.rfc-editor.org/rfc/rfc2183#section-2.3",
        _file_name,
    ),
    Rule(
        "size",
        "warning",
        "Gmail cuts HTML off after 102 kB, including the unsubscribe link at its end.",
        "https://mailchimp.com/help/gmail-is-clipping-my-email/",
        _size,
    ),
    Rule(
        "braces",
        "error",
        "Text in braces is usually a variable that the template did not fill in.",
        "https://jinja.palletsprojects.com/en/stable/templates/#variables",
        _braces,
    ),
    Rule(
        "contrast",
        "warning",
        "Many readers cannot tell such words from their background, least of all in the sun.",
        "https://www.w3.org/TR/WCAG22/#contrast-minimum",
        contrast,
    ),
    Rule(
        "translation",
        "warning",
        "The reader chose another language. Usually a template in that language or a translated"
        " text is missing.",
        "https://python-babel.github.io/flask-babel/#translating-applications",
        translation,
    ),
    Rule(
        "invisible",
        "warning",
        "Such a character comes with text copied from a page or a chat. Filters treat it as an"
        " attempt to evade them, and a search for the text fails.",
        "https://www.unicode.org/reports/tr36/",
        _invisible,
    ),
    Rule(
        "unsubscribe",
        "error",
        "A mail client that cannot read List-Unsubscribe shows no unsubscribe button, and readers"
        " without a button report spam.",
        "https://www.rfc-editor.org/rfc/rfc8058#section-3.1",
        syntax,
    ),
    Rule(
        "one-click",
        "warning",
        "Gmail and Yahoo require that one click unsubscribes a reader from bulk mail.",
        "https://support.google.com/a/answer/81126",
        one_click,
    ),
)
"""All rules, in the order of their findings."""
