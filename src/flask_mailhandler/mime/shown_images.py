"""Images that the HTML of a message shows by their Content-IDs (RFC 2392)."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

from ..attachment import Attachment
from ..errors import MessageError
from ..plaintext.markup import events
from ..plaintext.markup import Start

# What looks like one, wherever it stands.
_LIKE_ONE = re.compile(r"""(?:src|background)\s*=\s*["']?cid:([^"'\s>]+)""", re.I)
_URL = re.compile(r"\s*cid:(\S+)", re.I)


def check_shown(html: str, images: Iterable[Attachment]) -> None:
    """Check that each image which the HTML shows by its ``cid:`` is there.

    :raises MessageError: naming the first that is not.
    """
    known = {image.cid for image in images}
    # To read all tags takes long, and most often everything that looks like an image is there.
    if all(_is_known(cid, known) for cid in _LIKE_ONE.findall(html)):
        return
    for cid in _in_tags(html):
        if not _is_known(cid, known):
            raise MessageError(
                f"html shows 'cid:{cid}', and no attachment has it: give it in"
                " inline_attachments=, and write cid:{attachment.cid}."
            )


def _is_known(cid: str, known: Collection[str]) -> bool:
    """A URL is percent-encoded, and in an attribute of HTML; many write the id as it is."""
    return cid in known or unquote(unescape(cid)) in known


def _in_tags(html: str) -> Iterator[str]:
    """What is shown: not what stands in the text, in a comment or in another attribute."""
    for event in events(html):
        if isinstance(event, Start):
            for name in ("src", "background"):
                if found := _URL.match(event.attributes.get(name, "")):
                    yield found[1]
