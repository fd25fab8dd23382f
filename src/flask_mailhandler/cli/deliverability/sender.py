"""What an account writes into its mail: the domains whose records receivers look up."""

from __future__ import annotations

import dataclasses
import typing as t
from collections.abc import Iterable

from ...address import Address
from ...address import Addresses
from ...handlers.bounce_address import BounceAddress
from ...handlers.dkim_keys import DKIMKeys

if t.TYPE_CHECKING:
    from ...app.account import Account
    from ...mime.dkim.key import Key


@dataclasses.dataclass(frozen=True)
class Sender:
    """The domains and keys of one account, or of several that have the same."""

    accounts: tuple[str, ...]
    author: str | None
    """The domain of the default From."""
    signer: str | None
    """The domain that signs, ``d=``."""
    keys: tuple[Key, ...]
    bounce: str | None
    """The domain of the envelope sender."""
    replies: tuple[str, ...]
    """The domains of the default Reply-To."""
    host: str | None
    """The server that mail is given to; None for this machine."""

    @property
    def same(self) -> tuple[object, ...]:
        """Everything except the accounts, to compare."""
        keys = tuple((key.selector, key.public) for key in self.keys)
        return self.author, self.signer, keys, self.bounce, self.replies, self.host


def senders(accounts: Iterable[Account]) -> list[Sender]:
    """Return what these accounts write, each combination once.

    :raises ConfigurationError: if a key cannot be used.
    """
    found: dict[tuple[object, ...], Sender] = {}
    for account in accounts:
        sender = _sender(account)
        same = found.get(sender.same)
        names = (*(same.accounts if same else ()), account.name)
        found[sender.same] = dataclasses.replace(sender, accounts=names)
    return [*found.values()]


def keys_of(account: Account) -> tuple[Key, ...]:
    """Return the keys that sign the mail of an account.

    :raises ConfigurationError: if one cannot be used.
    """
    keys = account.options.get("dkim_keys")
    return keys.loaded if isinstance(keys, DKIMKeys) else ()


def signer_of(account: Account) -> str | None:
    """Return the domain that signs, if the account decides it and not each message."""
    domain = account.options.get("dkim_domain")
    return domain if isinstance(domain, str) else _author(account)


def _sender(account: Account) -> Sender:
    bounce, replies = account.options.get("bounce_address"), account.options.get("default_reply_to")
    host = account.options.get("host")
    author, signer = _author(account), signer_of(account)
    return Sender(
        accounts=(account.name,),
        author=author or signer,
        signer=signer,
        keys=keys_of(account),
        bounce=_domain(bounce.address) if isinstance(bounce, BounceAddress) else author,
        replies=_domains(replies) if isinstance(replies, Addresses) else (),
        host=host if isinstance(host, str) else None,
    )


def _author(account: Account) -> str | None:
    default_from = account.options.get("default_from")
    return _domain(default_from) if isinstance(default_from, Address) else None


def _domains(addresses: Addresses) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(_domain, addresses))))


def _domain(address: Address) -> str | None:
    """Return the domain; None for an address literal, which the DNS does not know."""
    return None if address.domain.startswith("[") else address.domain
