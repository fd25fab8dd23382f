"""Envelope senders that are signed, so that a bounce can be verified.

::

    bounces+<id and MAC>@example.org      id   16 octets that the Message-ID leads to
                                          MAC  10 octets over the id and the recipient

The address goes through foreign servers, which may change its case: base32 survives that. It has
no time-out, because a bounce may come after days.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import typing as t
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from .. import config
from ..address import Address
from ..envelope import Envelope
from ..errors import ConfigurationError

_SALT = b"flask-mailhandler: bounce address"
_ID, _MAC = 16, 10
_LETTERS = 42  # of base32, without the padding
_PADDING = "======"
# https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.1
_LONGEST = 64 - _LETTERS - 1
# Each is tried with each event. A notification comes to one address, which stands near its top.
_MOST = 20
_OWN_LEFT = re.compile(r"<([0-9a-f]{32})@")


class BounceAddress:
    """The address that ``MAIL_BOUNCE_ADDRESS`` names.

    :param setting: The name of the setting, for errors.
    """

    def __init__(self, address: Address, setting: str) -> None:
        self.address = address
        self.keys: Callable[[], Sequence[str | bytes]] = tuple
        """Returns the secret keys of the app, the one that signs first. The app sets it."""
        self._setting = setting

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
        signed = id_ + _mac(self._derived()[0], id_, bound)
        letters = base64.b32encode(signed).decode().rstrip("=").lower()
        local = f"{self.address.local}{delimiter}{letters}"
        return Envelope(Address(f"{local}@{self.address.domain}"), recipients)

    def proofs(self, text: str, delimiter: str) -> Iterator[Proof]:
        """Yield what each of the first addresses of this kind in a text proves.

        :raises ConfigurationError: if there is one, and no secret key.
        """
        before = re.escape(f"{self.address.local}{delimiter}")
        domain = re.escape(self.address.domain)
        pattern = rf"(?<![\w.+=-]){before}([a-z2-7]{{{_LETTERS}}})@{domain}(?![\w.-])"
        found = [letters.upper() for letters in re.findall(pattern, text, re.I | re.A)]
        keys = self._derived() if found else []
        for letters in [*dict.fromkeys(found)][:_MOST]:
            octets = base64.b32decode(letters + _PADDING)
            yield Proof(octets[:_ID], octets[_ID:], keys)

    def _derived(self) -> list[bytes]:
        keys = [key.encode() if isinstance(key, str) else key for key in self.keys()]
        if not keys:
            raise ConfigurationError(
                f"{self._setting} needs the app's SECRET_KEY, which signs the address: set it to"
                " the output of python -c 'import secrets; print(secrets.token_hex())'."
            )
        return [hmac.digest(key, _SALT, "sha256") for key in keys]

    def __str__(self) -> str:
        return str.__str__(self.address)

    def __repr__(self) -> str:
        return repr(str(self))


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


def bounce_address(value: object, name: str) -> BounceAddress:
    """Read the address that bounces go to."""
    if isinstance(value, BounceAddress):
        return value
    address = config.address(value, name)
    if not address.isascii() or '"' in address or len(address.local) > _LONGEST:
        raise ConfigurationError(
            f"{name} takes an address in ASCII with up to {_LONGEST} characters before the @, which"
            f" leave room for a signature, not {str(address)!r}."
        )
    return BounceAddress(address, name)


def secret_keys(config: t.Mapping[str, t.Any]) -> list[str | bytes]:
    """Return the secret keys of an app: the one that signs, and those that were in use before."""
    found: Iterable[str | bytes | None] = (
        config.get("SECRET_KEY"),
        *(config.get("SECRET_KEY_FALLBACKS") or ()),
    )
    return [key for key in found if key] if config.get("SECRET_KEY") else []


def _id_of(message_id: str) -> bytes:
    """Return the left part of a Message-ID that was made here, or the hash of another one."""
    own = _OWN_LEFT.match(message_id)
    return bytes.fromhex(own[1]) if own else hashlib.sha256(message_id.encode()).digest()[:_ID]


def _mac(key: bytes, id_: bytes, recipient: str) -> bytes:
    return hmac.digest(key, id_ + recipient.lower().encode(), "sha256")[:_MAC]
