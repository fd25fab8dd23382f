"""Content-IDs: each names one part of a message (RFC 2045 section 7, RFC 2392)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .attachment import Attachment
from .errors import MessageError

# A cid: URL is percent-encoded, and in an attribute of HTML; many write the id as it is.
_SHOWN = re.compile(r"""(?:src|background)\s*=\s*["']?cid:([^"'\s>]+)""", re.I)


def check_shown(html: str, images: Iterable[Attachment]) -> None:
    """Check that each image which the HTML shows by its ``cid:`` is there.

    :raises MessageError: naming the first that is not.
    """
    from html import unescape
    from urllib.parse import unquote

    known = {image.cid for image in images}
    for cid in _SHOWN.findall(html):
        if cid not in known and unquote(unescape(cid)) not in known:
            raise MessageError(
                f"html shows 'cid:{cid}', and no attachment has it: give it in"
                " inline_attachments=, and write cid:{attachment.cid}."
            )


def each_once(images: Iterable[Attachment], field: str) -> tuple[Attachment, ...]:
    """Leave out images that are there already: the same octets with the same Content-ID.

    :raises MessageError: naming a Content-ID that two different images have.
    """
    found: dict[str, Attachment] = {}
    for image in images:
        first = found.setdefault(image.cid, image)
        if not first.same_as(image):
            raise MessageError(
                f"{field} has two different images with one cid, {image.cid!r}: {first!r} and"
                f" {image!r}. Leave out cid=, and write cid:{{attachment.cid}} in the HTML."
            )
    return tuple(found.values())


def check_unique(attachments: Iterable[Attachment]) -> None:
    """Check that no two different parts of a message have one Content-ID.

    :raises MessageError: naming it.
    """
    found: dict[str, Attachment] = {}
    for attachment in attachments:
        first = found.setdefault(attachment.cid, attachment)
        if not first.same_as(attachment):
            raise MessageError(
                f"Two attachments have one cid, {attachment.cid!r}, and are different:"
                f" {first!r} and {attachment!r}. Leave out cid= of one of them."
            )
