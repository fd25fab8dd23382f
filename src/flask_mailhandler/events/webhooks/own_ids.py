"""What we send along with a message, so that the provider returns it with each event.

A provider names a message by an id of its own, by which the queue does not find it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

ID = "mh-id"
"""The name of the metadata that holds the Message-ID, without its angle brackets."""
LIST = "mh-list"
"""The name of the metadata that holds the list: ``unsubscribe=`` of the message."""
A_TAG = "tag"
"""The value of a tag where tags have names and values: a tag is its name."""
_ENCODED = "64"
"""What is added to a name whose value is in base64."""
_LEFT = re.compile(r"[A-Za-z0-9_-]{1,64}")


def own_ids(
    message_id: str, list_name: str | None, *, plain: bool = True, most: int = 250
) -> dict[str, str]:
    """Return the metadata to send along.

    .. code-block:: python

        fields["Metadata"] = own_ids(job.message_id, message.unsubscribe, most=80)

    :param plain: Whether the provider takes any value. If not: in base64, with ``-`` and ``_``.
    :param most: The most characters of a value. A list that is longer is left out, and of a
        Message-ID that is longer the left part is sent, by which the queue finds the message, too.
    """
    found: dict[str, str] = {}
    for name, value in ((ID, message_id.strip("<>")), (LIST, list_name or "")):
        sent = value if plain else base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
        left = value.partition("@")[0]
        if 0 < len(sent) <= most:
            found[name if plain else f"{name}{_ENCODED}"] = sent
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


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return ""
