"""To the standard library's messages and back."""

from __future__ import annotations

import typing as t

from .render import render

if t.TYPE_CHECKING:
    from email.message import EmailMessage

    from ..message import Message


def to_mime(message: Message) -> EmailMessage:
    """Return the message as the standard library's, parsed from the octets that are sent. Bcc
    is not in it.

    :raises MessageError: as :func:`render` does.
    """
    import email.policy

    return email.message_from_bytes(bytes(render(message)), policy=email.policy.default)
