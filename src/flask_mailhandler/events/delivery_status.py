"""Delivery status notifications (RFC 3464, RFC 6533)."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator
from collections.abc import Mapping

from .kinds import EventKind
from .parts import Part

MEDIA_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
MAX_RECIPIENTS = 1_000
_MAX_FIELD = 2_000

# https://www.rfc-editor.org/rfc/rfc3464#section-2.3.3
_ACTIONS = {
    "failed": EventKind.BOUNCED,
    "delayed": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.DELIVERED,
    "expanded": EventKind.DELIVERED,
    # Not in the RFC, but written by servers:
    "failure": EventKind.BOUNCED,
    "expired": EventKind.BOUNCED,
    "deliverable": EventKind.DELIVERED,
}
_BY_CLASS = {"2": EventKind.DELIVERED, "4": EventKind.DEFERRED, "5": EventKind.BOUNCED}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
# https://www.rfc-editor.org/rfc/rfc3461#section-4
_XTEXT = re.compile(r"\+([0-9A-F]{2})")

Fields: t.TypeAlias = Mapping[str, str]


class Notice(t.NamedTuple):
    """What a notification says about one recipient."""

    kind: EventKind
    recipient: str
    status: str = ""
    diagnostic: str = ""


def notices_of(part: Part, *, in_xtext: bool) -> tuple[str, list[Notice]]:
    """Read a part.

    :param in_xtext: Whether the server passes on the original recipient as it was given. Exim does.
    :return: The envelope id, and a notice for each recipient.
    """
    envelope_id = ""
    notices: list[Notice] = []
    for fields in _blocks(part.decoded.decode("utf-8", "replace")):
        envelope_id = envelope_id or fields.get("original-envelope-id", "")
        if (notice := _notice(fields, in_xtext)) is not None:
            notices.append(notice)
        if len(notices) == MAX_RECIPIENTS:
            break
    return xtext_decoded(envelope_id), notices


def _blocks(text: str) -> Iterator[Fields]:
    """Yield the fields of each block, by their names in lower case."""
    fields: dict[str, str] = {}
    last = ""
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t":
            if last and len(fields[last]) < _MAX_FIELD:
                fields[last] += f" {line.strip()}"
        elif colon:
            last = name.strip().lower()
            if last == "final-recipient" and last in fields:  # the blank line is missing
                yield fields
                fields = {}
            fields.setdefault(last, value.strip()[:_MAX_FIELD])
    if fields:
        yield fields


def _notice(fields: Fields, in_xtext: bool) -> Notice | None:
    final = _address(fields.get("final-recipient", ""))
    original = _address(fields.get("original-recipient", ""))
    decoded = xtext_decoded(original)
    if in_xtext or decoded.lower() == final.lower():
        original = decoded
    recipient = final if original.lower() == final.lower() else original or final
    status = _STATUS.search(fields.get("status", ""))
    action = fields.get("action", "").split(" ")[0].lower()
    kind = _ACTIONS.get(action) or _BY_CLASS.get(status[0][0] if status else "")
    if not recipient or kind is None:
        return None
    return Notice(
        kind,
        recipient,
        status[0] if status else "",
        fields.get("diagnostic-code", "").partition(";")[2].strip(),
    )


def _address(value: str) -> str:
    """Return the address of a field such as ``rfc822; <ann@example.com>``."""
    kind, semicolon, address = value.partition(";")
    address = (address if semicolon else kind).strip()
    return address.removeprefix("<").removesuffix(">").strip()


def xtext_decoded(value: str) -> str:
    """Return a value of an ESMTP parameter as it was before it was encoded."""
    return _XTEXT.sub(lambda match: chr(int(match[1], 16)), value)
