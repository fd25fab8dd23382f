"""What a notification says in sentences, where its fields say nothing or are missing."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

from .delivery_status import MAX_RECIPIENTS
from .delivery_status import Notice
from .kinds import EventKind

# https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1: the lengths. They also bound the time.
_ADDRESS = r"[^\s<>()\",;:@\[\]]{1,64}@[^\s<>()\",;:@\[\]]{0,254}[^\s<>()\",;:@\[\].]"
# A reply code, and the enhanced code after it, as servers quote them.
_REPLY = re.compile(r"(?<![\d.])([245]\d\d)(?:[ -]+|\Z)(?:['#]?([245]\.\d{1,3}\.\d{1,3})\b)?")
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_COPY = re.compile(
    r"^[ \t]*(?:-{3,}[ -]*(?:This is a copy|Original message|Below this line|Unsent message)"
    r"|Below is a copy|Message headers follow)",
    re.M | re.I,
)
_MAX_NEAR = 2_000
_LEAST_NEAR = 200
_MAX_MENTIONS = 20

_ANYWHERE = re.compile(rf"(?<![\w.@+-])(?:SMTP=)?({_ADDRESS})(?![\w-])", re.I)
_OF_A_SERVER = re.compile(r"(?:mailer-daemon|postmaster|abuse|support|noc|help\w*)@")
_MAX_PROSE = 8_000
_ALONE = re.compile(rf"^[ \t*>-]*<?({_ADDRESS})>?:?[ \t]*$", re.M)
# qmail, Postfix and OpenSMTPD begin a paragraph with the address. Without angle brackets, a reply
# must stand after it.
_PARAGRAPH = re.compile(
    rf"^(?:<({_ADDRESS})>:|({_ADDRESS}):(?=[ \t]+[45]\d\d[ -]))((?:[^\n]*\n?)(?:[ \t]+\S[^\n]*\n?"
    rf"|(?![<\-])\S[^\n]*\n?)*)",
    re.M,
)
# "ann@example.com on Fri, 18 Oct 2002 09:13:24 -0600", and the reason in lines that are indented.
_EXCHANGE = re.compile(
    rf"""
      ^[ \t]*(?:\S[^\n]{{0,200}}SMTP=)?({_ADDRESS})['"]?[ \t]on[ \t][^\n]+\n
      ((?:[ \t]+\S[^\n]*\n?)*)
    """,
    re.M | re.I | re.X,
)
_EXCHANGE_BEGINS = "did not reach the following recipient"
_STILL_TRIES = re.compile(
    r"\bdelayed\b|not yet been delivered|will (?:continue|keep|be retried|retry)|still trying", re.I
)
# OpenSMTPD's words for a message that it has given up, in a notification that says "delayed".
GIVEN_UP = re.compile(r"Envelope expired\Z")


class Said(t.NamedTuple):
    """What a server said about a recipient."""

    code: int | None = None
    status: str = ""
    reason: str = ""


def said_in(text: str) -> Said:
    """Read the codes in a text, and return them with the rest of the text as one line."""
    reply, status = _REPLY.search(text), _STATUS.search(text)
    codes = _REPLY.match(text) or _STATUS.match(text)
    return Said(
        int(reply[1]) if reply else None,
        (reply[2] if reply and reply[2] else "") or (status[0] if status else ""),
        " ".join(text[codes.end() if codes else 0 :].split()),
    )


def said_to_all(text: str) -> Said:
    """Return what a text says if it is about one recipient: the paragraph of the first reply."""
    reply = _REPLY.search(text)
    return said_in(text[reply.start() :].partition("\n\n")[0]) if reply else Said()


def without_copy(text: str) -> str:
    """Return a text up to the copy of the returned message, which some servers put into it."""
    copy = _COPY.search(text)
    return text[: copy.start()] if copy else text


def said_near(text: str, recipient: str, among: int) -> Said:
    """Return what a text says about a recipient: the paragraph after the first mention of its
    address that quotes a code, or else after the first mention.

    :param among: How many recipients the notification has. Of each of many, less is read, so that
        the time is bounded for all of them together.
    """
    share = max(1, among // _MAX_MENTIONS)
    first = Said()
    begin = 0
    for _ in range(max(1, _MAX_MENTIONS // share)):
        if (at := text.find(recipient, begin)) < 0:
            break
        begin = at + len(recipient)
        near = text[begin : begin + max(_LEAST_NEAR, _MAX_NEAR // share)]
        said = said_in(near.lstrip(">\"')]: \t\n").partition("\n\n")[0])
        if said.code or said.status:
            return said
        first = first if first.reason else said
    return first


def prose_notices(failed_recipients: str, text: str) -> Iterator[Notice]:
    """Yield the notices of a notification without fields.

    :param failed_recipients: The value of ``X-Failed-Recipients``, a field of Exim and Gmail.
    :param text: The text of the notification.
    """
    kind = EventKind.DEFERRED if _STILL_TRIES.search(text) else EventKind.BOUNCED
    if failed_recipients:
        for recipient in failed_recipients.split(",")[:MAX_RECIPIENTS]:
            yield Notice(kind, recipient.strip())
        return
    paragraphs = _PARAGRAPH
    if _EXCHANGE_BEGINS in text:
        text, paragraphs = text.partition(_EXCHANGE_BEGINS)[2], _EXCHANGE
    for number, found in enumerate(paragraphs.finditer(text)):
        if number == MAX_RECIPIENTS:
            return
        *recipients, reason = found.groups()
        yield Notice(kind, next(filter(None, recipients)), diagnostic=" ".join(reason.split()))


def lone_recipients(text: str) -> Iterator[Notice]:
    """Yield a notice for each address that has a line of its own.

    Some servers write a standard notification, but name the recipients only in its text.
    """
    for recipient in list(dict.fromkeys(_ALONE.findall(text)))[:MAX_RECIPIENTS]:
        yield Notice(EventKind.BOUNCED, recipient)


def only_recipient(text: str, sender: str) -> Iterator[Notice]:
    """Yield the notice of a text that names one address.

    :param sender: Texts with addresses of the sender. No address of their domains is taken for the
        recipient: the text may name the sender, too.
    """
    own = {address.lower().rpartition("@")[2] for address in _ANYWHERE.findall(sender)}
    found = {address.lower(): address for address in _ANYWHERE.findall(text[:_MAX_PROSE])}
    recipients = [
        address
        for lower, address in found.items()
        if lower.rpartition("@")[2] not in own and not _OF_A_SERVER.match(lower)
    ]
    if len(recipients) == 1:
        kind = EventKind.DEFERRED if _STILL_TRIES.search(text) else EventKind.BOUNCED
        yield Notice(kind, recipients[0], diagnostic=_reason_around(text, recipients[0]))


def _reason_around(text: str, recipient: str) -> str:
    """Return the paragraph of an address if the reason may stand before the address: if no code is
    quoted, and the address does not begin the paragraph. Otherwise "", and the reason follows."""
    before, _, after = text.partition(recipient)
    begin = before.split("\n\n")[-1]
    if not begin or _REPLY.search(text) or _STATUS.search(text):
        return ""
    paragraph = begin + recipient + after.partition("\n\n")[0]
    return " ".join(paragraph[:_MAX_NEAR].split())
