"""A message as JSON types: for your own task queue, a file or a fixture."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import re
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Set

from ..address import Address
from ..address import parse_envelope_sender
from ..attachment import Attachment
from ..attachment import File
from ..attachment import Streamed
from ..errors import MessageError
from ..frozen import FrozenMapping
from ..text.checks import shorten
from .fields import FOR_PROVIDER
from .headers import Headers
from .message_id import LEFT
from .one_click import LOCALE

_ADDED = frozenset({"unsubscribe", *FOR_PROVIDER})
"""The fields that a message of an earlier release does not have. Such a message may still wait in a
queue of the app."""


def to_json(value: object) -> t.Any:
    if isinstance(value, Address):
        return [value.name, str.__str__(value)]
    if isinstance(value, Attachment):
        return _attachment_to_json(value)
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Headers):
        return [list(pair) for pair in value.pairs]
    if isinstance(value, FrozenMapping):
        return {name: to_json(item) for name, item in value.items()}
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def _attachment_to_json(attachment: Attachment) -> dict[str, t.Any]:
    source = attachment.source
    if isinstance(source, File):
        data: t.Any = {"file": list(dataclasses.astuple(source))}
    elif isinstance(source, Streamed):  # a file of a storage has no path to store
        data = {"base64": base64.b64encode(b"".join(source.read())).decode()}
    elif isinstance(source, bytes):
        data = {"base64": base64.b64encode(source).decode()}
    else:
        data = {"text": source}
    return {
        **data,
        "filename": attachment.filename,
        "mimetype": attachment.mimetype,
        "cid": attachment.cid,
        "cid_given": attachment.given_cid is not None,
    }


def from_json(
    data: object, names: Iterable[str], may_be_given: Set[str]
) -> tuple[dict[str, t.Any], dict[str, str], frozenset[str]]:
    """Read a message: its fields, what was made with it, the names of given fields.

    :param names: The fields that must be there, except those that were added later.
    :param may_be_given: The optional fields.
    :raises MessageError: for an unknown version and for any damage: the data comes from outside.
    """
    if not isinstance(data, Mapping) or data.get("version") != 1:
        raise MessageError("from_dict takes the result of to_dict, in version 1.")
    try:
        known = [name for name in names if name in data or name not in _ADDED]
        fields = {name: _field(name, data[name]) for name in known}
        left, given = data["made"]["left"], frozenset(data["given"])
        locale = data["made"].get("locale", "")
        # The left part becomes part of the header, and the locale of a file name.
        if not re.match(LEFT, left) or not given <= may_be_given or not re.match(LOCALE, locale):
            raise ValueError("its identity")
    except MessageError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise MessageError(f"from_dict found a damaged message: {error!r}.") from None
    return fields, {"_left": left, **({"_locale": locale} if locale else {})}, given


def _field(name: str, value: t.Any) -> t.Any:
    if name in ("attachments", "inline_attachments", "alternatives"):
        return [_attachment_from_json(item) for item in value]
    if name == "date":
        return datetime.datetime.fromisoformat(value)
    if name in ("from_addr", "envelope_sender") and value:
        return _address(value, name)
    if name in ("to", "cc", "bcc", "reply_to"):
        return [_address(item, name) for item in value]
    return value


def _address(value: t.Any, name: str) -> Address:
    given, addr_spec = _exactly(value, str, str)
    if name == "envelope_sender":
        return parse_envelope_sender((given, addr_spec), name)
    return Address(addr_spec, given, field=name)


def _exactly(value: t.Any, *kinds: type) -> list[t.Any]:
    items = [*value] if isinstance(value, list | tuple) else []
    if [type(item) for item in items] != [*kinds]:
        raise TypeError(f"{shorten(value)} instead of {len(kinds)} values")
    return items


def _attachment_from_json(item: Mapping[str, t.Any]) -> Attachment:
    data: bytes | str | File
    if "file" in item:
        data = File(*_exactly(item["file"], str, int, int, int))
    elif "base64" in item:
        data = base64.b64decode(item["base64"], validate=True)
    else:
        data = item["text"]
    # The id is passed even if it was generated, so that it is checked.
    attachment = Attachment(
        data, filename=item["filename"] or "", mimetype=item["mimetype"], cid=item["cid"]
    )
    if not item["cid_given"]:
        object.__setattr__(attachment, "_made_cid", attachment.cid)
        object.__setattr__(attachment, "given_cid", None)
    return attachment
