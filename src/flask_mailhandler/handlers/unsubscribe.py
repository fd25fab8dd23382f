"""How a recipient leaves a list: a link of the app (RFC 8058), and an address (RFC 2369).

::

    unsubscribe+<MAC and list>@example.org   MAC   10 octets over the list and the recipient
                                             list  its name in UTF-8

The address has no room for the recipient. Mail to it comes from the recipient, and the MAC proves
that the address was sent to that recipient.
"""

from __future__ import annotations

import hmac
import typing as t
from collections.abc import Callable
from urllib.parse import quote

from .. import config
from ..errors import MessageError
from .signed_address import reader
from .signed_address import SignedAddress

_MAC = 10


class Subscription(t.NamedTuple):
    """A recipient of a list, and the message that the recipient leaves it with."""

    list_name: str
    recipient: str
    message_id: str = ""
    locale: str = ""
    """The language of the message, such as ``de_AT``, or ""."""


class UnsubscribeLink:
    """``MAIL_UNSUBSCRIBE``: the link of a subscription, which the app makes.

    :param setting: The name of the setting, for errors.
    """

    def __init__(self, setting: str) -> None:
        self.setting = setting
        self.make: Callable[[Subscription, str], str] | None = None
        """Returns the link. The app sets it."""

    def to(self, subscription: Subscription) -> str:
        """Return the link.

        :raises MessageError: for a handler without an app.
        :raises ConfigurationError: if the app has no secret key, or no URL that can be used.
        """
        if self.make is None:
            raise MessageError(
                "unsubscribe= needs a link of an app: send the message with mail.send(...)."
            )
        return self.make(subscription, self.setting)

    def __str__(self) -> str:
        return "on"

    __repr__ = __str__


class UnsubscribeAddress(SignedAddress):
    """The address that ``MAIL_UNSUBSCRIBE_MAILTO`` names."""

    salt = b"flask-mailhandler: unsubscribe"

    def to(self, subscription: Subscription, delimiter: str) -> str:
        """Return the ``mailto:`` URL of a subscription.

        :raises ConfigurationError: if there is no secret key.
        :raises MessageError: if the name of the list is too long.
        """
        name = subscription.list_name.encode()
        if len(name) > self.room - _MAC:
            raise MessageError(
                f"unsubscribe= has {len(name)} octets, and with {self._setting}={self} there is"
                f" room for {self.room - _MAC}: write a shorter name, or a shorter address."
            )
        mac = _mac(self.derived()[0], name, subscription.recipient)
        # https://www.rfc-editor.org/rfc/rfc6068#section-2: the others are encoded
        address = quote(str(self.with_octets(mac + name, delimiter)), safe="@!$'*+-._~")
        return f"mailto:{address}?subject=unsubscribe"

    def lists(self, text: str, delimiter: str, recipient: str) -> list[str]:
        """Return the lists that the addresses in a text let this recipient leave.

        :raises ConfigurationError: if there is such an address, and no secret key.
        """
        found: dict[str, None] = {}
        for octets in self.octets_in(text, delimiter):
            mac, name = octets[:_MAC], octets[_MAC:]
            if name and any(
                hmac.compare_digest(_mac(key, name, recipient), mac) for key in self.derived()
            ):
                found[name.decode()] = None
        return [*found]


unsubscribe_address: config.Reader[UnsubscribeAddress] = reader(UnsubscribeAddress)


def unsubscribe_link(value: object, name: str) -> UnsubscribeLink | None:
    """Read whether the app has links to unsubscribe."""
    if isinstance(value, UnsubscribeLink):
        return value
    return UnsubscribeLink(name) if config.boolean(value, name) else None


def _mac(key: bytes, name: bytes, recipient: str) -> bytes:
    return hmac.digest(key, name + b"\0" + recipient.lower().encode(), "sha256")[:_MAC]
