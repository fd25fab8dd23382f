"""Envelope senders that are signed, so that a bounce can be verified.

::

    bounces+<id and MAC>@example.org      id   16 octets that the Message-ID leads to
                                          MAC  10 octets over the id and the recipient
"""

from __future__ import annotations

import hashlib
import hmac
import typing as t
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Sequence

from .. import config
from ..address import Address
from ..envelope import Envelope
from ..text.late_pattern import late_pattern
from .signed_address import reader
from .signed_address import SignedAddress

_ID, _MAC = 16, 10
_OWN_LEFT = late_pattern(r"<([0-9a-f]{32})@")


class BounceAddress(SignedAddress):
    """The address that ``MAIL_BOUNCE_ADDRESS`` names."""

    salt = b"flask-mailhandler: bounce address"

    def envelope(
        self, envelope: Envelope, message_id: str, delimiter: str, own: Collection[Address]
    ) -> Envelope:
        """Return the envelope of a message with a signed sender.

        :param own: The addresses that the account adds to each message, such as an archive.
        :raises ConfigurationError: if there is no secret key.
        """
        # Each recipient learns the address. Of several, one could write a bounce in the name of
        # another address, so then the MAC fits no recipient.
        recipients = envelope.recipients
        others = (
            [one for one in recipients if one not in own] if len(recipients) > 1 else recipients
        )
        bound = others[0] if len(others) == 1 else ""
        id_ = _id_of(message_id)
        signed = id_ + _mac(self.derived()[0], id_, bound)
        return Envelope(self.with_octets(signed, delimiter), recipients)

    def proofs(self, text: str, delimiter: str) -> Iterator[Proof]:
        """Yield what each of the first addresses of this kind in a text proves.

        :raises ConfigurationError: if there is one, and no secret key.
        """
        for octets in self.octets_in(text, delimiter):
            if len(octets) == _ID + _MAC:
                yield Proof(octets[:_ID], octets[_ID:], self.derived())


class Proof(t.NamedTuple):
    """The id and the MAC of an address that a notification came to."""

    id: bytes
    mac: bytes
    keys: Sequence[bytes]

    def fits(self, message_id: str, recipient: str) -> bool:
        """Return whether a message was sent to this recipient alone, with this address.

        :param message_id: "" if the notification does not name it.
        """
        if not recipient or (message_id and _id_of(message_id) != self.id):
            return False
        return any(
            hmac.compare_digest(_mac(key, self.id, recipient), self.mac) for key in self.keys
        )


bounce_address: config.Reader[BounceAddress] = reader(BounceAddress)


def _id_of(message_id: str) -> bytes:
    """Return the left part of a Message-ID that was made here, or the hash of another one."""
    own = _OWN_LEFT.match(message_id)
    return bytes.fromhex(own[1]) if own else hashlib.sha256(message_id.encode()).digest()[:_ID]


def _mac(key: bytes, id_: bytes, recipient: str) -> bytes:
    return hmac.digest(key, id_ + recipient.lower().encode(), "sha256")[:_MAC]
