"""What we send along with a message, so that the provider returns it with each event.

A provider names a message by an id of its own, by which the queue does not find it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from collections.abc import Mapping

from ...text.checks import CONTROLS

ID = "mh-id"
"""The name of the metadata that holds the Message-ID, without its angle brackets."""
LIST = "mh-list"
"""The name of the metadata that holds the list: ``unsubscribe=`` of the message."""
A_TAG = "tag"
"""The value of a tag where tags have names and values: a tag is its name."""
_ENCODED = "64"
"""What is added to a name whose value is in base64."""
_LONGEST = 250
"""The most characters of a value."""
# https://www.rfc-editor.org/rfc/rfc4648#section-5
IN_BASE64 = re.compile(r"[A-Za-z0-9_-]*")
_LEFT = re.compile(r"[A-Za-z0-9_-]{1,64}")


def own_ids(
    message_id: str, list_name: str | None, takes: Callable[[str], object]
) -> dict[str, str]:
    """Return the metadata to send along.

    .. code-block:: python

        fields["Metadata"] = own_ids(job.message_id, message.unsubscribe, str.isascii)

    :param takes: Whether the provider takes a value. One that it does not take, or that would be
        read in another form, is sent in base64, with ``-`` and ``_``. If it does not take that
        either, a list is left out, and of a Message-ID the left part is sent, by which the queue
        finds the message, too.
    """
    found: dict[str, str] = {}
    for name, value in ((ID, message_id.strip("<>")), (LIST, list_name or "")):
        encoded = base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
        left = value.partition("@")[0]
        if 0 < len(value) <= _LONGEST and takes(value) and _is_plain(value):
            found[name] = value
        elif 0 < len(encoded) <= _LONGEST and takes(encoded):
            found[f"{name}{_ENCODED}"] = encoded
        elif name == ID and _LEFT.fullmatch(left):
            found[name] = left
    return found


def returned(metadata: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
    """Return the Message-ID, or the left part of it, and the list, and what else the metadata of an
    event has."""
    rest = {**metadata}
    known = []
    for name in (ID, LIST):
        plain, encoded = rest.pop(name, ""), rest.pop(f"{name}{_ENCODED}", "")
        known.append(plain or _decoded(encoded))
    return known[0], known[1], rest


def tags_among(pairs: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the tags and the metadata of a message, of a provider that has one list for both."""
    tags = [name for name, value in pairs.items() if value == A_TAG]
    return tags, {name: value for name, value in pairs.items() if name not in tags}


def _is_plain(value: str) -> bool:
    """Return whether a value is the same after it is made safe to show: see :func:`.shown_text`."""
    return value.isprintable() and value == " ".join(value.split())


def _decoded(text: str) -> str:
    if not IN_BASE64.fullmatch(text):
        return ""
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return ""
    return "" if re.search(CONTROLS, found) else found
