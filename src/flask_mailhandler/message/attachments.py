"""The readers of a message's attachments. They are loaded with the first attachment."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from ..attachment import Attachment
from ..attachment import attachment_of
from ..errors import MessageError
from ..text.checks import shorten
from .attached import check
from .attached import is_message


def read(value: object, field: str) -> tuple[Attachment, ...]:
    if type(value) not in (list, tuple):
        if (single := attachment_of(value)) is not None:
            value = (single,)
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            raise _not_attached(value, field)
    items = t.cast("Iterable[object]", value)
    found = tuple([one if type(one) is Attachment else _made(one, field) for one in items])
    for one in found:
        if is_message(one):
            check(one, field)
    return found


def _made(value: object, field: str) -> Attachment:
    found = attachment_of(value)
    if found is None:
        raise _not_attached(value, field)
    return found


def _hint(value: object) -> str:
    kind = type(value)
    if kind.__module__ == "builtins":
        return ""
    return f" Or give {kind.__name__} a method __mail_attachment__() that returns an Attachment."


def _not_attached(value: object, field: str) -> MessageError:
    return MessageError(
        f"{field} takes Attachments, not {shorten(value)}: write Attachment(data, filename=...) or"
        f" Attachment.from_path(path).{_hint(value)}"
    )


def read_alternatives(value: object, field: str) -> tuple[Attachment, ...]:
    if type(value) not in (list, tuple) and (single := attachment_of(value)) is not None:
        value = [single]
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        value = [
            Attachment(item[0], mimetype=item[1])
            if isinstance(item, tuple) and len(item) == 2
            else item
            for item in value
        ]
    return read(value, field)
