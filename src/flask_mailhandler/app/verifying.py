"""Which events of a notification are proven, by the signed address that it came to."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable

from ..events.event import Event
from ..events.parts import header_text
from ..handlers.bounce_address import BounceAddress
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
    return [
        dataclasses.replace(event, verified=True)
        if any(proof.fits(event.message_id, event.recipient or "") for proof in proofs)
        else event
        for event in events
    ]
