"""Octets whose header says who gets them, as APIs of a mailbox read it."""

from __future__ import annotations

import email
import email.policy
import typing as t

from .fake import Mail
from .fake import mailboxes

if t.TYPE_CHECKING:
    from .fake import FakeProvider


def read(fake: FakeProvider, data: bytes) -> Mail | None:
    """Read a message, strictly. Return None if it has no recipients."""
    head, blank, _ = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    names = [line.partition(b":")[0].lower() for line in lines if line[:1] not in (b" ", b"\t")]
    if not blank or not head.isascii() or max(map(len, lines)) > 998:
        fake.fault("header")
    for name in (b"to", b"cc", b"bcc", b"from", b"subject"):
        if names.count(name) > 1:
            fake.fault(f"{name!r} twice")
        # https://github.com/googleworkspace/cli/issues/569
        late = name in names[names.index(b"mime-version") :]
        if late and name in (b"to", b"cc", b"bcc"):
            fake.fault(f"{name!r} after MIME-Version")
    message = email.message_from_bytes(data, policy=email.policy.SMTP)
    found = [mailboxes(str(message[name] or "")) for name in ("To", "Cc", "Bcc")]
    if message["To"] is not None and not found[0]:
        return None
    fields = {"octets": data, "to": found[0], "cc": found[1], "bcc": found[2]}
    recipients = tuple(one for some in found for one in some)
    return Mail(recipients, str(message["Subject"]), fields) if recipients else None
