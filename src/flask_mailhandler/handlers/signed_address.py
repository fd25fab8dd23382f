"""Addresses that carry signed octets, so that mail which comes back to them is proven.

::

    bounces+<octets>@example.org

The address goes through foreign servers, which may change its case: base32 survives that. It has
no time-out, because mail may come back after days.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import typing as t
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence

from .. import config
from ..address import Address
from ..errors import ConfigurationError

# https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.1
_LOCAL = 64
# Of base32, without the padding: 16 octets, and 10 octets of a MAC.
_ROOM = 42
_LONGEST = _LOCAL - _ROOM - 1
# Each is tried. Mail comes to one address, which stands near its top.
_MOST = 20


class SignedAddress:
    """An address that a setting names, and from which others are made.

    :param setting: The name of the setting, for errors.
    """

    salt: t.ClassVar[bytes]
    """What the keys are derived for."""

    def __init__(self, address: Address, setting: str) -> None:
        self.address = address
        self.keys: Callable[[], Sequence[str | bytes]] = tuple
        """Returns the secret keys of the app, the one that signs first. The app sets it."""
        self._setting = setting

    @property
    def room(self) -> int:
        """How many octets an address can carry."""
        return (_LOCAL - len(self.address.local) - 1) * 5 // 8

    def with_octets(self, octets: bytes, delimiter: str) -> Address:
        """Return the address that carries these octets."""
        letters = base64.b32encode(octets).decode().rstrip("=").lower()
        return Address(f"{self.address.local}{delimiter}{letters}@{self.address.domain}")

    def octets_in(self, text: str, delimiter: str) -> Iterator[bytes]:
        """Yield what each of the first addresses of this kind in a text carries."""
        before = re.escape(f"{self.address.local}{delimiter}")
        domain = re.escape(self.address.domain)
        pattern = rf"(?<![\w.+=-]){before}([a-z2-7]{{1,{_LOCAL}}})@{domain}(?![\w.-])"
        found = (match[1].upper() for match in re.finditer(pattern, text, re.I | re.A))
        for letters in [*dict.fromkeys(found)][:_MOST]:
            try:
                yield base64.b32decode(letters + "=" * (-len(letters) % 8))
            except binascii.Error:
                continue  # base32 never has this many letters

    def derived(self) -> list[bytes]:
        """Return the keys, the one that signs first.

        :raises ConfigurationError: if there is none.
        """
        keys = [key.encode() if isinstance(key, str) else key for key in self.keys()]
        if not keys:
            raise ConfigurationError(no_secret_key(self._setting, "the address"))
        return [hmac.digest(key, self.salt, "sha256") for key in keys]

    def __str__(self) -> str:
        return str.__str__(self.address)

    def __repr__(self) -> str:
        return repr(str(self))


S = t.TypeVar("S", bound=SignedAddress)


def reader(kind: type[S]) -> Callable[[object, str], S]:
    """Return a reader of an address of this kind."""

    def read(value: object, name: str) -> S:
        if isinstance(value, kind):
            return value
        address = config.address(value, name)
        if not address.isascii() or '"' in address or len(address.local) > _LONGEST:
            raise ConfigurationError(
                f"{name} takes an address in ASCII with up to {_LONGEST} characters before the @,"
                f" which leave room for a signature, not {str(address)!r}."
            )
        return kind(address, name)

    return read


def no_secret_key(setting: str, signed: str) -> str:
    """Return the text of the error for an app without a key."""
    return (
        f"{setting} needs the app's SECRET_KEY, which signs {signed}: set it to the output of"
        " python -c 'import secrets; print(secrets.token_hex())'."
    )


def secret_keys(config: t.Mapping[str, t.Any]) -> list[str | bytes]:
    """Return the secret keys of an app: the one that signs, and those that were in use before.

    :raises ConfigurationError: if a key is not a text, or if the older ones are not a list: each
        character of a text would be a key.
    """
    older = config.get("SECRET_KEY_FALLBACKS") or ()
    keys = [key for key in (config.get("SECRET_KEY"), *older) if key]
    if isinstance(older, str | bytes) or not all(isinstance(key, str | bytes) for key in keys):
        raise ConfigurationError(
            "SECRET_KEY must be a text, and SECRET_KEY_FALLBACKS a list of texts. In a variable for"
            " from_prefixed_env(), quote a key of digits: '\"123\"', and write a list: '[\"123\"]'."
        )
    return keys if config.get("SECRET_KEY") else []
