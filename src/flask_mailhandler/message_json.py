"""A message as JSON types: for a queue's row, a file, a fixture."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import typing as t
from collections.abc import Mapping

from .address import Address
from .attachment import Attachment
from .attachment import File
from .headers import Headers


def to_json(value: object) -> t.Any:
    if isinstance(value, Address):
        return [value.name, str.__str__(value)]
    if isinstance(value, Attachment):
        return _attachment_to_json(value)
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if isinstance(value, Headers):
        return [list(pair) for pair in value.pairs]
    return value.isoformat() if isinstance(value, datetime.datetime) else value


def _attachment_to_json(attachment: Attachment) -> dict[str, t.Any]:
    source = attachment.source
    if isinstance(source, File):
        data: t.Any = {"file": list(dataclasses.astuple(source))}
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


def from_json(name: str, value: t.Any) -> t.Any:
    if name in ("attachments", "inline_attachments", "alternatives"):
        return [_attachment_from_json(item) for item in value]
    if name == "date":
        return datetime.datetime.fromisoformat(value)
    if name in ("from_addr", "envelope_sender") and value:
        return Address(value[1], value[0], field=name)
    if name in ("to", "cc", "bcc", "reply_to"):
        return [Address(mailbox, given, field=name) for given, mailbox in value]
    return value


def _attachment_from_json(item: Mapping[str, t.Any]) -> Attachment:
    data: bytes | str | File
    if "file" in item:
        data = File(*item["file"])
    elif "base64" in item:
        data = base64.b64decode(item["base64"], validate=True)
    else:
        data = item["text"]
    attachment = Attachment(
        data,
        filename=item["filename"],
        mimetype=item["mimetype"],
        cid=item["cid"] if item["cid_given"] else None,
    )
    object.__setattr__(attachment, "_made_cid", "" if item["cid_given"] else item["cid"])
    return attachment
