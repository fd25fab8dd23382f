"""A next hop that replies to each recipient as its local part says, on aiosmtpd, in a thread."""

from __future__ import annotations

import typing as t

from aiosmtpd.controller import Controller

if t.TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope
    from aiosmtpd.smtp import Session
    from aiosmtpd.smtp import SMTP

#: The reply to a recipient, by the word that its local part begins with. Others are accepted.
REPLIES = {
    "unknown": "550 5.1.1 No such user here",
    "full": "452 4.2.2 The mailbox is full",
    "over": "552 5.2.2 Over quota",
    "blocked": "550 5.7.1 The sender is blocked",
    "later": "450 4.2.0 Greylisted",
    "large": "552 5.3.4 The message is too large",
}
_AFTER_CONTENT = {"large"}


def word_of(address: str) -> str:
    """``unknown-ann@status.example`` has the word ``unknown``."""
    return address.partition("@")[0].partition("-")[0]


class _Hooks:
    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        word = word_of(address)
        if word in REPLIES and word not in _AFTER_CONTENT:
            return REPLIES[word]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        words = {word_of(str(address)) for address in envelope.rcpt_tos} & _AFTER_CONTENT
        return next((REPLIES[word] for word in words), "250 2.0.0 OK")


class Refusing(Controller):
    """Listens on a port of 127.0.0.1 from ``start()`` to ``stop()``. It offers no DSN."""

    def __init__(self, port: int) -> None:
        super().__init__(
            _Hooks(), hostname="127.0.0.1", port=port, enable_SMTPUTF8=True, server_hostname="next"
        )
