"""The options of every handler: the message, the staging guard, DKIM, and what comes back."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable

from .. import config
from ..address import Address
from ..address import Addresses
from ..address import AddressesInput
from ..address import AddressInput
from ..address import NOBODY
from ..config import Option
from ..config import Reader
from ..errors import ConfigurationError
from ..errors import MessageError
from .configured import Configured
from .configured import Options

if t.TYPE_CHECKING:
    from ..message.arguments import NotifyInput
    from .bounce_address import BounceAddress
    from .bounce_imap import IMAPMailbox
    from .dkim_keys import DKIMKeys
    from .dkim_keys import KeysInput
    from .providers.spelling import Spelling
    from .unsubscribe import UnsubscribeAddress
    from .unsubscribe import UnsubscribeLink

T = t.TypeVar("T", bound=t.Sized)


def _not_empty(read: Reader[T]) -> Reader[T]:
    """Make a reader that refuses an empty value: an empty guard would let everything through,
    and no error would show it."""

    def reader(value: object, name: str) -> T:
        found = read(value, name)
        if not found:
            raise ConfigurationError(f"{name} is empty: write an address, or leave it out.")
        return found

    return reader


# The readers below are loaded by an app that sets the option: two milliseconds for all of them.


def _dsn_notify(value: object, name: str) -> tuple[str, ...]:
    from ..message.fields import dsn_notify

    try:
        return dsn_notify(value, name) or ()
    except MessageError as error:
        raise ConfigurationError(str(error)) from None


def _dkim_keys(value: object, name: str) -> DKIMKeys:
    from .dkim_keys import dkim_keys

    return dkim_keys(value, name)


def _dkim_domain(value: object, name: str) -> str:
    from .dkim_keys import dkim_domain

    return dkim_domain(value, name)


def _bounce_address(value: object, name: str) -> BounceAddress:
    from .bounce_address import bounce_address

    return bounce_address(value, name)


def _bounce_imap(value: object, name: str) -> IMAPMailbox:
    from .bounce_imap import bounce_imap

    return bounce_imap(value, name)


def _unsubscribe_link(value: object, name: str) -> UnsubscribeLink | None:
    from .unsubscribe import unsubscribe_link

    return unsubscribe_link(value, name)


def _unsubscribe_address(value: object, name: str) -> UnsubscribeAddress:
    from .unsubscribe import unsubscribe_address

    return unsubscribe_address(value, name)


class Defaults(Configured, metaclass=Options, abstract=True):
    """The options of every handler.

    .. code-block:: python

        SMTPEmailHandler(default_from="shop@example.com", redirect_to="me@example.com")
    """

    spelling_by_smtp: t.ClassVar[Spelling | None] = None
    """What some fields of a message become in the header, if the server is one of a provider."""
    of_account: t.ClassVar[str] = ""
    """The account of an app that the handler belongs to."""

    default_from: Option[AddressInput | None, Address | None] = Option(config.address, None)
    """The From of a message that has none."""
    default_to: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The To of a message that leaves it out. A To that you pass is kept, even ``[]``."""
    default_cc: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Cc of a message that leaves it out."""
    default_bcc: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Bcc of a message that leaves it out, for example an archive of all mail."""
    default_reply_to: Option[AddressesInput, Addresses] = Option(config.addresses, NOBODY)
    """The Reply-To of a message that has none."""
    default_subject: Option[str | None, str] = Option(config.text, "")
    """The subject of a message that has none."""
    subject_prefix: Option[str | None, str] = Option(config.text, "")
    """A prefix for every subject, followed by one space."""
    redirect_to: Option[AddressesInput, Addresses] = Option(_not_empty(config.addresses), NOBODY)
    """Every message goes to these addresses instead."""
    allow_to: Option[Iterable[str] | str | None, tuple[str, ...]] = Option(
        _not_empty(config.allowed), ()
    )
    """Only these addresses and ``@domains`` get mail; the others are reported as refused. If it
    is left out, every address gets mail."""
    dkim_keys: Option[KeysInput, DKIMKeys | tuple[()]] = Option(_dkim_keys, ())
    """The keys that sign every message that is sent: each selector, and its private key as the path
    of a PEM file, or as PEM in a :class:`.Secret`. See :doc:`deliverability`."""
    dkim_domain: Option[str | None, str | None] = Option(_dkim_domain, None)
    """The domain that signs. If it is left out: the domain of the message's From."""
    bounce_address: Option[AddressInput | None, BounceAddress | None] = Option(
        _bounce_address, None
    )
    """The address that bounces go to. Each message without an envelope sender gets one of its own,
    which is made from this address and signed. See :doc:`bounces`."""
    bounce_delimiter: Option[str | None, str] = Option(config.choice("+", "-", "=", "_"), "+")
    """What stands between the address and the signature."""
    bounce_imap: Option[t.Any, IMAPMailbox | None] = Option(_bounce_imap, None)
    """The mailbox of the bounces, for ``flask mail bounce --imap``, such as
    ``imaps://user:password@imap.example.com/INBOX``, as a text or a :class:`.Secret`."""
    dsn_notify: Option[NotifyInput, tuple[str, ...]] = Option(_dsn_notify, ())
    """The delivery notifications that servers are asked for: ``"never"``, or some of ``failure``,
    ``delay`` and ``success``. If it is left out, the server decides. See :doc:`bounces`."""
    dsn_return: Option[str | None, str | None] = Option(config.choice("headers", "full"), None)
    """What a notification returns of the message. If it is left out, the server decides."""
    unsubscribe: Option[bool | str | None, UnsubscribeLink | None] = Option(_unsubscribe_link, None)
    """Whether a message with ``unsubscribe=`` gets a link to a page of the app, with which its
    recipient leaves the list. See :doc:`deliverability`."""
    unsubscribe_mailto: Option[AddressInput | None, UnsubscribeAddress | None] = Option(
        _unsubscribe_address, None
    )
    """The address that a recipient can write to instead, to leave the list."""
