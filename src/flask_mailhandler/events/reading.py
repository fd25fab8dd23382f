"""A notification, as the fields of events."""

from __future__ import annotations

import datetime
import email.utils
import functools
import re
import typing as t
from collections.abc import Callable
from collections.abc import Sequence
from email.message import Message as MIMEMessage

from ..address import Address
from ..address import parse_address
from ..errors import MessageError
from ..mime.reading.parse import attempt
from ..net.quoting import escape
from . import complaint
from . import delivery_status
from .delivery_status import MAX_RECIPIENTS
from .delivery_status import Notice
from .delivery_status import notices_of
from .kinds import EventKind
from .kinds import Severity
from .parts import field
from .parts import MAX_OCTETS
from .parts import Part
from .parts import parts_of
from .parts import read_header
from .prose import GIVEN_UP
from .prose import lone_recipients
from .prose import only_recipient
from .prose import prose_notices
from .prose import Said
from .prose import said_in
from .prose import said_near
from .prose import said_to_all
from .prose import without_copy
from .severity import severity_of

_RETURNED = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}
)
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")
_COPIED_ID = re.compile(r"^Message-ID:[ \t]*(<[!-;=?-~]{1,900}>)", re.M | re.I)
_SERVERS = re.compile(r"(?:\bmailer-daemon|\bpostmaster)@|\bmailer-daemon\b", re.I)
_MAX_TEXT = 1 << 17
_SHOWN = 500


class Facts(t.TypedDict):
    """The fields of an :class:`.Event`."""

    kind: EventKind
    recipient: Address | None
    message_id: str
    envelope_id: str
    time: datetime.datetime | None
    code: int | None
    status: str
    severity: Severity | None
    reason: str
    raw: bytes


def facts_of(octets: bytes) -> list[Facts]:
    """Return the fields of each event of a notification; see :meth:`.Event.parse`.

    :raises TypeError: for a text.
    """
    if isinstance(t.cast("object", octets), str):
        raise TypeError("A notification is octets, not a text: read it as sys.stdin.buffer does.")
    header, parts = parts_of(octets)
    returned = _returned(parts)
    text = next((part.text for part in parts if part.media_type.startswith("text/")), "")
    text = text[:_MAX_TEXT]
    envelope_id, notices = _notices(header, parts, returned, text)
    make = functools.partial(
        Facts,
        message_id=_message_id(returned, header, text),
        envelope_id=escape(envelope_id[:_SHOWN].encode()),
        time=date_of(header),
        raw=octets[:MAX_OCTETS],
    )
    own_text = without_copy(text)
    # A notification may name the same recipient a thousand times.
    near = functools.cache(functools.partial(said_near, own_text, among=len(notices)))
    whole = said_to_all(own_text) if len(notices) == 1 else Said()
    return [_facts(make, notice, near, whole) for notice in notices]


def _notices(
    header: MIMEMessage, parts: Sequence[Part], returned: MIMEMessage, text: str
) -> tuple[str, list[Notice]]:
    """Return the envelope id, and a notice for each recipient."""
    for part in parts:
        if part.media_type == complaint.MEDIA_TYPE:
            return "", complaint.complaints_of(part)
    reports = [part for part in parts if part.media_type in delivery_status.MEDIA_TYPES]
    if reports:
        by_exim = "-eximdsn-" in attempt(lambda: str(header.get_boundary()), "")
        read = [notices_of(part, in_xtext=by_exim) for part in reports]
        notices = [notice for _, found in read for notice in found]
        return read[0][0], notices[:MAX_RECIPIENTS] or [*lone_recipients(text)]
    if found := complaint.microsoft_complaint(returned):
        return "", found
    failed_recipients = field(header, "X-Failed-Recipients")
    if failed_recipients or _is_from_a_server(header):
        notices = [*prose_notices(failed_recipients, text)]
        if not notices and _SERVERS.search(field(header, "From")):
            notices = [*only_recipient(without_copy(text), field(header, "To"))]
        return "", notices
    return "", []


def _is_from_a_server(header: MIMEMessage) -> bool:
    return field(header, "Return-Path") == "<>" or bool(_SERVERS.search(field(header, "From")))


def _returned(parts: Sequence[Part]) -> MIMEMessage:
    for part in parts:
        if part.media_type in _RETURNED:
            return read_header(part.decoded.lstrip(b"\n"))
    return MIMEMessage()


def _message_id(returned: MIMEMessage, header: MIMEMessage, text: str) -> str:
    """Return the Message-ID of the message that was sent. Without a returned message, a server may
    name it in the References of the notification, or copy the message into its text."""
    names = field(returned, "Message-ID"), field(header, "References"), field(header, "In-Reply-To")
    for found in names:
        if ids := _MESSAGE_ID.findall(found):
            return str(ids[-1])
    copied = _COPIED_ID.search(text)
    return copied[1] if copied else ""


def date_of(header: MIMEMessage) -> datetime.datetime | None:
    """Return the Date of a message in UTC; None if it has none that can be read."""
    return attempt(lambda: _in_utc(field(header, "Date")), None)


def _in_utc(date: str) -> datetime.datetime:
    time = email.utils.parsedate_to_datetime(date)
    # With -0000, the library returns a time without a zone. It is a time in UTC.
    return time.replace(tzinfo=time.tzinfo or datetime.UTC).astimezone(datetime.UTC)


def _facts(
    make: Callable[..., Facts], notice: Notice, near_to: Callable[[str], Said], whole: Said
) -> Facts:
    """Return the fields of the event of a notice.

    :param make: Adds what the notification says of all recipients.
    :param near_to: Returns what it says in sentences near to an address.
    :param whole: What it says in sentences, if it is about this recipient only.
    """
    said = said_in(notice.diagnostic)
    near = near_to(notice.recipient) if notice.recipient else Said()
    if whole.code and not (near.code or near.status):
        near = whole
    # Exim and OpenSMTPD write 5.0.0 whatever the server said, and Sendmail 5.1.1 for a blocked one.
    vague = not notice.status or notice.status.endswith(".0.0")
    status = said.status or (near.status if vague else "") or notice.status
    code = said.code or near.code
    kind = notice.kind
    if kind is EventKind.DEFERRED and GIVEN_UP.match(near.reason):
        kind = EventKind.BOUNCED
    failed = kind in (EventKind.BOUNCED, EventKind.DEFERRED)
    texts = f"{said.reason}\n{near.reason}"[:_MAX_TEXT]
    return make(
        kind=kind,
        recipient=_recipient(notice.recipient),
        code=code if failed else None,
        status=status,
        severity=severity_of(status, code, texts) if failed else None,
        reason=escape((said.reason or near.reason)[:_SHOWN].encode()),
    )


def _recipient(address: str) -> Address | None:
    try:
        return parse_address(address)
    except MessageError:
        return None
