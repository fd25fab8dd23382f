"""The staging guard: mail of a test system does not reach customers.

::

    redirect_to    every message goes to these addresses instead; the envelope and the header
                   change, and X-Original-To keeps the recipients
    allow_to       only these recipients stay in the envelope; the others are reported as refused
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..address import Address
from ..address import Addresses
from ..envelope import Envelope
from ..message.message import Message
from ..phase import State
from ..report import Outcome

ORIGINAL = "X-Original-To"
"""The field that keeps the recipients of a redirected message."""


def redirected(
    message: Message, envelope: Envelope, redirect_to: Addresses
) -> tuple[Message, Envelope]:
    """Return the same mail to other recipients, with the original ones in its header."""
    kept = [pair for pair in message.headers.pairs if pair[0].lower() != ORIGINAL.lower()]
    original = (ORIGINAL, ", ".join(envelope.recipients))
    changed = message.completed(to=redirect_to, cc=None, bcc=None, headers=[*kept, original])
    return changed, envelope.to(redirect_to)


def for_others(octets: bytes) -> bytes:
    """Return a message that was queued for others without the fields that are only for these.

    A mail program shows those to unsubscribe as a button, with which a developer would unsubscribe
    a customer. By the key, Resend would take the message to the customer for a repeat of this one.
    """
    header, blank, body = octets.partition(b"\r\n\r\n")
    names = rb"(?:List-Unsubscribe(?:-Post)?|Resend-Idempotency-Key)"
    kept = re.sub(rb"(?im)^" + names + rb"[ \t]*:.*(?:\n[ \t].*)*(?:\n|\Z)", b"", header)
    return (kept if kept.endswith(b"\r\n") else kept + blank[:2]) + blank[2:] + body


def withheld(recipients: Addresses, allow_to: Sequence[str]) -> tuple[Outcome, ...]:
    """Return a refusal for each recipient that the guard does not allow."""
    return tuple(
        Outcome(address, State.REFUSED, text="not allowed by MAIL_ALLOW_TO")
        for address in recipients
        if not _is_allowed(address, allow_to)
    )


def _is_allowed(address: Address, allow_to: Sequence[str]) -> bool:
    return str.__str__(address) in allow_to or f"@{address.domain}" in allow_to
