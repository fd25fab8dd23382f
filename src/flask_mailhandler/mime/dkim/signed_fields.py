"""Which fields of a header are signed, and how often each is named in h=."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .canonical import relaxed_field

_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")

# https://www.rfc-editor.org/rfc/rfc6376#section-5.4.2: each of these is named once more than it is
# there, so that another one that is added in transit breaks the signature. Readers show them, or
# read the body by them; RFC 8058 section 4 requires it of the fields of one-click unsubscribe.
_ONCE_MORE = (
    *("from", "to", "cc", "reply-to", "sender", "subject", "date", "message-id"),
    *("in-reply-to", "references", "mime-version", "content-type", "content-transfer-encoding"),
    *("list-unsubscribe", "list-unsubscribe-post"),
)
# https://www.rfc-editor.org/rfc/rfc6376#section-5.4.1, and RFC 9477 and 3834. Bcc, Received and
# Return-Path are not signed, because servers remove or add them.
_IF_THERE = (
    *("resent-date", "resent-from", "resent-to", "resent-cc"),
    *("list-id", "list-help", "list-subscribe", "list-post", "list-owner", "list-archive"),
    *("feedback-id", "cfbl-address", "cfbl-feedback-id", "auto-submitted"),
)


def fields_of(block: bytes) -> list[bytes]:
    """Return the fields of a header block, each with its folds and without its last CRLF."""
    return _NEXT_FIELD.split(block)


def name_of(field: bytes) -> str:
    """Return the name of a field in lower case."""
    return field.partition(b":")[0].strip(b" \t").lower().decode("latin-1")


def signed_fields(fields: Sequence[bytes]) -> tuple[list[str], list[bytes]]:
    """Return the names in h=, and the relaxed fields that are signed, both in their order.

    Of a field that is there more than once each is signed, from the last to the first (section
    5.4.2).
    """
    by_name: dict[str, list[bytes]] = {}
    for field in reversed(fields):
        by_name.setdefault(name_of(field), []).append(field)
    names: list[str] = []
    signed: list[bytes] = []
    for name in (*_ONCE_MORE, *_IF_THERE):
        found = by_name.get(name, ())
        names += [name] * (len(found) + (name in _ONCE_MORE))
        signed += map(relaxed_field, found)
    return names, signed
