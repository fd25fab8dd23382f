"""The images that the HTML of a message shows by their Content-IDs (RFC 2392)."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from html import unescape
from urllib.parse import unquote

from ..attachment import Attachment
from ..errors import MessageError
from ..plaintext.markup import attributes
from ..plaintext.markup import events
from ..plaintext.markup import markup
from ..plaintext.markup import Start
from ..plaintext.markup import without

# Anything that begins like a cid: URL, in any place, up to the end of an attribute. To look for the
# attribute, too, takes 25 µs in 2 kB of HTML, and this 3 µs.
_LIKE_ONE = re.compile(r"""[Cc][Ii][Dd]:([^"'\s>]+)""")
_URL = re.compile(r"\s*cid:(\S+)", re.I)
_SHOWING = ("src", "background")


def check_shown(html: str, images: Iterable[Attachment]) -> None:
    """Check that each image that the HTML shows by its ``cid:`` is attached.

    :raises MessageError: naming the first that is not.
    """
    for cid in missing_images(html, images):
        raise MessageError(
            f"html shows 'cid:{cid}', but no attachment has it: pass the image in"
            " inline_attachments=, and write cid:{attachment.cid}."
        )


def missing_images(html: str, images: Iterable[Attachment]) -> Iterator[str]:
    """Yield the ``cid:`` of each image that the HTML shows and that is not attached."""
    known = {image.cid for image in images}
    # Reading all tags is slow, and in most messages every match is attached.
    if not all(_is_known(cid, known) for cid in _LIKE_ONE.findall(html)):
        yield from (cid for cid in _in_tags(html) if not _is_known(cid, known))


def _is_known(cid: str, known: Collection[str]) -> bool:
    """Look up the id as it is, and as a URL in HTML encodes it: many writers do not encode it."""
    return cid in known or unquote(unescape(cid)) in known


def _in_tags(html: str) -> Iterator[str]:
    """Yield the ids in attributes that show an image, not those in text or comments."""
    for event in events(html):
        if isinstance(event, Start):
            yield from _shown_by(event.attributes).values()


def _shown_by(given: Mapping[str, str]) -> dict[str, str]:
    """Return the attributes of a tag that show an image by its id, with the id."""
    found = {name: _URL.match(given.get(name, "")) for name in _SHOWING}
    return {name: match[1] for name, match in found.items() if match}


def without_images(html: str, cids: Collection[str]) -> str:
    """Return HTML in which no tag shows an image with one of these ids. The text stays."""
    pieces, position = [], 0
    for tag in markup(html):
        if tag["whole"] and not tag["end"]:
            start, end = tag.span("attributes")
            rest = tag["attributes"]
            for name, cid in _shown_by(attributes(rest)).items():
                rest = without(name, rest) if cid in cids else rest
            pieces += [html[position:start], rest]
            position = end
    return "".join([*pieces, html[position:]])
