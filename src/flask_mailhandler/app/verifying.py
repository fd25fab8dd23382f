"""Which events of a notification are proven, by the signed address that it came to."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable
from collections.abc import Sequence

from ..events.event import Event
from ..events.parts import header_text
from ..handlers.bounce_address import BounceAddress
from ..handlers.bounce_address import Proof
from .account import Account


def verified(
    events: Iterable[Event], octets: bytes, recipient: str | None, accounts: Iterable[Account]
) -> list[Event]:
    """Return the events, those marked whose recipient and Message-ID fit a signed address.

    The address may stand in any field of the header, such as Delivered-To, X-Original-To or To: its
    MAC is the proof, wherever it comes from.

    :param recipient: The address that the notification came to, if the caller knows it.
    :raises ConfigurationError: if there is such an address, and the app has no SECRET_KEY.
    """
    text = f"{recipient or ''}\n{header_text(octets)}"
    proofs = [
        proof
        for account in accounts
        if isinstance(bounces := account.options.get("bounce_address"), BounceAddress)
        for proof in bounces.proofs(text, t.cast(str, account.options.get("bounce_delimiter", "+")))
    ]
    return [_proven(event, proofs) for event in events]


def _proven(event: Event, proofs: Sequence[Proof]) -> Event:
    recipient = event.recipient or ""
    proof = next((one for one in proofs if one.fits(event.message_id, recipient)), None)
    if proof is None:
        return event
    if not event.message_id:
        # Its author may write any envelope id, also the one of a message to somebody else.
        event = dataclasses.replace(event, envelope_id=proof.id.hex())
    return dataclasses.replace(event, verified=True)
