"""An event from the values of a provider."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable
from collections.abc import Mapping

from ...address import parse_address
from ...errors import MessageError
from ...frozen import FrozenMapping
from ..event import Event
from ..kinds import EventKind
from ..kinds import Severity
from ..prose import Said
from ..prose import said_in
from .fields import shown_text
from .own_ids import returned

if t.TYPE_CHECKING:
    import datetime

    from ...address import Address

_SEVERITIES = {
    EventKind.BOUNCED: Severity.HARD,
    EventKind.DEFERRED: Severity.SOFT,
    EventKind.REJECTED: Severity.BLOCKED,
    EventKind.FAILED: Severity.BLOCKED,
}
_FAILED = frozenset(_SEVERITIES)
_MESSAGE_ID = re.compile(r"[!-;=?-~]{1,900}")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_SHOWN = 500


def make_event(
    kind: EventKind,
    recipient: str,
    *,
    event_id: str,
    provider_id: str,
    time: datetime.datetime | None,
    message_id: str = "",
    said: str = "",
    status: str = "",
    severity: Severity | None = None,
    metadata: Mapping[str, str],
    tags: Iterable[str] = (),
    url: str = "",
    machine: bool = False,
    token: str = "",
    raw: bytes,
) -> Event:
    """Return a verified event, with texts that are safe to show.

    :param recipient: An address, or "" if the provider does not name it.
    :param message_id: The Message-ID that the message was sent with, if the provider names it.
    :param said: What the recipient's server said, or why the provider has not sent the message.
    :param status: The enhanced code, if the provider names it.
    :param severity: If it is not the usual one of this kind.
    :param token: What is signed, if the event is not.
    """
    own, list_name, rest = returned(metadata)
    own_id = as_message_id(own)
    # Of a long Message-ID, the left part was sent along, as with SMTP.
    left_part = "" if "@" in own else own_id.strip("<>")
    left = kind in (EventKind.UNSUBSCRIBED, EventKind.SUBSCRIBED)
    said = shown_text(said)
    reply = _reply(said) if kind in _FAILED else Said(reason=said)
    found = _STATUS.fullmatch(status)
    return Event(
        kind=kind,
        recipient=_address(recipient),
        message_id=("" if left_part else own_id) or as_message_id(message_id),
        envelope_id=left_part,
        time=time,
        code=reply.code,
        status=found[0] if found else reply.status,
        severity=severity or _SEVERITIES.get(kind),
        reason=reply.reason[:_SHOWN],
        list_name=list_name if left else "",
        tags=tuple(filter(None, map(shown_text, tags))),
        metadata=FrozenMapping(rest),
        provider_id=provider_id,
        event_id=event_id,
        url=url,
        machine=machine,
        token=token,
        verified=True,
        raw=raw,
    )


def as_message_id(text: str) -> str:
    """Return a Message-ID with its angle brackets; "" if it is not one."""
    inner = text.strip().removeprefix("<").removesuffix(">")
    return f"<{inner}>" if _MESSAGE_ID.fullmatch(inner) else ""


def _reply(said: str) -> Said:
    """Read a reply of a server, which may be written as in a notification: ``smtp; 550 ...``."""
    kind, semicolon, rest = said.partition(";")
    return said_in(rest.strip() if semicolon and kind.strip().lower() == "smtp" else said)


def _address(text: str) -> Address | None:
    try:
        return parse_address(text) if text else None
    except MessageError:
        return None
